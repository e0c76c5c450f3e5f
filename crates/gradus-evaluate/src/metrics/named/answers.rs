//! Any named metric of the answers to a task.

use super::classes::Classes;
use super::labels::Labels;
use super::orders::Orders;
use super::statistic::Statistic;
use super::{MetricName, MetricTask};
use crate::metrics::MetricError;
use crate::metrics::input::check_weights;
use crate::metrics::regression::RegressionSamples;
use crate::{Error, Result};

/// What a model answered, beside the truth. All tables are row-major, one row per sample (or query).
#[derive(Clone, Copy, Debug)]
pub enum Answers<'a> {
    /// One class a sample; the predicted one is the first most probable.
    Classes {
        /// The class of each sample.
        truth: &'a [i64],
        /// `[samples, num_classes]`.
        probabilities: &'a [f64],
        /// Number of classes.
        num_classes: usize,
    },
    /// Any number of labels a sample; those of probability one half or more are predicted.
    Labels {
        /// `[samples, num_labels]`, 1 where a label applies, else 0.
        truth: &'a [u8],
        /// `[samples, num_labels]`.
        probabilities: &'a [f64],
        /// Number of labels.
        num_labels: usize,
    },
    /// Numbers.
    Values {
        /// `[samples, outputs]`.
        truth: &'a [f64],
        /// `[samples, outputs]`.
        predicted: &'a [f64],
        /// Numbers a sample has.
        outputs: usize,
    },
    /// Orders of documents; for `mrr` and `map`, what has a relevance above 0 is relevant.
    Orders {
        /// `[queries, documents]`.
        relevance: &'a [f64],
        /// `[queries, documents]`.
        scores: &'a [f64],
        /// Documents a query has.
        documents: usize,
    },
}

impl Answers<'_> {
    /// The task that they answer.
    pub fn task(&self) -> MetricTask {
        match self {
            Self::Classes { .. } => MetricTask::Classification,
            Self::Labels { .. } => MetricTask::Multilabel,
            Self::Values { .. } => MetricTask::Regression,
            Self::Orders { .. } => MetricTask::Ranking,
        }
    }

    /// Checks them, and prepares what metrics share.
    pub(crate) fn check(&self) -> Result<CheckedAnswers<'_>> {
        Ok(match *self {
            Answers::Classes {
                truth,
                probabilities,
                num_classes,
            } => CheckedAnswers::Classes(Classes::new(truth, probabilities, num_classes)?),
            Answers::Labels {
                truth,
                probabilities,
                num_labels,
            } => CheckedAnswers::Labels(Labels::new(truth, probabilities, num_labels)?),
            Answers::Values {
                truth,
                predicted,
                outputs,
            } => CheckedAnswers::Values(RegressionSamples::new(truth, predicted, outputs, None)?),
            Answers::Orders {
                relevance,
                scores,
                documents,
            } => CheckedAnswers::Orders(Orders::new(relevance, scores, documents)),
        })
    }
}

/// Answers that metrics can be computed of.
pub(crate) enum CheckedAnswers<'a> {
    Classes(Classes<'a>),
    Labels(Labels<'a>),
    Values(RegressionSamples),
    Orders(Orders<'a>),
}

impl CheckedAnswers<'_> {
    /// The task that they answer.
    fn task(&self) -> MetricTask {
        match self {
            Self::Classes(_) => MetricTask::Classification,
            Self::Labels(_) => MetricTask::Multilabel,
            Self::Values(_) => MetricTask::Regression,
            Self::Orders(_) => MetricTask::Ranking,
        }
    }

    /// Number of samples or queries.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Labels(labels) => labels.len(),
            Self::Values(samples) => samples.samples(),
            Self::Orders(orders) => orders.len(),
        }
    }
}

