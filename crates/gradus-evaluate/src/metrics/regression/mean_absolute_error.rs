//! Mean absolute error.

use super::{OutputAverage, RegressionSamples};
use crate::Result;

/// Mean of |truth − prediction| of each output, at least 0.
pub fn mean_absolute_error_per_output(samples: &RegressionSamples) -> Vec<f64> {
    samples.means(|truth, predicted| (truth - predicted).abs())
}

/// Mean absolute error, averaged over outputs: scikit-learn's `mean_absolute_error`.
///
/// # Errors
/// [`Error::LengthMismatch`](crate::Error::LengthMismatch) and [`MetricError`](crate::metrics::MetricError) for weights of
/// outputs that cannot be used.
pub fn mean_absolute_error(samples: &RegressionSamples, average: OutputAverage<'_>) -> Result<f64> {
    average.of(samples, &mean_absolute_error_per_output(samples))
}
