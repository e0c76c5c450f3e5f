//! Scoring a model on a data set.

mod curves;
mod multilabel;
mod regression;
mod requested;
mod rows;
mod sample;
mod slices;
mod task;
mod worst;

use std::collections::BTreeSet;
use std::time::Instant;

use gradus_data::{Dataset, Preprocessing, TargetKind};
use gradus_package::MetricValue;
use serde::{Deserialize, Serialize};

pub use curves::{ClassCurves, ScoreCurves};
pub use multilabel::{LabelRow, MultilabelEvaluation, evaluate_multilabel};
pub use regression::{OutputRow, RegressionEvaluation, evaluate_regression};
pub use requested::RequestedMetrics;
pub use rows::{RowContext, RowWeights, SliceColumn, groups_of_column, weights_of_column};
pub use sample::{ColumnValue, Picture, Sample};
pub use slices::{Figure, Slice, SliceTable};
pub use task::{TaskEvaluation, evaluate_task};
pub use worst::WorstError;

use crate::bootstrap::{BootstrapOptions, GroupedCounts, Interval, Resampling, RowSample, row_intervals};
use crate::calibration::Reliability;
use crate::metrics::{Answers, ConfusionMatrix, LabelSet, MetricName, log_loss_of_probability};
use crate::{ClassificationReport, Error, Estimate, Predictions, Predictor, Result};

/// How a model is scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluateOptions {
    /// Rows that go through the model at once, at least 1; default 256. It changes speed, not results.
    pub batch_size: usize,
    /// How intervals are drawn; `None` leaves them out.
    pub bootstrap: Option<BootstrapOptions>,
    /// The classes that macro averages cover.
    pub label_set: LabelSet,
    /// How many of the worst errors to keep; default 24.
    pub worst_errors: usize,
    /// Metrics by name that are computed beside the usual ones; they must be the task's.
    pub metrics: Vec<MetricName>,
    /// What else is known of the rows: slices and groups. Not part of the stored form.
    #[serde(skip)]
    pub rows: RowContext,
}

impl Default for EvaluateOptions {
    fn default() -> Self {
        Self {
            batch_size: 256,
            bootstrap: Some(BootstrapOptions::default()),
            label_set: LabelSet::default(),
            worst_errors: 24,
            metrics: Vec::new(),
            rows: RowContext::default(),
        }
    }
}

/// How good a model is on one data set, and where it fails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Number of samples.
    pub n: u64,
    /// Accuracy, precision, recall and F1, with intervals.
    pub report: ClassificationReport,
    /// Counts of (true class, predicted class).
    pub confusion: ConfusionMatrix,
    /// Mean negative logarithm of the true class's probability, in nats; clipped as scikit-learn clips f64.
    pub log_loss: f64,
    /// Bootstrap interval of the log-loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_loss_interval: Option<Interval>,
    /// How well the probabilities rank the samples of each class; absent when all are of one class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curves: Option<ScoreCurves>,
    /// How sure the model is against how often it is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Reliability>,
    /// Number of groups that were resampled whole, when rows came in groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<u64>,
    /// The metrics that were asked for by name.
    #[serde(flatten)]
    pub requested: RequestedMetrics,
    /// Scores of parts of the data, one table for each column they were divided by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<SliceTable>,
    /// The wrongly predicted samples that surprised the model most, the worst first.
    pub worst_errors: Vec<WorstError>,
    /// SHA-256 fingerprint of the data set.
    pub dataset_sha256: String,
    /// Seconds that the predictions took; absent when they were made elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predict_seconds: Option<f64>,
}

/// A data set must name what the model names.
fn check_names(predictor: &Predictor, dataset: &Dataset) -> Result<()> {
    if dataset.label_names() == predictor.labels() {
        return Ok(());
    }
    Err(Error::LabelNames {
        model: predictor.labels().to_vec(),
        data: dataset.label_names().to_vec(),
    })
}

/// Scores a classifier on a data set that was prepared by the model's own preprocessing.
///
/// # Errors
/// [`Error::Task`] for a model of another task, for which there is [`evaluate_task`];
/// [`Error::LabelNames`] when the data set names other classes than the model, [`Error::SampleShape`] when its samples
/// have another shape, and those of [`Predictor::predict_samples`] and [`score`].
pub fn evaluate(predictor: &Predictor, dataset: &Dataset, options: &EvaluateOptions) -> Result<Evaluation> {
    predictor.require(TargetKind::Classification)?;
    check_names(predictor, dataset)?;
    let start = Instant::now();
    let predictions = predictor.predict_samples(dataset.samples(), options.batch_size)?;
    let seconds = start.elapsed().as_secs_f64();
    let evaluation = score(&predictions, dataset, Some(predictor.preprocessing()), options)?;
    Ok(Evaluation {
        predict_seconds: Some(seconds),
        ..evaluation
    })
}

