//! Explained variance: R² of predictions that are forgiven a constant error.

use super::outputs::{Output, explained};
use super::{OutputAverage, RegressionSamples};
use crate::Result;

/// 1 − (variance of truth − prediction) / (variance of the truth) of each output, at most 1. When the truth does not
/// vary: 1 if the errors do not either, else 0.
pub fn explained_variance_per_output(samples: &RegressionSamples) -> Vec<f64> {
    let of_output = |output: &Output| {
        let errors = || output.pairs().map(|(truth, predicted)| truth - predicted);
        let mean = samples.centre(errors());
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

#[cfg(test)]
mod tests {
    use super::super::{OutputAverage, r2};
    use super::*;

    #[test]
    fn a_truth_that_never_changes_explains_nothing_whatever_its_weights() {
        let weights = [0.0, 0.5, 1e-3, 2.5, 0.1, 1e-3, 0.7];
        let predicted = [5.5, 4.0, 5.25, 6.0, 5.0, 4.5, 5.125];
        for truth in [5.0, 0.1, -1e9 / 3.0] {
            let samples = RegressionSamples::new(&[truth; 7], &predicted, 1, Some(&weights)).unwrap();
            assert_eq!(r2(&samples, OutputAverage::Uniform).unwrap(), 0.0);
            assert_eq!(explained_variance(&samples, OutputAverage::Uniform).unwrap(), 0.0);
            let same = RegressionSamples::new(&[truth; 7], &[truth; 7], 1, Some(&weights)).unwrap();
            assert_eq!(r2(&same, OutputAverage::Uniform).unwrap(), 1.0);
        }
    }
}
