//! Explained variance: R² of predictions that are forgiven a constant error.

use super::outputs::{Output, explained};
use super::{OutputAverage, RegressionSamples};
use crate::Result;

/// 1 − (variance of truth − prediction) / (variance of the truth) of each output, at most 1. When the truth does not
/// vary: 1 if the errors do not either, else 0.
pub fn explained_variance_per_output(samples: &RegressionSamples) -> Vec<f64> {
    let of_output = |output: &Output| {
        let errors = || output.pairs().map(|(truth, predicted)| truth - predicted);
        let mean = samples.mean(errors());
        let unexplained = samples.mean(errors().map(|error| (error - mean).powi(2)));
        explained(unexplained, samples.variance(output))
    };
    samples.outputs().iter().map(of_output).collect()
}

/// Explained variance, averaged over outputs: scikit-learn's `explained_variance_score`.
///
/// # Errors
/// Those of [`mean_squared_error`](super::mean_squared_error()).
pub fn explained_variance(samples: &RegressionSamples, average: OutputAverage<'_>) -> Result<f64> {
    average.of(samples, &explained_variance_per_output(samples))
}
