//! Metrics by name: what `--metrics` and a search's objective say.

mod compute;

use std::fmt;
use std::str::FromStr;

use gradus_data::TargetKind;
use serde::{Deserialize, Serialize};

pub use compute::Answers;

use super::MetricError;

/// What kind of answers a metric is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MetricTask {
    /// One class a sample.
    Classification,
    /// Any number of labels a sample.
    Multilabel,
    /// Numbers.
    Regression,
    /// An order of documents.
    Ranking,
}

impl MetricTask {
    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classification => TargetKind::Classification.name(),
            Self::Multilabel => TargetKind::Multilabel.name(),
            Self::Regression => TargetKind::Regression.name(),
            Self::Ranking => "ranking",
        }
    }
}

impl From<TargetKind> for MetricTask {
    fn from(kind: TargetKind) -> Self {
        match kind {
            TargetKind::Classification => Self::Classification,
            TargetKind::Multilabel => Self::Multilabel,
            TargetKind::Regression => Self::Regression,
        }
    }
}

/// How a named precision, recall, F1 or Jaccard's index is averaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NamedAverage {
    /// Of class 1 of two.
    Binary,
    /// Mean over classes or labels.
    Macro,
    /// All decisions pooled.
    Micro,
    /// Mean weighted by support.
    Weighted,
    /// Mean over samples with several labels.
    Samples,
}

/// A metric as a person names it, with scikit-learn's words: `accuracy`, `macro_f1` (or `f1_macro`), `roc_auc`, `rmse`.
///
/// ```
/// use gradus_evaluate::metrics::{MetricName, MetricTask};
/// let metric: MetricName = "f1_macro".parse()?;
/// assert_eq!(metric.to_string(), "macro_f1");
/// assert!(metric.higher_is_better() && metric.applies_to(MetricTask::Classification));
/// # Ok::<(), gradus_evaluate::metrics::MetricError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum MetricName {
    /// `accuracy`; of several labels, the share of samples whose labels are all right.
    Accuracy,
    /// `balanced_accuracy`
    BalancedAccuracy,
    /// `precision` (of class 1 of two), `macro_precision`, ...
    Precision(NamedAverage),
    /// `recall`, `macro_recall`, ...
    Recall(NamedAverage),
    /// `f1`, `macro_f1`, ...
    F1(NamedAverage),
    /// `jaccard`, `macro_jaccard`, ...
    Jaccard(NamedAverage),
    /// `matthews_corrcoef`
    MatthewsCorrelation,
    /// `cohen_kappa`
    CohenKappa,
    /// `hamming_loss`
    HammingLoss,
    /// `log_loss`
    LogLoss,
    /// `brier_score`
    BrierScore,
    /// `ece`, over 15 bins
    CalibrationError,
    /// `top_2_accuracy`
    Top2Accuracy,
    /// `top_5_accuracy`
    Top5Accuracy,
    /// `roc_auc`: of class 1 of two; of more classes or of labels, the mean of each against the rest.
    RocAuc,
    /// `weighted_roc_auc`: each class or label against the rest, weighted by support.
    WeightedRocAuc,
    /// `roc_auc_ovo`: the mean over pairs of classes.
    RocAucOneVsOne,
    /// `average_precision`: of class 1 of two; of more classes or of labels, the mean of each against the rest.
    AveragePrecision,
    /// `mse`
    MeanSquaredError,
    /// `rmse`
    RootMeanSquaredError,
    /// `mae`
    MeanAbsoluteError,
    /// `mape`
    MeanAbsolutePercentageError,
    /// `median_absolute_error`
    MedianAbsoluteError,
    /// `r2`
    R2,
    /// `explained_variance`
    ExplainedVariance,
    /// `ndcg`
    Ndcg,
    /// `mrr`
    MeanReciprocalRank,
    /// `map`
    MeanAveragePrecision,
}

use MetricName as M;
use MetricTask::{Classification, Multilabel, Ranking, Regression};

/// What is known about a metric: name, other names, tasks, whether higher is better.
type Row = (
    MetricName,
    &'static str,
    &'static [&'static str],
    &'static [MetricTask],
    bool,
);

