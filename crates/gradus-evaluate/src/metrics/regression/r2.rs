//! R², the coefficient of determination.

use super::outputs::{explained, too_few};
use super::{OutputAverage, RegressionSamples};
use crate::Result;

/// 1 − (mean squared error / variance of the truth) of each output, at most 1. When the truth does not vary: 1 without
/// errors, else 0.
///
/// # Errors
/// [`MetricError::Undefined`](crate::metrics::MetricError::Undefined) for fewer than two samples.
pub fn r2_per_output(samples: &RegressionSamples) -> Result<Vec<f64>> {
    if samples.samples() < 2 {
        return Err(too_few("r2"));
    }
    Ok(r2_of_any(samples))
}

/// The same of any number of samples: one is a truth that does not vary.
pub(crate) fn r2_of_any(samples: &RegressionSamples) -> Vec<f64> {
    let squares = samples.means(|truth, predicted| (truth - predicted).powi(2));
    let outputs = squares.into_iter().zip(samples.outputs());
    outputs
        .map(|(square, output)| explained(square, samples.variance(output)))
        .collect()
}

/// R², averaged over outputs: scikit-learn's `r2_score`.
///
/// # Errors
/// Those of [`r2_per_output`] and of [`mean_squared_error`](super::mean_squared_error()).
pub fn r2(samples: &RegressionSamples, average: OutputAverage<'_>) -> Result<f64> {
    average.of(samples, &r2_per_output(samples)?)
}
