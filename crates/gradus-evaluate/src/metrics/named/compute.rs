//! Any named metric of the answers to a task.

use super::{MetricName, MetricTask, NamedAverage};
use crate::metrics::calibration_error::first_largest;
use crate::metrics::ranking::{mean_average_precision, mean_reciprocal_rank, ndcg};
use crate::metrics::regression::{self, OutputAverage, RegressionSamples};
use crate::metrics::{
    Average, ConfusionMatrix, ConfusionTable, Counts, KappaWeights, LabelCounts, LabelSet, MetricError,
    MultilabelFlags, OneClassEach, PairAverage, ScoreAverage, ScoreTable, WeightedConfusionMatrix, accuracy,
    average_precision, average_precision_averaged, balanced_accuracy, brier_score, cohen_kappa,
    expected_calibration_error, f1, hamming_loss, jaccard, log_loss, matthews_correlation, precision, recall,
    roc_auc, roc_auc_averaged, roc_auc_one_vs_one, subset_accuracy, top_k_accuracy,
};
use crate::{Error, Result};

/// Bins of the calibration error, as in its source.
const CALIBRATION_BINS: usize = 15;

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
        let task = answers.task();
        if !self.applies_to(task) {
            return Err(not_of_task(self, task));
        }
        match *answers {
            Answers::Classes {
                truth,
                probabilities,
                num_classes,
            } => of_classes(self, (truth, probabilities, num_classes), weights),
            Answers::Labels {
                truth,
                probabilities,
                num_labels,
            } => of_labels(self, (truth, probabilities, num_labels), weights),
            Answers::Values {
                truth,
                predicted,
                outputs,
            } => of_values(self, &RegressionSamples::new(truth, predicted, outputs, weights)?),
            Answers::Orders {
                relevance,
                scores,
                documents,
            } => of_orders(self, (relevance, scores, documents), weights),
        }
    }
}

fn not_of_task(metric: MetricName, task: MetricTask) -> Error {
    MetricError::NotOfTask {
        metric: metric.to_string(),
        task: task.name(),
    }
    .into()
}

fn of_classes(
    metric: MetricName,
    (truth, probabilities, classes): (&[i64], &[f64], usize),
    weights: Option<&[f64]>,
) -> Result<f64> {
    use MetricName as M;
    let table = || ScoreTable::of_classes(truth, probabilities, classes, weights);
    let second = || -> Vec<f64> { probabilities.iter().skip(1).step_by(2).copied().collect() };
    match metric {
        M::LogLoss => log_loss(truth, probabilities, classes, weights),
        M::BrierScore => brier_score(truth, probabilities, classes, weights),
        M::CalibrationError => {
            expected_calibration_error(truth, probabilities, classes, CALIBRATION_BINS, weights)
        }
        M::Top2Accuracy => top_k_accuracy(truth, probabilities, classes, 2, weights),
        M::Top5Accuracy => top_k_accuracy(truth, probabilities, classes, 5, weights),
        M::RocAuc if classes == 2 => roc_auc(truth, &second(), weights),
        M::RocAuc => roc_auc_averaged(&table()?, ScoreAverage::Macro),
        M::WeightedRocAuc => roc_auc_averaged(&table()?, ScoreAverage::Weighted),
        M::RocAucOneVsOne => roc_auc_one_vs_one(truth, probabilities, classes, PairAverage::Macro),
        M::AveragePrecision if classes == 2 => average_precision(truth, &second(), weights),
        M::AveragePrecision => average_precision_averaged(&table()?, ScoreAverage::Macro),
        M::MeanSquaredError
        | M::RootMeanSquaredError
        | M::MeanAbsoluteError
        | M::MeanAbsolutePercentageError
        | M::MedianAbsoluteError
        | M::R2
        | M::ExplainedVariance
        | M::Ndcg
        | M::MeanReciprocalRank
        | M::MeanAveragePrecision => Err(not_of_task(metric, MetricTask::Classification)),
        M::Accuracy
        | M::BalancedAccuracy
        | M::MatthewsCorrelation
        | M::CohenKappa
        | M::HammingLoss
        | M::Precision(_)
        | M::Recall(_)
        | M::F1(_)
        | M::Jaccard(_) => {
            // Checks the shape of the probabilities before they are cut into rows.
            table()?;
            let rows = probabilities.chunks_exact(classes);
            let predicted: Vec<i64> = rows.map(|row| first_largest(row).0 as i64).collect();
            match weights {
                None => {
                    let matrix = ConfusionMatrix::from_labels(truth, &predicted, classes)?;
                    of_counts(metric, &matrix.class_counts(), &matrix)
                }
                Some(weights) => {
                    let matrix = WeightedConfusionMatrix::from_labels(truth, &predicted, classes, weights)?;
                    of_counts(metric, &matrix.class_counts(), &matrix)
                }
            }
        }
    }
}