const CLASSES: &[MetricTask] = &[Classification];
const CLASSES_AND_LABELS: &[MetricTask] = &[Classification, Multilabel];
const VALUES: &[MetricTask] = &[Regression];
const ORDERS: &[MetricTask] = &[Ranking];

/// Every metric that has one name; those with averages are in [`RATIOS`].
const ROWS: &[Row] = &[
    (
        M::Accuracy,
        "accuracy",
        &["subset_accuracy"],
        CLASSES_AND_LABELS,
        true,
    ),
    (M::BalancedAccuracy, "balanced_accuracy", &[], CLASSES, true),
    (
        M::MatthewsCorrelation,
        "matthews_corrcoef",
        &["mcc"],
        CLASSES,
        true,
    ),
    (
        M::CohenKappa,
        "cohen_kappa",
        &["cohen_kappa_score", "kappa"],
        CLASSES,
        true,
    ),
    (M::HammingLoss, "hamming_loss", &[], CLASSES_AND_LABELS, false),
    (M::LogLoss, "log_loss", &[], CLASSES, false),
    (
        M::BrierScore,
        "brier_score",
        &["brier_score_loss"],
        CLASSES,
        false,
    ),
    (
        M::CalibrationError,
        "ece",
        &["expected_calibration_error"],
        CLASSES,
        false,
    ),
    (
        M::Top2Accuracy,
        "top_2_accuracy",
        &["top_k_accuracy"],
        CLASSES,
        true,
    ),
    (M::Top5Accuracy, "top_5_accuracy", &[], CLASSES, true),
    (
        M::RocAuc,
        "roc_auc",
        &["roc_auc_ovr", "macro_roc_auc"],
        CLASSES_AND_LABELS,
        true,
    ),
    (
        M::WeightedRocAuc,
        "weighted_roc_auc",
        &["roc_auc_ovr_weighted"],
        CLASSES_AND_LABELS,
        true,
    ),
    (M::RocAucOneVsOne, "roc_auc_ovo", &[], CLASSES, true),
    (
        M::AveragePrecision,
        "average_precision",
        &["pr_auc"],
        CLASSES_AND_LABELS,
        true,
    ),
    (M::MeanSquaredError, "mse", &["mean_squared_error"], VALUES, false),
    (
        M::RootMeanSquaredError,
        "rmse",
        &["root_mean_squared_error"],
        VALUES,
        false,
    ),
    (
        M::MeanAbsoluteError,
        "mae",
        &["mean_absolute_error"],
        VALUES,
        false,
    ),
    (
        M::MeanAbsolutePercentageError,
        "mape",
        &["mean_absolute_percentage_error"],
        VALUES,
        false,
    ),
    (
        M::MedianAbsoluteError,
        "median_absolute_error",
        &[],
        VALUES,
        false,
    ),
    (M::R2, "r2", &["r2_score"], VALUES, true),
    (
        M::ExplainedVariance,
        "explained_variance",
        &["explained_variance_score"],
        VALUES,
        true,
    ),
    (M::Ndcg, "ndcg", &["ndcg_score"], ORDERS, true),
    (
        M::MeanReciprocalRank,
        "mrr",
        &["mean_reciprocal_rank"],
        ORDERS,
        true,
    ),
    (
        M::MeanAveragePrecision,
        "map",
        &["mean_average_precision"],
        ORDERS,
        true,
    ),
];

