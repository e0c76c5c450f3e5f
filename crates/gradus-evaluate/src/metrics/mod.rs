//! How good predictions are: classification, regression and ranking, one metric per file, equal to scikit-learn's to the
//! last few bits.
//!
//! Classes are numbers `0..num_classes`. What is a function of a [`ConfusionMatrix`] takes its [`ClassCounts`] (or the
//! [`WeightedCounts`] of a [`WeightedConfusionMatrix`]): rows are walked once, to count, and never again. Samples with
//! several labels have [`LabelCounts`], and the same functions take those. What needs scores takes slices, or a
//! [`ScoreTable`] where there are several classes or labels.
//!
//! Weights are one per sample, finite, not negative and not all 0. Where scikit-learn warns and returns NaN, there is
//! a [`MetricError::Undefined`] here. What a ratio without a denominator is says a [`ZeroDivision`], which classes an
//! average covers a [`LabelSet`]. Errors of numbers are in [`regression`], of orders in [`ranking`], of generated text in
//! [`text`]. A [`MetricName`] computes any of them from a model's [`Answers`].

mod accuracy;
mod average;
mod average_precision;
mod balanced_accuracy;
mod brier;
mod calibration_curve;
mod calibration_error;
mod class_counts;
mod cohen_kappa;
mod confusion_matrix;
mod counts;
mod error;
mod f_beta;
mod input;
mod jaccard;
mod log_loss;
mod matthews;
mod multilabel;
mod named;
mod ordered_scores;
mod pair_counts;
mod precision;
mod precision_recall_curve;
mod ranked_scores;
pub mod ranking;
mod recall;
pub mod regression;
mod roc_auc;
mod roc_auc_one_vs_one;
mod roc_curve;
mod score_table;
pub mod text;
mod threshold;
mod top_k;
mod weighted_confusion;
mod weighted_counts;

pub use accuracy::accuracy;
pub use average::{Average, Averaging, LabelSet, ZeroDivision};
pub(crate) use average_precision::of_ranked as average_precision_of;
pub use average_precision::{average_precision, average_precision_averaged};
pub use balanced_accuracy::{adjusted_balanced_accuracy, balanced_accuracy};
pub use brier::brier_score;
pub use calibration_curve::{Binning, CalibrationBin, calibration_curve};
pub(crate) use calibration_error::first_largest;
pub use calibration_error::{expected_calibration_error, reliability_bins};
pub use class_counts::ClassCounts;
pub use cohen_kappa::{KappaWeights, cohen_kappa};
pub use confusion_matrix::{ConfusionMatrix, ConfusionTable, Normalization};
pub use counts::{Counts, OneClassEach, one_vs_rest};
pub use error::MetricError;
pub use f_beta::{f_beta, f_beta_per_class, f1, f1_per_class};
pub(crate) use input::check_weights;
pub use jaccard::{jaccard, jaccard_per_class};
pub use log_loss::{Probability, log_loss, sample_log_losses};
pub(crate) use log_loss::{
    of_logit as log_loss_of_logit, of_logits as log_loss_of_logits, of_sample as log_loss_of_probability,
};
pub use matthews::matthews_correlation;
pub use multilabel::{LabelCounts, MultilabelFlags, hamming_loss, subset_accuracy};
pub use named::{Answers, MetricName, MetricTask, NamedAverage};
pub(crate) use named::{Counted, Statistic};
pub(crate) use ordered_scores::OrderedScores;
pub use precision::{precision, precision_per_class};
pub use precision_recall_curve::{PrecisionRecallCurve, precision_recall_curve};
pub use ranked_scores::Score;
pub use recall::{recall, recall_per_class};
pub(crate) use roc_auc::of_ranked as roc_auc_of;
pub use roc_auc::{roc_auc, roc_auc_averaged};
pub use roc_auc_one_vs_one::{PairAverage, roc_auc_one_vs_one};
pub use roc_curve::{RocCurve, roc_curve};
pub use score_table::{ScoreAverage, ScoreTable};
pub use threshold::{BestThreshold, best_threshold};
pub use top_k::top_k_accuracy;
pub use weighted_confusion::WeightedConfusionMatrix;
pub use weighted_counts::WeightedCounts;
