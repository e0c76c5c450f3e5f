//! What an input is compared with.

use gradus_data::{Preprocessing, Samples};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The input that says nothing, which attributions compare with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Baseline {
    /// Zeros after preparation: for normalised inputs their mean over the training data, for a category none of its values.
    #[default]
    Zero,
    /// The mean of the given data.
    Mean,
    /// Black pictures.
    Black,
    /// White pictures.
    White,
}

/// Samples of which a mean is taken at most: more would not move it visibly.
const MOST_IN_MEAN: usize = 10_000;

impl Baseline {
    /// Its name, as it is written in options.
    pub fn name(self) -> &'static str {
        match self {
            Baseline::Zero => "zero",
            Baseline::Mean => "mean",
            Baseline::Black => "black",
            Baseline::White => "white",
        }
    }

    /// The baseline as the model takes it, one row.
    ///
    /// # Errors
    /// [`Error::PictureBaseline`] for black or white rows of a table, [`Error::Empty`] for the mean of no samples.
    pub fn row(self, preprocessing: &Preprocessing, samples: &Samples) -> Result<Vec<f32>> {
        let constant = |pixel: u8| match preprocessing {
            Preprocessing::Image(image) => {
                let affine = image.affine();
                let plane = image.shape[1] * image.shape[2];
                let channels = affine.scale.iter().zip(&affine.shift);
                let values = channels.flat_map(|(&scale, &shift)| {
                    std::iter::repeat_n(f32::from(pixel).mul_add(scale, shift), plane)
                });
                Ok(values.collect())
            }
            Preprocessing::Table(_) => Err(Error::PictureBaseline {
                baseline: self.name(),
            }),
        };
        match self {
            Baseline::Zero => Ok(vec![0.0; preprocessing.sample_len()]),
            Baseline::Mean => mean(samples),
            Baseline::Black => constant(0),
            Baseline::White => constant(255),
        }
    }
}

fn mean(samples: &Samples) -> Result<Vec<f32>> {
    let count = samples.len().min(MOST_IN_MEAN);
    if count == 0 {
        return Err(Error::Empty {
            what: "the data for a mean",
        });
    }
    let mut row = vec![0.0f32; samples.sample_len()];
    let mut sums = vec![0.0f64; row.len()];
    // Spread over the data, whose order may mean something.
    for at in 0..count {
        samples.gather(&[at * samples.len() / count], &mut row);
        sums.iter_mut()
            .zip(&row)
            .for_each(|(sum, &value)| *sum += f64::from(value));
    }
    Ok(sums.into_iter().map(|sum| (sum / count as f64) as f32).collect())
}
