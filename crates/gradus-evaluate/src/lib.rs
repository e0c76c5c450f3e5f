#![forbid(unsafe_code)]
//! How good a model is, and how sure we are of it.
//!
//! * [`Predictor`]: a package made ready to answer, with its preparation and its signature.
//! * [`language_model`]: a language model made ready to continue text, and how well it predicts one; [`TextEmbedder`] turns
//!   texts into vectors.
//! * [`evaluate()`]: a predictor's [`Evaluation`] on a data set: metrics, intervals and the worst errors.
//! * [`explain`](mod@explain): why it answers as it does: attributions to pixels, columns and tokens, and global importances.
//! * [`compare`]: which of two models is better, by a paired bootstrap and McNemar's test.
//! * [`evaluate_task`]: the same for a model of any task: also numbers to learn, and labels of which several apply.
//! * [`html`]: the report of an evaluation as one HTML file.
//! * [`metrics`]: accuracy, precision, recall, F1, confusion matrix and log-loss, by scikit-learn's rules.
//! * [`bootstrap`]: percentile, basic and BCa intervals from resampled counts or rows, seeded and independent of the
//!   thread count.
//! * [`calibration`]: whether probabilities can be taken at their word, and the temperature that makes them so.
//! * [`stress`]: accuracy under noise, blur, missing values and adversarial attacks.
//! * [`reference_statistics`]: what training data look like, for drift detection later.
//!
//! Not here: what trains a model (`gradus-train`) or answers requests over a network (`gradus-serve`).

pub mod bootstrap;
pub mod calibration;
mod classification_report;
mod comparison;
mod error;
mod evaluation;
pub mod explain;
pub mod html;
mod input_gradient;
pub mod language_model;
pub mod metrics;
mod predictions;
mod predictor;
mod reference;
pub mod stress;
mod text_embedder;
mod text_parts;
pub mod trained_rows;

pub use classification_report::{Averages, ClassRow, ClassificationReport, Estimate};
pub use comparison::{
    CompareOptions, ComparedMetric, Comparison, Difference, McNemar, McNemarMethod, Side, Verdict, compare,
    compare_predictions,
};
pub use error::{Error, Result, WeightFault};
pub use evaluation::{
    ClassCurves, ColumnValue, EvaluateOptions, Evaluation, Figure, LabelRow, MultilabelEvaluation, OutputRow,
    Picture, RegressionEvaluation, RequestedMetrics, RowContext, RowWeights, Sample, ScoreCurves, Slice,
    SliceColumn, SliceTable, TaskEvaluation, WorstError, evaluate, evaluate_multilabel, evaluate_regression,
    evaluate_task, groups_of_column, score, weights_of_column,
};
pub use predictions::Predictions;
pub use predictor::Predictor;
pub use reference::reference_statistics;
pub use text_embedder::{Pooling, TextEmbedder};
pub use text_parts::TextParts;