/// Metrics of predicted classes.
fn of_counts(metric: MetricName, counts: &impl OneClassEach, matrix: &impl ConfusionTable) -> Result<f64> {
    use MetricName as M;
    let averaged = |average| average_of(average, counts);
    Ok(match metric {
        M::Accuracy => accuracy(counts),
        M::HammingLoss => 1.0 - accuracy(counts),
        M::BalancedAccuracy => balanced_accuracy(counts),
        M::MatthewsCorrelation => matthews_correlation(counts),
        M::CohenKappa => cohen_kappa(matrix, KappaWeights::Unweighted)?,
        M::Precision(average) => precision(counts, averaged(average)?, LabelSet::Known),
        M::Recall(average) => recall(counts, averaged(average)?, LabelSet::Known),
        M::F1(average) => f1(counts, averaged(average)?, LabelSet::Known),
        M::Jaccard(average) => jaccard(counts, averaged(average)?, LabelSet::Known),
        M::LogLoss
        | M::BrierScore
        | M::CalibrationError
        | M::Top2Accuracy
        | M::Top5Accuracy
        | M::RocAuc
        | M::WeightedRocAuc
        | M::RocAucOneVsOne
        | M::AveragePrecision
        | M::MeanSquaredError
        | M::RootMeanSquaredError
        | M::MeanAbsoluteError
        | M::MeanAbsolutePercentageError
        | M::MedianAbsoluteError
        | M::R2
        | M::ExplainedVariance
        | M::Ndcg
        | M::MeanReciprocalRank
        | M::MeanAveragePrecision => return Err(not_of_task(metric, MetricTask::Classification)),
    })
}

/// The average of counts; that of samples is a mean over the counts of samples.
fn average_of(average: NamedAverage, counts: &impl Counts) -> Result<Average> {
    match average {
        NamedAverage::Binary if counts.num_classes() != 2 => Err(MetricError::Undefined {
            metric: "the average `binary`",
            reason: "there are not two classes; name one such as `macro_f1`",
        }
        .into()),
        NamedAverage::Binary => Ok(Average::Binary),
        NamedAverage::Macro | NamedAverage::Samples => Ok(Average::Macro),
        NamedAverage::Micro => Ok(Average::Micro),
        NamedAverage::Weighted => Ok(Average::Weighted),
    }
}

