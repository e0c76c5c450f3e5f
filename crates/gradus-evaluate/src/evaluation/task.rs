//! Scoring a model whatever its task is.

use gradus_data::{Dataset, TargetKind};
use gradus_package::MetricValue;
use serde::{Deserialize, Serialize};

use super::requested::sample_of;
use super::{
    EvaluateOptions, Evaluation, MultilabelEvaluation, RegressionEvaluation, RequestedMetrics, evaluate,
    evaluate_multilabel, evaluate_regression,
};
use crate::bootstrap::{BootstrapOptions, row_intervals};
use crate::{Estimate, Predictor, Result};

/// How good a model is on one data set, by its task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TaskEvaluation {
    /// Of a classifier.
    Classification(Box<Evaluation>),
    /// Of a regression.
    Regression(RegressionEvaluation),
    /// Of a model of labels.
    Multilabel(MultilabelEvaluation),
}

/// Scores a model on a data set that was prepared by the model's own preprocessing.
///
/// # Errors
/// Those of [`evaluate`], [`evaluate_regression`] or [`evaluate_multilabel`].
pub fn evaluate_task(
    predictor: &Predictor,
    dataset: &Dataset,
    options: &EvaluateOptions,
) -> Result<TaskEvaluation> {
    Ok(match predictor.task() {
        TargetKind::Classification => {
            TaskEvaluation::Classification(Box::new(evaluate(predictor, dataset, options)?))
        }
        TargetKind::Regression => {
            TaskEvaluation::Regression(evaluate_regression(predictor, dataset, options)?)
        }
        TargetKind::Multilabel => {
            TaskEvaluation::Multilabel(evaluate_multilabel(predictor, dataset, options)?)
        }
    })
}

impl TaskEvaluation {
    /// Number of samples.
    pub fn n(&self) -> u64 {
        match self {
            TaskEvaluation::Classification(evaluation) => evaluation.n,
            TaskEvaluation::Regression(evaluation) => evaluation.n,
            TaskEvaluation::Multilabel(evaluation) => evaluation.n,
        }
    }

    /// The metrics that were asked for by name.
    pub fn requested(&self) -> &RequestedMetrics {
        match self {
            TaskEvaluation::Classification(evaluation) => &evaluation.requested,
            TaskEvaluation::Regression(evaluation) => &evaluation.requested,
            TaskEvaluation::Multilabel(evaluation) => &evaluation.requested,
        }
    }

    /// The main figures as a package's manifest keeps them; `split` says what the data were (`test`).
    pub fn metric_values(&self, split: &str) -> Vec<MetricValue> {
        match self {
            TaskEvaluation::Classification(evaluation) => evaluation.metric_values(split),
            TaskEvaluation::Regression(evaluation) => evaluation.metric_values(split),
            TaskEvaluation::Multilabel(evaluation) => evaluation.metric_values(split),
        }
    }
}

/// The most numbers that the resamples of one evaluation walk: some seconds of work. Beyond, samples are so many that the
/// intervals would be narrow anyway, and are left out.
pub(super) const MAX_WALKED: u64 = 1 << 32;

/// Figures of weighted samples with their intervals, and how these were drawn, if they were. Each resample walks
/// `width` numbers of each of `samples`; samples of one group are resampled together.
pub(super) fn estimates<const N: usize>(
    [samples, width]: [usize; 2],
    options: &EvaluateOptions,
    statistics: impl Fn(&[f64], &mut [f64]) + Sync,
) -> Result<([Estimate; N], Option<BootstrapOptions>)> {
    let mut values = [0.0; N];
    statistics(&vec![1.0; samples], &mut values);
    let walked =
        |options: &BootstrapOptions| (samples as u64 * width as u64).saturating_mul(options.resamples as u64);
    let drawn = sample_of(samples, options)?;
    let options = options.bootstrap.filter(|options| walked(options) <= MAX_WALKED);
    let intervals = match &options {
        Some(options) => row_intervals(&drawn, options, N, statistics)?,
        None => vec![None; N],
    };
    let estimate = |at: usize| Estimate {
        value: values[at],
        interval: intervals[at],
    };
    Ok((std::array::from_fn(estimate), options))
}

/// Main figures as a manifest keeps them.
pub(super) struct Figures<'a> {
    pub(super) split: &'a str,
    pub(super) n: u64,
    pub(super) confidence: Option<f64>,
}

impl Figures<'_> {
    pub(super) fn stored<'a>(
        &self,
        figures: impl IntoIterator<Item = (&'a str, Estimate)>,
    ) -> Vec<MetricValue> {
        let stored = figures.into_iter().map(|(name, estimate)| MetricValue {
            name: name.to_owned(),
            value: estimate.value,
            lower: estimate.interval.map(|interval| interval.lower),
            upper: estimate.interval.map(|interval| interval.upper),
            confidence: estimate.interval.and(self.confidence),
            split: self.split.to_owned(),
            n: self.n,
        });
        stored.collect()
    }
}
