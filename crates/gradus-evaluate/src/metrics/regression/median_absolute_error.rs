//! Median absolute error.

use super::outputs::Output;
use super::{OutputAverage, RegressionSamples};
use crate::Result;
use crate::metrics::input::weight_at;

/// Median of |truth − prediction| of each output, at least 0. With weights, where half of the weight lies below; on the
/// border between two samples, the mean of both.
pub fn median_absolute_error_per_output(samples: &RegressionSamples) -> Vec<f64> {
    let errors = SortedErrors::of(samples);
    errors
        .iter()
        .map(|errors| errors.median(samples.weights()))
        .collect()
}

/// Median absolute error, averaged over outputs: scikit-learn's `median_absolute_error`.
///
/// # Errors
/// Those of [`mean_squared_error`](super::mean_squared_error()).
pub fn median_absolute_error(samples: &RegressionSamples, average: OutputAverage<'_>) -> Result<f64> {
    average.of(samples, &median_absolute_error_per_output(samples))
}

/// The absolute errors of an output, sorted once for medians under many weights.
pub(crate) struct SortedErrors(Vec<(f64, usize)>);

impl SortedErrors {
    /// Those of each output.
    pub(crate) fn of(samples: &RegressionSamples) -> Vec<SortedErrors> {
        let of_output = |output: &Output| {
            let errors = output.pairs().map(|(truth, predicted)| (truth - predicted).abs());
            let mut sorted: Vec<(f64, usize)> = errors.enumerate().map(|(row, error)| (error, row)).collect();
            sorted.sort_by(|left, right| left.0.total_cmp(&right.0));
            SortedErrors(sorted)
        };
        samples.outputs().iter().map(of_output).collect()
    }

    /// The median by the weights of all samples; NaN when none weighs anything.
    pub(crate) fn median(&self, weights: Option<&[f64]>) -> f64 {
        let weight = |row: usize| weight_at(weights, row);
        let total = self.0.iter().fold(0.0, |sum, &(_, row)| sum + weight(row));
        let half = total / 2.0;
        let mut weighty = self.0.iter().filter(|&&(_, row)| weight(row) > 0.0);
        let mut below = 0.0;
        while let Some(&(error, row)) = weighty.next() {
            below += weight(row);
            if below < half {
                continue;
            }
            // scikit-learn's measure of a sum that ends exactly at half.
            let on_border = below - half <= f64::EPSILON;
            return match weighty.next() {
                Some(&(next, _)) if on_border => (error + next) / 2.0,
                Some(_) | None => error,
            };
        }
        f64::NAN
    }
}