fn of_labels(
    metric: MetricName,
    (truth, probabilities, labels): (&[u8], &[f64], usize),
    weights: Option<&[f64]>,
) -> Result<f64> {
    use MetricName as M;
    let table = ScoreTable::of_labels(truth, probabilities, labels, weights)?;
    let predicted: Vec<u8> = probabilities.iter().map(|&p| u8::from(p >= 0.5)).collect();
    let flags = MultilabelFlags::new(truth, &predicted, labels, weights)?;
    let counts = |average: NamedAverage| match average {
        NamedAverage::Samples => LabelCounts::by_sample(&flags),
        NamedAverage::Binary | NamedAverage::Macro | NamedAverage::Micro | NamedAverage::Weighted => {
            LabelCounts::by_label(&flags)
        }
    };
    let ratio = |average: NamedAverage, of: fn(&LabelCounts, Average, LabelSet) -> f64| {
        let counts = counts(average);
        Ok(of(&counts, average_of(average, &counts)?, LabelSet::Known))
    };
    match metric {
        M::Accuracy => Ok(subset_accuracy(&flags)),
        M::HammingLoss => Ok(hamming_loss(&flags)),
        M::RocAuc => roc_auc_averaged(&table, ScoreAverage::Macro),
        M::WeightedRocAuc => roc_auc_averaged(&table, ScoreAverage::Weighted),
        M::AveragePrecision => average_precision_averaged(&table, ScoreAverage::Macro),
        M::Precision(average) => ratio(average, precision),
        M::Recall(average) => ratio(average, recall),
        M::F1(average) => ratio(average, f1),
        M::Jaccard(average) => ratio(average, jaccard),
        M::BalancedAccuracy
        | M::MatthewsCorrelation
        | M::CohenKappa
        | M::LogLoss
        | M::BrierScore
        | M::CalibrationError
        | M::Top2Accuracy
        | M::Top5Accuracy
        | M::RocAucOneVsOne
        | M::MeanSquaredError
        | M::RootMeanSquaredError
        | M::MeanAbsoluteError
        | M::MeanAbsolutePercentageError
        | M::MedianAbsoluteError
        | M::R2
        | M::ExplainedVariance
        | M::Ndcg
        | M::MeanReciprocalRank
        | M::MeanAveragePrecision => Err(not_of_task(metric, MetricTask::Multilabel)),
    }
}

fn of_values(metric: MetricName, samples: &RegressionSamples) -> Result<f64> {
    use MetricName as M;
    let of: fn(&RegressionSamples, OutputAverage<'_>) -> Result<f64> = match metric {
        M::MeanSquaredError => regression::mean_squared_error,
        M::RootMeanSquaredError => regression::root_mean_squared_error,
        M::MeanAbsoluteError => regression::mean_absolute_error,
        M::MeanAbsolutePercentageError => regression::mean_absolute_percentage_error,
        M::MedianAbsoluteError => regression::median_absolute_error,
        M::R2 => regression::r2,
        M::ExplainedVariance => regression::explained_variance,
        M::Accuracy
        | M::BalancedAccuracy
        | M::MatthewsCorrelation
        | M::CohenKappa
        | M::HammingLoss
        | M::Precision(_)
        | M::Recall(_)
        | M::F1(_)
        | M::Jaccard(_)
        | M::LogLoss
        | M::BrierScore
        | M::CalibrationError
        | M::Top2Accuracy
        | M::Top5Accuracy
        | M::RocAuc
        | M::WeightedRocAuc
        | M::RocAucOneVsOne
        | M::AveragePrecision
        | M::Ndcg
        | M::MeanReciprocalRank
        | M::MeanAveragePrecision => return Err(not_of_task(metric, MetricTask::Regression)),
    };
    of(samples, OutputAverage::Uniform)
}

fn of_orders(
    metric: MetricName,
    (relevance, scores, documents): (&[f64], &[f64], usize),
    weights: Option<&[f64]>,
) -> Result<f64> {
    use MetricName as M;
    let flags: Vec<u8> = relevance
        .iter()
        .map(|&relevance| u8::from(relevance > 0.0))
        .collect();
    match metric {
        M::Ndcg => ndcg(relevance, scores, documents, None, weights),
        M::MeanReciprocalRank => mean_reciprocal_rank(&flags, scores, documents, weights),
        M::MeanAveragePrecision => mean_average_precision(&flags, scores, documents, weights),
        M::Accuracy
        | M::BalancedAccuracy
        | M::MatthewsCorrelation
        | M::CohenKappa
        | M::HammingLoss
        | M::Precision(_)
        | M::Recall(_)
        | M::F1(_)
        | M::Jaccard(_)
        | M::LogLoss
        | M::BrierScore
        | M::CalibrationError
        | M::Top2Accuracy
        | M::Top5Accuracy
        | M::RocAuc
        | M::WeightedRocAuc
        | M::RocAucOneVsOne
        | M::AveragePrecision
        | M::MeanSquaredError
        | M::RootMeanSquaredError
        | M::MeanAbsoluteError
        | M::MeanAbsolutePercentageError
        | M::MedianAbsoluteError
        | M::R2
        | M::ExplainedVariance => Err(not_of_task(metric, MetricTask::Ranking)),
    }
}

#[cfg(test)]
mod tests {
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
