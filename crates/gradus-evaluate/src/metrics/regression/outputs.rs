//! True and predicted numbers, and averages over outputs.

use std::sync::Arc;

use crate::Result;
use crate::metrics::MetricError;
use crate::metrics::input::{check_finite, check_rows, check_weights, weighted_mean};
use crate::metrics::ranked_scores::Score;

/// True and predicted numbers of samples, checked once.
#[derive(Clone, Debug)]
pub struct RegressionSamples {
    outputs: Arc<[Output]>,
    weights: Option<Vec<f64>>,
}

/// One output of all samples.
#[derive(Clone, Debug)]
pub(super) struct Output {
    pub(super) truth: Vec<f64>,
    pub(super) predicted: Vec<f64>,
}

/// How the errors of several outputs become one number; scikit-learn's `multioutput=`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OutputAverage<'a> {
    /// The plain mean (`uniform_average`).
    Uniform,
    /// The mean weighted by the variance of the true numbers (`variance_weighted`); the plain mean when none varies.
    Variance,
    /// The mean by these weights, one per output.
    Weights(&'a [f64]),
}

impl RegressionSamples {
    /// `truth` and `predicted` are row-major, `[samples, outputs]`; `weights` has one number per sample.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty), [`Error::LengthMismatch`](crate::Error::LengthMismatch), and
    /// [`MetricError`] for numbers that are not finite or weights that are negative, not finite or all 0.
    ///
    /// ```
    /// use gradus_evaluate::metrics::regression::{OutputAverage, RegressionSamples, mean_squared_error};
    /// let samples = RegressionSamples::new(&[3.0, -0.5, 2.0], &[2.5, 0.0, 2.0], 1, None)?;
    /// assert_eq!(mean_squared_error(&samples, OutputAverage::Uniform)?, 0.5 / 3.0);
    /// # Ok::<(), gradus_evaluate::Error>(())
    /// ```
    pub fn new<T: Score, P: Score>(
        truth: &[T],
        predicted: &[P],
        outputs: usize,
        weights: Option<&[f64]>,
    ) -> Result<Self> {
        let rows = ("samples × outputs", truth.len() / outputs.max(1));
        check_rows("true values", truth.len(), rows, outputs)?;
        check_rows("predicted values", predicted.len(), rows, outputs)?;
        check_finite("true values", truth)?;
        check_finite("predicted values", predicted)?;
        check_weights(weights, rows.1)?;
        let column = |output: usize| Output {
            truth: truth
                .iter()
                .skip(output)
                .step_by(outputs)
                .map(|&value| value.into())
                .collect(),
            predicted: predicted
                .iter()
                .skip(output)
                .step_by(outputs)
                .map(|&value| value.into())
                .collect(),
        };
        Ok(Self {
            outputs: (0..outputs).map(column).collect(),
            weights: weights.map(<[f64]>::to_vec),
        })
    }

    /// The same samples under other weights, which are one per sample, finite and not negative.
    pub(crate) fn weighing(&self, weights: Option<&[f64]>) -> Self {
        Self {
            outputs: Arc::clone(&self.outputs),
            weights: weights.map(<[f64]>::to_vec),
        }
    }

    pub(crate) fn samples(&self) -> usize {
        self.outputs[0].truth.len()
    }

    pub(super) fn weights(&self) -> Option<&[f64]> {
        self.weights.as_deref()
    }

    pub(super) fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// The mean over samples of an error, for each output.
    pub(super) fn means(&self, error: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        let mean =
            |output: &Output| self.mean(output.pairs().map(|(truth, predicted)| error(truth, predicted)));
        self.outputs.iter().map(mean).collect()
    }

    /// The mean of one number per sample.
    pub(super) fn mean(&self, values: impl ExactSizeIterator<Item = f64>) -> f64 {
        weighted_mean(values, self.weights())
    }

    /// The mean by distances from the first number that weighs anything: exact where all are equal, because whether numbers
    /// vary at all must not depend on rounding.
    pub(super) fn centre(&self, values: impl ExactSizeIterator<Item = f64> + Clone) -> f64 {
        let weighs = |weights: &[f64]| weights.iter().position(|&weight| weight > 0.0);
        let at = self.weights().and_then(weighs).unwrap_or(0);
        let first = values.clone().nth(at).unwrap_or(0.0);
        first + self.mean(values.map(|value| value - first))
    }

    /// The variance of an output's true numbers.
    pub(super) fn variance(&self, output: &Output) -> f64 {
        let mean = self.centre(output.truth.iter().copied());
        self.mean(output.truth.iter().map(|value| (value - mean).powi(2)))
    }
}

impl Output {
    pub(super) fn pairs(&self) -> impl ExactSizeIterator<Item = (f64, f64)> + Clone {
        self.truth.iter().copied().zip(self.predicted.iter().copied())
    }
}

impl OutputAverage<'_> {
    /// One number of one per output.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`](crate::Error::LengthMismatch) and [`MetricError`] for weights that are not one per output,
    /// finite, not negative and not all 0.
    pub(crate) fn of(self, samples: &RegressionSamples, values: &[f64]) -> Result<f64> {
        let mean = |weights| Ok(weighted_mean(values.iter().copied(), weights));
        match self {
            Self::Uniform => mean(None),
            Self::Weights(weights) => {
                check_weights(Some(weights), values.len())?;
                mean(Some(weights))
            }
            Self::Variance => {
                let variances: Vec<f64> = samples
                    .outputs
                    .iter()
                    .map(|output| samples.variance(output))
                    .collect();
                let varies = variances.iter().any(|&variance| variance != 0.0);
                mean(varies.then_some(&variances[..]))
            }
        }
    }
}

/// `1 − unexplained / total`, by scikit-learn's rules: 1 when nothing is unexplained, 0 when something is and the truth
/// does not vary.
pub(super) fn explained(unexplained: f64, total: f64) -> f64 {
    if unexplained == 0.0 {
        1.0
    } else if total == 0.0 {
        0.0
    } else {
        1.0 - unexplained / total
    }
}

/// An error of fewer than two samples.
pub(super) fn too_few(metric: &'static str) -> crate::Error {
    MetricError::Undefined {
        metric,
        reason: "there are fewer than two samples",
    }
    .into()
}
