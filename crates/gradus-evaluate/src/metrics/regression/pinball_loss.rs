//! Pinball loss: how good a predicted quantile is.

use super::{OutputAverage, RegressionSamples};
use crate::Result;
use crate::metrics::MetricError;

/// Mean of `alpha · (truth − prediction)` where the truth is above and `(1 − alpha) · (prediction − truth)` where it is
/// below, of each output; smallest for the `alpha`-quantile.
///
/// # Errors
/// [`MetricError::Parameter`] unless `alpha` is in [0, 1].
pub fn pinball_loss_per_output(samples: &RegressionSamples, alpha: f64) -> Result<Vec<f64>> {
    if !(0.0..=1.0).contains(&alpha) {
        return Err(MetricError::Parameter {
            metric: "pinball_loss",
            name: "alpha",
            value: alpha,
            expected: "a number in [0, 1]",
        }
        .into());
    }
    Ok(samples.means(|truth, predicted| {
        let above = truth - predicted;
        if above >= 0.0 {
            alpha * above
        } else {
            (alpha - 1.0) * above
        }
    }))
}

/// Pinball loss, averaged over outputs: scikit-learn's `mean_pinball_loss`.
///
/// # Errors
/// Those of [`pinball_loss_per_output`] and of [`mean_squared_error`](super::mean_squared_error()).
pub fn pinball_loss(samples: &RegressionSamples, alpha: f64, average: OutputAverage<'_>) -> Result<f64> {
    average.of(samples, &pinball_loss_per_output(samples, alpha)?)
}