/// A metric that comes with averages: its name, and itself of an average.
type Ratio = (&'static str, fn(NamedAverage) -> MetricName);

/// Metrics that come with averages.
const RATIOS: [Ratio; 4] = [
    ("precision", M::Precision),
    ("recall", M::Recall),
    ("f1", M::F1),
    ("jaccard", M::Jaccard),
];

/// Averages, with the tasks that have them. The binary one is what a name without an average means.
const AVERAGES: [(&str, NamedAverage, &[MetricTask]); 5] = [
    ("binary", NamedAverage::Binary, CLASSES),
    ("macro", NamedAverage::Macro, CLASSES_AND_LABELS),
    ("micro", NamedAverage::Micro, CLASSES_AND_LABELS),
    ("weighted", NamedAverage::Weighted, CLASSES_AND_LABELS),
    ("samples", NamedAverage::Samples, &[Multilabel]),
];

impl MetricName {
    /// Every metric, in the order of the documentation.
    pub fn all() -> Vec<MetricName> {
        let averaged = RATIOS
            .iter()
            .flat_map(|(_, of)| AVERAGES.iter().map(|(_, average, _)| of(*average)));
        ROWS.iter().map(|row| row.0).chain(averaged).collect()
    }

    /// The tasks that have it.
    pub fn tasks(self) -> &'static [MetricTask] {
        match self {
            M::Precision(average) | M::Recall(average) | M::F1(average) | M::Jaccard(average) => {
                let row = AVERAGES.iter().find(|row| row.1 == average);
                row.map_or(&[], |row| row.2)
            }
            M::Accuracy
            | M::BalancedAccuracy
            | M::MatthewsCorrelation
            | M::CohenKappa
            | M::HammingLoss
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
            | M::ExplainedVariance
            | M::Ndcg
            | M::MeanReciprocalRank
            | M::MeanAveragePrecision => self.row().map_or(&[], |row| row.3),
        }
    }

    /// Whether a task has it.
    pub fn applies_to(self, task: MetricTask) -> bool {
        self.tasks().contains(&task)
    }

    /// Whether a larger value is a better one.
    pub fn higher_is_better(self) -> bool {
        self.row().is_none_or(|row| row.4)
    }

    fn row(self) -> Option<&'static Row> {
        ROWS.iter().find(|row| row.0 == self)
    }
}

impl fmt::Display for MetricName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(row) = self.row() {
            return f.write_str(row.1);
        }
        for (ratio, of) in RATIOS {
            for (name, average, _) in AVERAGES {
                if of(average) == *self {
                    return match average {
                        NamedAverage::Binary => f.write_str(ratio),
                        NamedAverage::Macro
                        | NamedAverage::Micro
                        | NamedAverage::Weighted
                        | NamedAverage::Samples => write!(f, "{name}_{ratio}"),
                    };
                }
            }
        }
        Ok(())
    }
}

impl FromStr for MetricName {
    type Err = MetricError;

    /// Takes the names of the documentation, scikit-learn's order of words (`f1_macro`), and `-` for `_`.
    fn from_str(text: &str) -> Result<Self, MetricError> {
        let name = text.trim().to_lowercase().replace('-', "_");
        let row = ROWS
            .iter()
            .find(|row| row.1 == name || row.2.contains(&name.as_str()));
        if let Some(row) = row {
            return Ok(row.0);
        }
        for (ratio, of) in RATIOS {
            if name == ratio {
                return Ok(of(NamedAverage::Binary));
            }
            for (average, value, _) in AVERAGES {
                if name == format!("{average}_{ratio}") || name == format!("{ratio}_{average}") {
                    return Ok(of(value));
                }
            }
        }
        let known: Vec<String> = MetricName::all().iter().map(MetricName::to_string).collect();
        Err(MetricError::UnknownName {
            name: text.to_owned(),
            known: known.join(", "),
        })
    }
}

impl TryFrom<String> for MetricName {
    type Error = MetricError;

    fn try_from(name: String) -> Result<Self, MetricError> {
        name.parse()
    }
}

impl From<MetricName> for String {
    fn from(metric: MetricName) -> String {
        metric.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back_as_itself() {
        for metric in MetricName::all() {
            let name = metric.to_string();
            assert_eq!(name.parse(), Ok(metric), "{name}");
            assert!(!metric.tasks().is_empty(), "{name}");
        }
        for row in ROWS {
            for other in row.2 {
                assert_eq!(other.parse(), Ok(row.0), "{other}");
            }
        }
        assert_eq!("F1-Macro".parse(), Ok(M::F1(NamedAverage::Macro)));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = "acuracy".parse::<MetricName>().unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("`acuracy`") && text.contains("macro_f1") && text.contains("rmse"),
            "{text}"
        );
    }
}
