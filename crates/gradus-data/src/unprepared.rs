//! Training data that is read once and prepared many times.

use std::path::Path;

use crate::config::{DataConfig, Format};
use crate::dividing_columns::{read_groups, read_times};
use crate::error::{Error, Result};
use crate::load::Splits;
use crate::locate::{Location, Split, locate};
use crate::raw::{RawData, ReadPlan};
use crate::split::Parts;
use crate::targets::Targets;

/// The training samples of a recipe as they were read, to be divided and prepared as often as wished: each time the
/// preparation is fitted to that time's training samples alone.
///
/// ```
/// use gradus_data::{DataConfig, Unprepared, split::{KFold, Parts}};
/// # let folder = tempfile::tempdir()?;
/// # std::fs::write(folder.path().join("t.csv"), "x,y\n1,a\n2,b\n3,a\n4,b\n")?;
/// let config = DataConfig { label: Some("y".into()), ..DataConfig::new("t.csv") };
/// let samples = Unprepared::read(&config, folder.path())?;
/// for fold in (KFold { folds: 2, seed: Some(1) }).split(samples.len())?.iter() {
///     let rows = Parts { train: fold.train, test: fold.test, ..Parts::default() };
///     assert_eq!(samples.prepare(&rows)?.train.len(), 2);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Unprepared {
    raw: RawData,
    location: Location,
    config: DataConfig,
    /// The rows of the file that were taken; all when there is no limit.
    taken: Option<Vec<usize>>,
}

impl Unprepared {
    /// Reads what `config.train` names, at most `config.max_samples` of it. Of what `config.split` divides, the test part
    /// is left out, and other files that the configuration names are not read: what is kept for a last test stays unseen. Relative paths start at `base`.
    ///
    /// # Errors
    /// When the configuration contradicts itself or the files, or a file cannot be read; see [`Error`].
    pub fn read(config: &DataConfig, base: &Path) -> Result<Unprepared> {
        let path = base.join(&config.train);
        let format = config.format.map_or_else(|| Format::infer(&path), Ok)?;
        config.validate(format)?;
        let location = locate(&path, format, Split::Train)?;
        let mut raw = ReadPlan::of_config(config).read_labelled(&location)?;
        let taken = taken_rows(config, &location, &raw.targets.strata())?;
        if let Some(taken) = &taken {
            raw = raw.select(taken);
        }
        let config = config.clone();
        Ok(Unprepared {
            raw,
            location,
            config,
            taken,
        })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.raw.targets.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the samples are labelled with; numbers in their own unit.
    pub fn targets(&self) -> &Targets {
        &self.raw.targets
    }

    /// The row of the file, from 0, that a sample was read from.
    pub fn row(&self, sample: usize) -> usize {
        self.taken.as_ref().map_or(sample, |rows| rows[sample])
    }

    /// The class of each sample, for divisions that keep the classes' shares; 0 for all where there are no classes.
    pub fn strata(&self) -> Vec<i64> {
        self.raw.targets.strata()
    }

    /// A number for each sample's group: equal where the cells of the column are.
    ///
    /// # Errors
    /// When the data is no table, has no such column, or a cell is empty.
    pub fn groups(&self, column: &str) -> Result<Vec<i64>> {
        Ok(self.of_taken(read_groups(&self.location, column)?))
    }

    /// Each sample's time: numbers as they are; of dates (`2026-03-31`, with or without a time of day behind) their place
    /// among all that occur. An empty cell is NaN.
    ///
    /// # Errors
    /// When the data is no table, has no such column, or the column holds other text.
    pub fn times(&self, column: &str) -> Result<Vec<f64>> {
        Ok(self.of_taken(read_times(&self.location, column)?))
    }

    fn of_taken<T: Copy>(&self, cells: Vec<T>) -> Vec<T> {
        match &self.taken {
            Some(rows) => rows.iter().map(|&row| cells[row]).collect(),
            None => cells,
        }
    }

    /// SHA-256 in hexadecimal of all samples, prepared as if all were trained on.
    ///
    /// # Errors
    /// When they cannot be prepared so.
    pub fn fingerprint(&self) -> Result<String> {
        let all = (0..self.len()).collect();
        let rows = Parts {
            train: all,
            ..Parts::default()
        };
        Ok(self.prepare(&rows)?.train.fingerprint().to_owned())
    }

    /// Prepares the samples of each part by what those of `rows.train` teach. A part without rows is `None`.
    ///
    /// # Errors
    /// When there is no such sample, or the training samples do not say how to prepare: a column without any value, or
    /// with too many different ones.
    pub fn prepare(&self, rows: &Parts) -> Result<Splits> {
        let parts = [&rows.train, &rows.validation, &rows.test];
        if let Some(&index) = parts.into_iter().flatten().find(|&&index| index >= self.len()) {
            let len = self.len();
            return Err(Error::NoSample { index, len });
        }
        let preprocessing = self.raw.fit(&self.location, &self.config, &rows.train)?;
        let part = |rows: &[usize]| self.raw.select(rows).prepare(&self.location, &preprocessing);
        let some_part = |rows: &[usize]| (!rows.is_empty()).then(|| part(rows)).transpose();
        Ok(Splits {
            train: part(&rows.train)?,
            validation: some_part(&rows.validation)?,
            test: some_part(&rows.test)?,
            preprocessing,
        })
    }
}

/// The rows that are not all: without the test part, and not more than the limit.
fn taken_rows(config: &DataConfig, location: &Location, strata: &[i64]) -> Result<Option<Vec<usize>>> {
    let mut taken = None;
    if let Some(split) = config.split.as_ref().filter(|split| split.test > 0.0) {
        let parts = split.divide(location, strata, config.seed)?;
        let mut rows = [parts.train, parts.validation].concat();
        rows.sort_unstable();
        taken = Some(rows);
    }
    let rows = taken.as_ref().map_or(strata.len(), Vec::len);
    if config.max_samples.is_some_and(|most| most < rows) {
        let all = taken.unwrap_or_else(|| (0..strata.len()).collect());
        return config.hold_out().limit(strata, all).map(Some);
    }
    Ok(taken)
}
