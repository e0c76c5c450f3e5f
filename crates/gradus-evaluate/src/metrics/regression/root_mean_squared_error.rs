//! Root mean squared error.

use super::{OutputAverage, RegressionSamples, mean_squared_error_per_output};
use crate::Result;

/// Square root of the mean of (truth − prediction)² of each output, at least 0, in the unit of the truth.
pub fn root_mean_squared_error_per_output(samples: &RegressionSamples) -> Vec<f64> {
    let squares = mean_squared_error_per_output(samples);
    squares.into_iter().map(f64::sqrt).collect()
}

/// Root mean squared error, averaged over outputs after the root: scikit-learn's `root_mean_squared_error`.
///
/// # Errors
/// Those of [`mean_squared_error`](super::mean_squared_error()).
pub fn root_mean_squared_error(samples: &RegressionSamples, average: OutputAverage<'_>) -> Result<f64> {
    average.of(samples, &root_mean_squared_error_per_output(samples))
}
