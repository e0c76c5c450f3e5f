//! Which part of a source is held out for validation.

use gradus_tensor::Rng;
use serde::{Deserialize, Serialize};

use crate::text::error::{Result, TextError};

/// Streams of random numbers below a data seed; 1 is the split of tables.
const STREAM_DOCUMENTS: u64 = 2;

/// What is held out: the last bytes of each text file, and of lines and rows those that the seed draws.
///
/// A text file is one document and cannot be drawn from; its end is what training has not seen. Which lines are drawn
/// depends on the seed, the file's place and the line's number alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holdout {
    /// The share to hold out, from 0 to 1.
    pub fraction: f64,
    /// The seed of the draw.
    pub seed: u64,
}

impl Holdout {
    /// Holds out a share.
    ///
    /// # Errors
    /// [`TextError::TrainOption`] when `fraction` is not from 0 to 1.
    pub fn new(fraction: f64, seed: u64) -> Result<Holdout> {
        if !(0.0..=1.0).contains(&fraction) {
            return Err(TextError::TrainOption {
                field: "validation_fraction",
                expected: "from 0 to 1".to_owned(),
                found: fraction.to_string(),
            });
        }
        Ok(Holdout { fraction, seed })
    }
}

/// A part of a source.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Everything.
    All,
    /// What is not held out.
    Train(Holdout),
    /// What is.
    Validation(Holdout),
}

impl Part {
    /// The choice of lines or rows in one file.
    pub(super) fn in_file(self, file: u64) -> RecordChoice {
        RecordChoice { part: self, file }
    }

    /// The bytes of a text file that belong to the part, before they are moved to the end of a line.
    pub(super) fn byte_range(self, bytes: u64) -> [u64; 2] {
        let kept = |holdout: Holdout| (bytes as f64 * (1.0 - holdout.fraction)).round() as u64;
        match self {
            Part::All => [0, bytes],
            Part::Train(holdout) => [0, kept(holdout).min(bytes)],
            Part::Validation(holdout) => [kept(holdout).min(bytes), bytes],
        }
    }
}

/// Which records of a file belong to a part.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordChoice {
    part: Part,
    file: u64,
}

impl RecordChoice {
    pub(super) fn takes(self, record: u64) -> bool {
        let drawn = |holdout: Holdout| {
            Rng::derive(holdout.seed, &[STREAM_DOCUMENTS, self.file, record]).uniform() < holdout.fraction
        };
        match self.part {
            Part::All => true,
            Part::Train(holdout) => !drawn(holdout),
            Part::Validation(holdout) => drawn(holdout),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_in_one_part_and_the_share_is_kept() {
        let holdout = Holdout::new(0.1, 7).unwrap();
        let (train, validation) = (
            Part::Train(holdout).in_file(3),
            Part::Validation(holdout).in_file(3),
        );
        let held_out = (0..20_000).filter(|&record| validation.takes(record)).count();
        assert!((0..20_000).all(|record| train.takes(record) != validation.takes(record)));
        // Five standard deviations of a binomial with 20,000 draws.
        assert!(held_out.abs_diff(2000) < 213, "{held_out}");
        let other = Part::Validation(holdout).in_file(4);
        assert!((0..100).any(|record| other.takes(record) != validation.takes(record)));
        assert!(Holdout::new(f64::NAN, 0).is_err() && Holdout::new(1.1, 0).is_err());
    }
}
