//! The `[data.split]` table of a recipe: parts made of one file or folder.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::Format;
use crate::dataset::Dataset;
use crate::dividing_columns::{read_groups, read_times};
use crate::error::{Error, Result};
use crate::locate::{Location, Split, locate};
use crate::split::{HoldOut, Parts, Shares};

/// How the data that `train` names is divided into parts. At most one of `stratify`, `group` and `time` is given; with
/// none, each class keeps its share, and without classes chance decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitConfig {
    /// The share that is trained on, above 0 to 1.
    pub train: f64,

    /// The share that decides when to stop, from 0 to 1. Default: 0.
    #[serde(default)]
    pub validation: f64,

    /// The share that is only ever measured on, from 0 to 1. Default: 0.
    #[serde(default)]
    pub test: f64,

    /// Tables: the column whose values keep their shares. Default: the classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stratify: Option<String>,

    /// Tables: rows with the same value in this column stay together. It is no input of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,

    /// Tables: validation rows are later than training rows, test rows latest, by this column of numbers or dates. It is
    /// no input of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,

    /// The seed. Default: that of `[data]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

impl SplitConfig {
    /// The shares of the parts.
    pub fn shares(&self) -> Shares {
        Shares {
            train: self.train,
            validation: self.validation,
            test: self.test,
        }
    }

    /// Checks what can be checked without the data.
    ///
    /// # Errors
    /// When the shares are none, nothing is trained on, or several columns are to divide.
    pub fn validate(&self) -> Result<()> {
        self.shares().validate()?;
        let problem = |field, expected: &str, found: String| {
            let expected = expected.to_owned();
            Err(Error::ConfigValue {
                field,
                expected,
                found,
            })
        };
        if self.train == 0.0 {
            return problem("split.train", "above 0 to 1", "0".to_owned());
        }
        let columns = [&self.stratify, &self.group, &self.time];
        match columns.into_iter().flatten().count() {
            0 | 1 => Ok(()),
            several => problem(
                "split",
                "divided by one of stratify, group and time",
                format!("{several} of them"),
            ),
        }
    }

    /// The column that divides the rows and is no input.
    pub fn dividing_column(&self) -> Option<&String> {
        self.group.as_ref().or(self.time.as_ref())
    }

    /// Divides rows: `strata` are their classes, `seed` stands in where this has none.
    pub(crate) fn divide(&self, location: &Location, strata: &[i64], seed: u64) -> Result<Parts> {
        self.validate()?;
        let (shares, seed) = (self.shares(), self.seed.unwrap_or(seed));
        match (&self.stratify, &self.group, &self.time) {
            (Some(column), _, _) => shares.split_stratified(&read_groups(location, column)?, seed),
            (None, Some(column), _) => shares.split_groups(&read_groups(location, column)?, seed),
            (None, None, Some(column)) => shares.split_time(&read_times(location, column)?),
            (None, None, None) => shares.split_stratified(strata, seed),
        }
    }
}

impl Dataset {
    /// Divides the rows of this data set as a recipe's `[data.split]` does when it trains on what lies at `path`, from
    /// which this data set was read whole.
    ///
    /// # Errors
    /// As reading the dividing column, and when a part would be empty.
    pub fn divide(&self, path: &Path, split: &SplitConfig) -> Result<Parts> {
        let location = locate(path, Format::infer(path)?, Split::Train)?;
        split.divide(
            &location,
            &self.targets().strata(),
            split.seed.unwrap_or_default(),
        )
    }

    /// Divides the rows of this data set, read whole, as `validation_fraction` of a recipe does.
    ///
    /// # Errors
    /// As [`HoldOut::divide`].
    pub fn hold_out(&self, held_out: &HoldOut) -> Result<Parts> {
        held_out.divide(&self.targets().strata())
    }
}
