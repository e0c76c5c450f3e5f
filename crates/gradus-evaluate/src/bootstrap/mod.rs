//! Bootstrap intervals, from counts wherever a metric is a function of counts.
//!
//! Drawing n rows with replacement from n rows and counting them gives a confusion matrix whose cells follow a
//! multinomial distribution with the observed shares. So a resample draws the cells directly, one binomial number
//! per distinct cell, and its cost does not grow with the number of rows. The same holds for two models on the same rows
//! ([`paired_intervals`]: cells are (true class, predicted by A, predicted by B)), for strata, and for groups of rows
//! ([`grouped_intervals`]: groups of the same composition are drawn as one). [`row_intervals`] is the general path, for
//! everything else.
//!
//! Resamples are cut into chunks of a fixed size and each chunk draws from a random stream of its own: the
//! same seed gives the same bits with any number of threads.
//!
//! How the ends are read off the resamples is a [`Method`]; which one is the default, and why, is said there.

mod binomial;
mod counted;
mod method;
pub(crate) mod normal;
mod paired;
mod population;
mod rows;

use serde::{Deserialize, Serialize};

pub use counted::{GroupedCounts, grouped_intervals, intervals};
pub use method::{Jackknife, Method, acceleration, bias_correction};
pub use paired::{PairedCounts, paired_intervals};
pub use rows::{RowSample, row_intervals};

use crate::{Error, Result};

/// Largest table of resampled statistics kept in memory, in numbers (512 MiB).
const MAX_TABLE: usize = 64 << 20;

/// How intervals are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BootstrapOptions {
    /// Number of resamples, at least 100 (below, the outer percentiles mean nothing); default 1,000. 10,000 give
    /// about three times steadier ends.
    pub resamples: usize,
    /// Share of the resamples that an interval covers, in (0, 1); default 0.95.
    pub confidence: f64,
    /// Seed of the random streams; default 0.
    pub seed: u64,
    /// How the ends of an interval are read off the resamples.
    pub method: Method,
    /// What keeps its size in every resample.
    pub resampling: Resampling,
}

/// What keeps its size in every resample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resampling {
    /// The sample: the shares of the classes vary as they would in another sample.
    #[default]
    Rows,
    /// Each true class: for samples whose classes were drawn separately, so many of each.
    Stratified,
}

impl Default for BootstrapOptions {
    fn default() -> Self {
        Self {
            resamples: 1_000,
            confidence: 0.95,
            seed: 0,
            method: Method::default(),
            resampling: Resampling::default(),
        }
    }
}

impl BootstrapOptions {
    /// Fewest resamples accepted.
    pub const MIN_RESAMPLES: usize = 100;
    /// Most resamples accepted.
    pub const MAX_RESAMPLES: usize = 1_000_000;

    /// Checks the ranges given with each field.
    ///
    /// # Errors
    /// [`Error::BootstrapOption`] naming the field.
    pub fn validate(&self) -> Result<()> {
        if !(Self::MIN_RESAMPLES..=Self::MAX_RESAMPLES).contains(&self.resamples) {
            return Err(Error::BootstrapOption {
                option: "resamples",
                value: self.resamples as f64,
                expected: "100 to 1000000",
            });
        }
        if !(self.confidence > 0.0 && self.confidence < 1.0) {
            return Err(Error::BootstrapOption {
                option: "confidence",
                value: self.confidence,
                expected: "a number between 0 and 1, such as 0.95",
            });
        }
        Ok(())
    }

    /// Also that the statistics of all resamples fit the memory set aside for them.
    fn validate_for(&self, outputs: usize) -> Result<()> {
        self.validate()?;
        match self.resamples.checked_mul(outputs) {
            Some(numbers) if numbers <= MAX_TABLE => Ok(()),
            Some(_) | None => Err(Error::BootstrapOption {
                option: "resamples",
                value: self.resamples as f64,
                expected: "fewer, for this many classes",
            }),
        }
    }
}

/// The range that a metric falls into in the given share of the resamples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}
