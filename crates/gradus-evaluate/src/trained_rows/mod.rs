//! Whether a model has seen what it is to be scored on.
//!
//! A package remembers its training rows by a hash each ([`TRAINED_ROWS_FILE`]) and how its parts were divided. From
//! that, [`recorded_part`] finds the test rows again in the data that the parts were made of, and [`check_unseen`]
//! refuses data that training knows.
//!
//! Real data repeats itself: two passengers of one age, class and sex are equal rows, though different people. So known
//! rows are no proof of a leak. How often training rows repeat each other says how many of new rows are known by chance,
//! and how many of them equal a row that training has once, twice, …; what is refused is more than that, by more than
//! [`TOLERATED_SHARE`] and three standard errors (`chance.rs`). Where rows repeat too much for that to say anything, data
//! that hold each training row at least as often as training did, and are at most [`MOST_ROWS_AROUND`] times as many, are
//! refused: the training rows themselves, and a file that they were held out of.

mod chance;

use std::path::Path;
use std::sync::Arc;

use gradus_data::{Dataset, HoldOut, Split, SplitConfig};
use gradus_package::{Package, PartRecord, SplitRecord, TRAINED_ROWS_FILE, sha256_hex};

use crate::error::{Error, Result};

pub use chance::TOLERATED_SHARE;

use chance::{Frequencies, count_by_repeats};

/// Of more rows than so many times those that were trained on, few kinds of rows are there often enough by chance.
pub const MOST_ROWS_AROUND: usize = 4;

/// The hashes of the rows that a model was trained on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainedRows {
    /// Upper halves of the hashes, sorted.
    hashes: Vec<u32>,
}

impl TrainedRows {
    /// The rows of a training set.
    pub fn new(train: &Dataset) -> TrainedRows {
        let mut hashes: Vec<u32> = train.sample_hashes().into_iter().map(upper_half).collect();
        hashes.sort_unstable();
        TrainedRows { hashes }
    }

    /// What a package remembers; `None` for a package that remembers nothing.
    ///
    /// # Errors
    /// [`Error::TrainedRowsFile`] when the file is no list of hashes.
    pub fn of_package(package: &Package) -> Result<Option<TrainedRows>> {
        let Some(bytes) = package.files().get(TRAINED_ROWS_FILE) else {
            return Ok(None);
        };
        let (words, rest) = bytes.as_chunks::<4>();
        let hashes: Vec<u32> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
        if !rest.is_empty() || !hashes.is_sorted() {
            let path = package.path().join(TRAINED_ROWS_FILE);
            return Err(Error::TrainedRowsFile { path });
        }
        Ok(Some(TrainedRows { hashes }))
    }

    /// The bytes of the package's file.
    pub fn to_bytes(&self) -> Arc<[u8]> {
        self.hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect()
    }

    /// Whether a data set is little more than them: it holds each at least as often.
    pub fn are_within(&self, dataset: &Dataset) -> bool {
        let mut hashes: Vec<u32> = dataset.sample_hashes().into_iter().map(upper_half).collect();
        hashes.sort_unstable();
        let mut rest = hashes.iter();
        let is_small = hashes.len() <= self.hashes.len().saturating_mul(MOST_ROWS_AROUND);
        is_small && !self.hashes.is_empty() && self.hashes.iter().all(|hash| rest.any(|other| other == hash))
    }

    /// Of the rows of a data set those that are among them, and how many chance alone would make so.
    pub fn known_of(&self, dataset: &Dataset) -> Known {
        let hashes = dataset.sample_hashes().into_iter().map(upper_half);
        let known = count_by_repeats(&self.hashes, hashes);
        let frequencies = Frequencies::new(&self.hashes);
        Known {
            known: known.iter().sum(),
            rows: dataset.len(),
            expected_share: frequencies.expected_share(),
            is_leak: frequencies.are_exceeded(&known, dataset.len()),
        }
    }
}

