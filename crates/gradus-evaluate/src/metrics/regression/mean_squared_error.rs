//! Mean squared error.

use super::{OutputAverage, RegressionSamples};
use crate::Result;

/// Mean of (truth − prediction)² of each output, at least 0.
pub fn mean_squared_error_per_output(samples: &RegressionSamples) -> Vec<f64> {
    samples.means(|truth, predicted| (truth - predicted).powi(2))
}

/// Mean squared error, averaged over outputs: scikit-learn's `mean_squared_error`.
///
/// # Errors
/// [`Error::LengthMismatch`](crate::Error::LengthMismatch) and [`MetricError`](crate::metrics::MetricError) for weights of
/// outputs that cannot be used.
pub fn mean_squared_error(samples: &RegressionSamples, average: OutputAverage<'_>) -> Result<f64> {
    average.of(samples, &mean_squared_error_per_output(samples))
}
