//! Median absolute error.

use super::outputs::Output;
use super::{OutputAverage, RegressionSamples};
use crate::Result;
use crate::metrics::input::weight_at;

/// Median of |truth − prediction| of each output, at least 0. With weights, where half of the weight lies below; on the
/// border between two samples, the mean of both.
pub fn median_absolute_error_per_output(samples: &RegressionSamples) -> Vec<f64> {
    let of_output = |output: &Output| {
        let errors = output.pairs().map(|(truth, predicted)| (truth - predicted).abs());
        let weighted = errors
            .enumerate()
            .map(|(at, error)| (error, weight_at(samples.weights(), at)));
        median(weighted.filter(|(_, weight)| *weight > 0.0).collect())
    };
    samples.outputs().iter().map(of_output).collect()
}

/// Median absolute error, averaged over outputs: scikit-learn's `median_absolute_error`.
///
/// # Errors
/// Those of [`mean_squared_error`](super::mean_squared_error()).
pub fn median_absolute_error(samples: &RegressionSamples, average: OutputAverage<'_>) -> Result<f64> {
    average.of(samples, &median_absolute_error_per_output(samples))
}

/// The median of (value, weight) pairs whose weights are above 0.
fn median(mut pairs: Vec<(f64, f64)>) -> f64 {
    pairs.sort_by(|left, right| left.0.total_cmp(&right.0));
    let mut below = 0.0;
    let ends: Vec<f64> = pairs
        .iter()
        .map(|(_, weight)| {
            below += weight;
            below
        })
        .collect();
    let half = below / 2.0;
    let at = ends.partition_point(|&end| end < half).min(pairs.len() - 1);
    // scikit-learn's measure of a sum that ends exactly at half.
    let on_border = ends[at] - half <= f64::EPSILON;
    match pairs.get(at + 1) {
        Some(next) if on_border => (pairs[at].0 + next.0) / 2.0,
        Some(_) | None => pairs[at].0,
    }
}