impl MetricName {
    /// The metric of some answers; `weights` has one number per sample. Macro averages cover every known class, a ratio
    /// without a denominator is 0, and several outputs count the same.
    ///
    /// # Errors
    /// [`MetricError::NotOfTask`] when the task has no such metric, and those of the metric itself.
    ///
    /// ```
    /// use gradus_evaluate::metrics::{Answers, MetricName};
    /// let answers = Answers::Classes { truth: &[0, 1], probabilities: &[0.9, 0.1, 0.6, 0.4], num_classes: 2 };
    /// assert_eq!(MetricName::Accuracy.compute(&answers, None)?, 0.5);
    /// assert_eq!(MetricName::RocAuc.compute(&answers, None)?, 1.0);
    /// # Ok::<(), gradus_evaluate::Error>(())
    /// ```
    pub fn compute(self, answers: &Answers<'_>, weights: Option<&[f64]>) -> Result<f64> {
        if !self.applies_to(answers.task()) {
            return Err(self.not_of(answers.task()));
        }
        let answers = answers.check()?;
        check_weights(weights, answers.len())?;
        self.statistic(&answers)?.value(weights)
    }

    /// The metric of some answers, to be computed under any weights.
    ///
    /// # Errors
    /// Those of [`Self::compute`] that do not depend on weights.
    pub(crate) fn statistic<'a>(self, answers: &'a CheckedAnswers<'_>) -> Result<Statistic<'a>> {
        let definition = self.definition();
        let prepared = match answers {
            CheckedAnswers::Classes(classes) => definition.classes.map(|of| of(classes)),
            CheckedAnswers::Labels(labels) => definition.labels.map(|of| of(labels)),
            CheckedAnswers::Values(samples) => definition.values.map(|of| of(samples)),
            CheckedAnswers::Orders(orders) => definition.orders.map(|of| of(orders)),
        };
        prepared.unwrap_or_else(|| Err(self.not_of(answers.task())))
    }

    fn not_of(self, task: MetricTask) -> Error {
        MetricError::NotOfTask {
            metric: self.to_string(),
            task: task.name(),
            known: MetricName::listed(task),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::NamedAverage;
    use super::*;

    const ANSWERS: [Answers<'static>; 5] = [
        Answers::Classes {
            truth: &[0, 1, 1],
            probabilities: &[0.75, 0.25, 0.25, 0.75, 0.5, 0.5],
            num_classes: 2,
        },
        Answers::Classes {
            truth: &[0, 1, 2],
            probabilities: &[0.5, 0.25, 0.25, 0.0, 0.5, 0.5, 0.5, 0.25, 0.25],
            num_classes: 3,
        },
        Answers::Labels {
            truth: &[1, 0, 0, 1],
            probabilities: &[0.75, 0.25, 0.25, 0.5],
            num_labels: 2,
        },
        Answers::Values {
            truth: &[1.0, 2.0, 4.0],
            predicted: &[1.0, 2.5, 3.0],
            outputs: 1,
        },
        Answers::Orders {
            relevance: &[0.0, 1.0, 2.0],
            scores: &[0.5, 0.25, 1.0],
            documents: 3,
        },
    ];

    #[test]
    fn every_metric_has_a_value_for_each_task_it_names_and_for_no_other() {
        let mut computed = 0;
        for metric in MetricName::all() {
            for answers in &ANSWERS {
                let found = metric.compute(answers, None);
                let binary_of_many = matches!(
                    (metric, answers),
                    (
                        MetricName::Precision(NamedAverage::Binary)
                            | MetricName::Recall(NamedAverage::Binary)
                            | MetricName::F1(NamedAverage::Binary)
                            | MetricName::Jaccard(NamedAverage::Binary),
                        Answers::Classes { num_classes: 3, .. }
                    )
                );
                if !metric.applies_to(answers.task()) {
                    assert!(
                        matches!(found, Err(Error::Metric(MetricError::NotOfTask { .. }))),
                        "{metric}"
                    );
                } else if !binary_of_many {
                    assert!(
                        found.as_ref().is_ok_and(|value| value.is_finite()),
                        "{metric}: {found:?}"
                    );
                    computed += 1;
                }
            }
        }
        assert!(computed > 60, "only {computed}");
    }

    #[test]
    fn equal_weights_change_nothing() {
        for metric in MetricName::all() {
            for answers in &ANSWERS {
                let samples = match answers {
                    Answers::Labels { .. } => 2,
                    Answers::Orders { .. } => 1,
                    Answers::Classes { .. } | Answers::Values { .. } => 3,
                };
                let weights = vec![0.5; samples];
                if let Ok(plain) = metric.compute(answers, None) {
                    let weighted = metric.compute(answers, Some(&weights)).unwrap();
                    assert!((plain - weighted).abs() < 1e-12, "{metric}: {plain}, {weighted}");
                }
            }
        }
    }
}
