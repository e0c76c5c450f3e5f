//! Metrics of numbers.

use super::statistic::Statistic;
use crate::Result;
use crate::metrics::regression::{OutputAverage, RegressionSamples, SortedErrors};

/// Makes a metric ready.
pub(super) type OfValues = for<'a> fn(&'a RegressionSamples) -> Result<Statistic<'a>>;

/// A metric that walks the samples, of which several outputs count the same.
pub(super) fn walked(
    samples: &RegressionSamples,
    of: fn(&RegressionSamples, OutputAverage<'_>) -> Result<f64>,
) -> Result<Statistic<'_>> {
    Ok(Statistic::rows(move |weights| {
        of(&samples.weighing(weights), OutputAverage::Uniform)
    }))
}

pub(super) fn median_absolute_error(samples: &RegressionSamples) -> Result<Statistic<'_>> {
    let outputs = SortedErrors::of(samples);
    Ok(Statistic::rows(move |weights| {
        let medians: Vec<f64> = outputs.iter().map(|errors| errors.median(weights)).collect();
        OutputAverage::Uniform.of(samples, &medians)
    }))
}