/// Scores predictions that were made for every sample of a data set, in order. `preprocessing` lets the worst errors of
/// a table show their values as they were before preparation.
///
/// # Errors
/// [`Error::Empty`], [`Error::LengthMismatch`] when predictions and samples differ in number or in classes, and those
/// of [`ClassificationReport::new`].
pub fn score(
    predictions: &Predictions,
    dataset: &Dataset,
    preprocessing: Option<&Preprocessing>,
    options: &EvaluateOptions,
) -> Result<Evaluation> {
    let num_classes = dataset.num_classes();
    if predictions.num_classes() != num_classes {
        return Err(Error::LengthMismatch {
            left_name: "predictions of a sample",
            left: predictions.num_classes(),
            right_name: "the data set's classes",
            right: num_classes,
        });
    }
    let predicted = predictions.classes();
    let confusion = ConfusionMatrix::from_labels(dataset.labels(), &predicted, num_classes)?;
    let names = dataset.label_names();
    let report = match &options.rows.groups {
        None => ClassificationReport::new(&confusion, names, options.label_set, options.bootstrap)?,
        Some(groups) => {
            let counts = GroupedCounts::from_labels(dataset.labels(), &predicted, groups, num_classes)?;
            ClassificationReport::with_groups(
                &confusion,
                &counts,
                names,
                options.label_set,
                options.bootstrap,
            )?
        }
    };
    let classified = slices::Classified {
        labels: dataset.labels(),
        predicted: &predicted,
        num_classes,
    };
    let losses: Vec<f64> = predictions
        .probabilities_of(dataset.labels())
        .into_iter()
        .map(log_loss_of_probability)
        .collect();
    let worst = worst::Candidates {
        predictions,
        predicted: &predicted,
        losses: &losses,
        dataset,
        preprocessing,
    };
    Ok(Evaluation {
        n: confusion.total(),
        report,
        confusion,
        log_loss: losses.iter().sum::<f64>() / losses.len() as f64,
        log_loss_interval: mean_interval(&losses, dataset.labels(), options)?,
        curves: score_curves(predictions, dataset, options)?,
        calibration: Some(Reliability::new(predictions, dataset.labels())?),
        groups: options.rows.groups.as_deref().map(number_of_groups),
        requested: requested_of(predictions, dataset, options)?,
        slices: classified.tables(options)?,
        worst_errors: worst.pick(options.worst_errors),
        dataset_sha256: dataset.fingerprint().to_owned(),
        predict_seconds: None,
    })
}

fn requested_of(
    predictions: &Predictions,
    dataset: &Dataset,
    options: &EvaluateOptions,
) -> Result<RequestedMetrics> {
    let probabilities: Vec<f64> = (0..predictions.len())
        .flat_map(|row| predictions.probabilities(row))
        .collect();
    let answers = Answers::Classes {
        truth: dataset.labels(),
        probabilities: &probabilities,
        num_classes: dataset.num_classes(),
    };
    requested::requested(&answers, options)
}

fn number_of_groups(groups: &[u64]) -> u64 {
    groups.iter().collect::<BTreeSet<_>>().len() as u64
}

/// The interval of a mean over the rows, drawn as the options say.
fn mean_interval(values: &[f64], labels: &[i64], options: &EvaluateOptions) -> Result<Option<Interval>> {
    let Some(bootstrap) = &options.bootstrap else {
        return Ok(None);
    };
    let found = row_intervals(
        &row_sample(labels, options, bootstrap)?,
        bootstrap,
        1,
        |weights, out| {
            let sum: f64 = weights
                .iter()
                .zip(values)
                .map(|(weight, value)| weight * value)
                .sum();
            out[0] = sum / weights.iter().sum::<f64>();
        },
    )?;
    Ok(found.first().copied().flatten())
}

fn score_curves(
    predictions: &Predictions,
    dataset: &Dataset,
    options: &EvaluateOptions,
) -> Result<Option<ScoreCurves>> {
    let labels = dataset.labels();
    let sample = match &options.bootstrap {
        Some(bootstrap) => Some((bootstrap, row_sample(labels, options, bootstrap)?)),
        None => None,
    };
    let intervals = sample.as_ref().map(|(bootstrap, sample)| (*bootstrap, sample));
    ScoreCurves::of(predictions, labels, dataset.label_names(), intervals)
}

/// What a resample of rows draws.
fn row_sample(labels: &[i64], options: &EvaluateOptions, bootstrap: &BootstrapOptions) -> Result<RowSample> {
    match (&options.rows.groups, bootstrap.resampling) {
        (Some(groups), _) => RowSample::grouped(groups),
        (None, Resampling::Rows) => RowSample::new(labels.len()),
        (None, Resampling::Stratified) => RowSample::stratified(labels),
    }
}

impl Evaluation {
    /// The main figures as a package's manifest keeps them; `split` says what the data were (`test`).
    pub fn metric_values(&self, split: &str) -> Vec<MetricValue> {
        let macro_average = &self.report.macro_average;
        let log_loss = Estimate {
            value: self.log_loss,
            interval: self.log_loss_interval,
        };
        let figures = [
            ("accuracy", self.report.accuracy),
            ("macro_precision", macro_average.precision),
            ("macro_recall", macro_average.recall),
            ("macro_f1", macro_average.f1),
            ("log_loss", log_loss),
        ];
        let confidence = self.report.bootstrap.map(|bootstrap| bootstrap.confidence);
        let stored = figures.map(|(name, Estimate { value, interval })| MetricValue {
            name: name.to_owned(),
            value,
            lower: interval.map(|interval| interval.lower),
            upper: interval.map(|interval| interval.upper),
            confidence: interval.and(confidence),
            split: split.to_owned(),
            n: self.n,
        });
        stored.into()
    }
}
