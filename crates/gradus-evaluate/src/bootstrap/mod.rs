//! Bootstrap intervals for metrics that are functions of the confusion matrix.
//!
//! Drawing n rows with replacement from n rows and counting them gives a confusion matrix whose cells follow a
//! multinomial distribution with the observed shares. So a resample draws the cells directly, one binomial number
//! per distinct cell, and its cost does not grow with the number of rows.
//!
//! Resamples are cut into chunks of a fixed size and each chunk draws from a random stream of its own: the
//! same seed gives the same bits with any number of threads.
//!
//! Intervals are percentile intervals (B. Efron and R. Tibshirani, *An Introduction to the Bootstrap*, 1993,
//! chapter 13), with the quantiles interpolated linearly as NumPy does by default.

mod binomial;
mod resample;

use serde::{Deserialize, Serialize};

pub use resample::intervals;

use crate::{Error, Result};

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
}

impl Default for BootstrapOptions {
    fn default() -> Self {
        Self {
            resamples: 1_000,
            confidence: 0.95,
            seed: 0,
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
}

/// The range that a metric falls into in the given share of the resamples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}
