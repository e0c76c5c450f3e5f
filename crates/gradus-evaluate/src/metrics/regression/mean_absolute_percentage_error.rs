//! Mean absolute percentage error, as a share.

use super::{OutputAverage, RegressionSamples};
use crate::Result;

/// Mean of |truth − prediction| / |truth| of each output, at least 0 and not times 100; |truth| counts as at least the machine epsilon.
pub fn mean_absolute_percentage_error_per_output(samples: &RegressionSamples) -> Vec<f64> {
    samples.means(|truth, predicted| (truth - predicted).abs() / truth.abs().max(f64::EPSILON))
}

/// Mean absolute percentage error, as a share, averaged over outputs: scikit-learn's `mean_absolute_percentage_error`.
///
/// # Errors
/// [`Error::LengthMismatch`](crate::Error::LengthMismatch) and [`MetricError`](crate::metrics::MetricError) for weights of
/// outputs that cannot be used.
pub fn mean_absolute_percentage_error(
    samples: &RegressionSamples,
    average: OutputAverage<'_>,
) -> Result<f64> {
    average.of(samples, &mean_absolute_percentage_error_per_output(samples))
}