fn upper_half(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// What to write about the parts of a training: how they were made of one source, and which they are.
pub fn record_split(
    (division, held_out): (Option<SplitConfig>, Option<HoldOut>),
    train: &Dataset,
    validation: Option<&Dataset>,
    test: Option<&Dataset>,
) -> SplitRecord {
    SplitRecord {
        division,
        held_out,
        train: part_record(train),
        validation: validation.map(part_record),
        test: test.map(part_record),
    }
}

fn part_record(part: &Dataset) -> PartRecord {
    let bytes: Vec<u8> = part
        .sample_hashes()
        .iter()
        .flat_map(|hash| hash.to_le_bytes())
        .collect();
    PartRecord {
        rows: part.len() as u64,
        sha256: sha256_hex(&bytes),
    }
}

/// One part of a training, found again in the data that it was divided off.
#[derive(Debug)]
pub struct RecordedPart {
    /// Its rows, ascending.
    pub rows: Vec<usize>,
    /// Their samples.
    pub dataset: Dataset,
}

/// Whether a part of a training was divided off other rows, so that [`recorded_part`] may find it among them.
pub fn was_divided_off(package: &Package, split: Split) -> bool {
    let Some(record) = &package.manifest().lineage.split else {
        return false;
    };
    let share = |of: fn(&SplitConfig) -> f64| record.division.as_ref().map_or(0.0, of);
    match split {
        Split::Train => record.division.is_some() || record.held_out.is_some(),
        Split::Validation => record.held_out.is_some() || share(|division| division.validation) > 0.0,
        Split::Test => share(|division| division.test) > 0.0,
    }
}

/// The rows of one part of a training in the data that the parts were made of: `dataset`, read whole from `path`.
///
/// `None` when the package records no division, the division made no such part, or these are other data: then dividing
/// them anew does not give the rows whose hashes were recorded.
///
/// # Errors
/// [`Error::Data`] when the column that divides cannot be read.
pub fn recorded_part(
    package: &Package,
    dataset: &Dataset,
    path: &Path,
    split: Split,
) -> Result<Option<RecordedPart>> {
    let Some(record) = &package.manifest().lineage.split else {
        return Ok(None);
    };
    let recorded = match split {
        Split::Train => Some(&record.train),
        Split::Validation => record.validation.as_ref(),
        Split::Test => record.test.as_ref(),
    };
    let Some(recorded) = recorded else {
        return Ok(None);
    };
    let divided = match (&record.division, &record.held_out) {
        (Some(division), _) => dataset.divide(path, division),
        (None, Some(held_out)) => dataset.hold_out(held_out),
        (None, None) => return Ok(None),
    };
    // Other data may well lack the column, or be too small to divide: that is no error, they are just other data.
    let Ok(parts) = divided else {
        return Ok(None);
    };
    let rows = match split {
        Split::Train => parts.train,
        Split::Validation => parts.validation,
        Split::Test => parts.test,
    };
    let dataset = dataset.subset(&rows)?;
    Ok((part_record(&dataset) == *recorded).then_some(RecordedPart { rows, dataset }))
}

/// How many rows of a data set are known from training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known {
    /// Rows that equal a row that was trained on.
    pub known: usize,
    /// Rows in all.
    pub rows: usize,
    /// The share of known rows that chance gives.
    pub expected_share: f64,
    is_leak: bool,
}

impl Known {
    /// Whether more rows are known than chance and what is tolerated explain.
    pub fn is_leak(&self) -> bool {
        self.is_leak
    }

    /// How many rows chance would make known.
    pub fn expected(&self) -> usize {
        (self.expected_share * self.rows as f64).round() as usize
    }
}

/// Checks that a model was not trained on what it is to be scored on; `None` when the package does not say what it was
/// trained on.
///
/// # Errors
/// [`Error::TrainedOn`] when it was, as this module's documentation says; [`Error::TrainedRowsFile`].
pub fn check_unseen(package: &Package, dataset: &Dataset) -> Result<Option<Known>> {
    let Some(trained) = TrainedRows::of_package(package)? else {
        return Ok(None);
    };
    let found = trained.known_of(dataset);
    if found.is_leak() || trained.are_within(dataset) {
        return Err(Error::TrainedOn {
            known: found.known,
            rows: found.rows,
            expected: found.expected(),
        });
    }
    Ok(Some(found))
}
