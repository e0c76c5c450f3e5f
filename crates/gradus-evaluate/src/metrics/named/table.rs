//! Every metric: its names, which way it is better, and how each task that has it computes it.
//!
//! A table of one shape; a task has the metrics whose row has a function for it.

use super::classes::OfClasses;
use super::labels::OfLabels;
use super::orders::OfOrders;
use super::ratio::{f1_of, jaccard_of, precision_of, recall_of};
use super::values::{OfValues, median_absolute_error, walked};
use super::{MetricName as M, MetricTask, NamedAverage as N};
use crate::metrics::regression::{
    explained_variance, mean_absolute_error, mean_absolute_percentage_error, mean_squared_error, r2,
    root_mean_squared_error,
};
use crate::metrics::{Average, accuracy, balanced_accuracy, matthews_correlation};

/// What is known about a metric.
pub(super) struct Definition {
    pub(super) metric: M,
    pub(super) name: &'static str,
    /// Other names that are understood.
    pub(super) aliases: &'static [&'static str],
    pub(super) better: Better,
    pub(super) classes: Option<OfClasses>,
    pub(super) labels: Option<OfLabels>,
    pub(super) values: Option<OfValues>,
    pub(super) orders: Option<OfOrders>,
}

/// Which values are good ones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Better {
    Higher,
    Lower,
}

impl Definition {
    pub(super) fn applies_to(&self, task: MetricTask) -> bool {
        match task {
            MetricTask::Classification => self.classes.is_some(),
            MetricTask::Multilabel => self.labels.is_some(),
            MetricTask::Regression => self.values.is_some(),
            MetricTask::Ranking => self.orders.is_some(),
        }
    }
}

/// A metric that no task has yet.
const fn metric(
    metric: M,
    name: &'static str,
    aliases: &'static [&'static str],
    better: Better,
) -> Definition {
    Definition {
        metric,
        name,
        aliases,
        better,
        classes: None,
        labels: None,
        values: None,
        orders: None,
    }
}

use Better::{Higher, Lower};

/// All definitions, in the order of the documentation.
pub(super) fn definitions() -> impl Iterator<Item = &'static Definition> {
    OF_CLASSES_AND_LABELS
        .iter()
        .chain(&OF_VALUES)
        .chain(&OF_ORDERS)
        .chain(AVERAGED.as_flattened())
}

static OF_CLASSES_AND_LABELS: [Definition; 14] = [
    Definition {
        classes: Some(|classes| classes.counted(|counts| accuracy(&counts))),
        labels: Some(|labels| labels.subset_accuracy()),
        ..metric(M::Accuracy, "accuracy", &["subset_accuracy"], Higher)
    },
    Definition {
        classes: Some(|classes| classes.counted(|counts| balanced_accuracy(&counts))),
        ..metric(M::BalancedAccuracy, "balanced_accuracy", &[], Higher)
    },
    Definition {
        classes: Some(|classes| classes.counted(|counts| matthews_correlation(&counts))),
        ..metric(M::MatthewsCorrelation, "matthews_corrcoef", &["mcc"], Higher)
    },
    Definition {
        classes: Some(|classes| classes.cohen_kappa()),
        ..metric(
            M::CohenKappa,
            "cohen_kappa",
            &["cohen_kappa_score", "kappa"],
            Higher,
        )
    },
    Definition {
        classes: Some(|classes| classes.counted(|counts| 1.0 - accuracy(&counts))),
        labels: Some(|labels| labels.hamming_loss()),
        ..metric(M::HammingLoss, "hamming_loss", &[], Lower)
    },
    Definition {
        classes: Some(|classes| classes.log_loss()),
        ..metric(M::LogLoss, "log_loss", &[], Lower)
    },
    Definition {
        classes: Some(|classes| classes.brier_score()),
        ..metric(M::BrierScore, "brier_score", &["brier_score_loss"], Lower)
    },
    Definition {
        classes: Some(|classes| classes.calibration_error()),
        ..metric(M::CalibrationError, "ece", &["expected_calibration_error"], Lower)
    },
    Definition {
        classes: Some(|classes| classes.top_k_accuracy(2)),
        ..metric(M::Top2Accuracy, "top_2_accuracy", &["top_k_accuracy"], Higher)
    },
    Definition {
        classes: Some(|classes| classes.top_k_accuracy(5)),
        ..metric(M::Top5Accuracy, "top_5_accuracy", &[], Higher)
    },
    Definition {
        classes: Some(|classes| classes.roc_auc()),
        labels: Some(|labels| labels.roc_auc()),
        ..metric(M::RocAuc, "roc_auc", &["roc_auc_ovr", "macro_roc_auc"], Higher)
    },
    Definition {
        classes: Some(|classes| classes.weighted_roc_auc()),
        labels: Some(|labels| labels.weighted_roc_auc()),
        ..metric(
            M::WeightedRocAuc,
            "weighted_roc_auc",
            &["roc_auc_ovr_weighted"],
            Higher,
        )
    },
    Definition {
        classes: Some(|classes| classes.roc_auc_one_vs_one()),
        ..metric(M::RocAucOneVsOne, "roc_auc_ovo", &[], Higher)
    },
    Definition {
        classes: Some(|classes| classes.average_precision()),
        labels: Some(|labels| labels.average_precision()),
        ..metric(M::AveragePrecision, "average_precision", &["pr_auc"], Higher)
    },
];

static OF_VALUES: [Definition; 7] = [
    Definition {
        values: Some(|samples| walked(samples, mean_squared_error)),
        ..metric(M::MeanSquaredError, "mse", &["mean_squared_error"], Lower)
    },
    Definition {
        values: Some(|samples| walked(samples, root_mean_squared_error)),
        ..metric(
            M::RootMeanSquaredError,
            "rmse",
            &["root_mean_squared_error"],
            Lower,
        )
    },
    Definition {
        values: Some(|samples| walked(samples, mean_absolute_error)),
        ..metric(M::MeanAbsoluteError, "mae", &["mean_absolute_error"], Lower)
    },
    Definition {
        values: Some(|samples| walked(samples, mean_absolute_percentage_error)),
        ..metric(
            M::MeanAbsolutePercentageError,
            "mape",
            &["mean_absolute_percentage_error"],
            Lower,
        )
    },
    Definition {
        values: Some(median_absolute_error),
        ..metric(M::MedianAbsoluteError, "median_absolute_error", &[], Lower)
    },
    Definition {
        values: Some(|samples| walked(samples, r2)),
        ..metric(M::R2, "r2", &["r2_score"], Higher)
    },
    Definition {
        values: Some(|samples| walked(samples, explained_variance)),
        ..metric(
            M::ExplainedVariance,
            "explained_variance",
            &["explained_variance_score"],
            Higher,
        )
    },
];

static OF_ORDERS: [Definition; 3] = [
    Definition {
        orders: Some(|orders| orders.ndcg()),
        ..metric(M::Ndcg, "ndcg", &["ndcg_score"], Higher)
    },
    Definition {
        orders: Some(|orders| orders.mean_reciprocal_rank()),
        ..metric(M::MeanReciprocalRank, "mrr", &["mean_reciprocal_rank"], Higher)
    },
    Definition {
        orders: Some(|orders| orders.mean_average_precision()),
        ..metric(
            M::MeanAveragePrecision,
            "map",
            &["mean_average_precision"],
            Higher,
        )
    },
];

/// What a ratio is also called with its average, in either order of words.
macro_rules! words {
    ($word:literal, $name:literal) => {
        &[concat!($word, "_", $name), concat!($name, "_", $word)]
    };
}

/// A ratio averaged over classes or labels.
macro_rules! over_all {
    ($of:ident, $word:literal, $name:literal, $ratio:ident, $average:ident) => {
        Definition {
            classes: Some(|classes| classes.counted(|counts| $ratio(counts, Average::$average))),
            labels: Some(|labels| labels.by_label($ratio, Average::$average)),
            ..metric(
                M::$of(N::$average),
                concat!($word, "_", $name),
                &[concat!($name, "_", $word)],
                Higher,
            )
        }
    };
}

/// The metrics that a ratio gives, one for each average: its name alone is the binary one.
macro_rules! averaged {
    ($of:ident, $name:literal, $ratio:ident) => {
        [
            Definition {
                classes: Some(|classes| classes.binary(|counts| $ratio(counts, Average::Binary))),
                ..metric(M::$of(N::Binary), $name, words!("binary", $name), Higher)
            },
            over_all!($of, "macro", $name, $ratio, Macro),
            over_all!($of, "micro", $name, $ratio, Micro),
            over_all!($of, "weighted", $name, $ratio, Weighted),
            Definition {
                labels: Some(|labels| labels.by_sample($ratio)),
                ..metric(
                    M::$of(N::Samples),
                    concat!("samples_", $name),
                    &[concat!($name, "_samples")],
                    Higher,
                )
            },
        ]
    };
}

static AVERAGED: [[Definition; 5]; 4] = [
    averaged!(Precision, "precision", precision_of),
    averaged!(Recall, "recall", recall_of),
    averaged!(F1, "f1", f1_of),
    averaged!(Jaccard, "jaccard", jaccard_of),
];
