//! Scoring a model of labels, of which any number may apply.

use std::time::Instant;

use gradus_data::{Dataset, TargetKind, Targets};
use gradus_package::MetricValue;
use serde::{Deserialize, Serialize};

use super::requested::requested;
use super::slices::{self, Better};
use super::task::{Figures, estimates};
use super::{EvaluateOptions, RequestedMetrics, SliceTable, check_names};
use crate::bootstrap::BootstrapOptions;
use crate::metrics::{Answers, log_loss_of_logit};
use crate::{Error, Estimate, Predictor, Result};

/// How good a model of labels is on one data set. A label is predicted where its probability is at least one half.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MultilabelEvaluation {
    /// Number of samples.
    pub n: u64,
    /// Share of the samples whose labels are all right.
    pub subset_accuracy: Estimate,
    /// Share of all (sample, label) pairs that are wrong.
    pub hamming_loss: Estimate,
    /// F1 of all pairs together.
    pub micro_f1: Estimate,
    /// Mean F1 of the labels.
    pub macro_f1: Estimate,
    /// Mean F1 of the samples.
    pub samples_f1: Estimate,
    /// Mean negative logarithm of the probability of each pair's truth, in nats.
    pub log_loss: f64,
    /// The figures of each label.
    pub labels: Vec<LabelRow>,
    /// The metrics that were asked for by name.
    #[serde(flatten)]
    pub requested: RequestedMetrics,
    /// Scores of parts of the data, one table for each column they were divided by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<SliceTable>,
    /// How the intervals were drawn; `None` when there are none.
    pub bootstrap: Option<BootstrapOptions>,
    /// SHA-256 fingerprint of the data set.
    pub dataset_sha256: String,
    /// Seconds that the predictions took.
    pub predict_seconds: f64,
}

/// One label. Where a division is by zero the figure is 0, as scikit-learn's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelRow {
    /// Its name.
    pub label: String,
    /// Share of the samples it was predicted for to which it applies.
    pub precision: f64,
    /// Share of the samples to which it applies that it was predicted for.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
    /// Samples to which it applies.
    pub support: u64,
    /// Samples it was predicted for.
    pub predicted: u64,
}

/// Scores a model of labels on a data set that was prepared by the model's own preprocessing.
///
/// # Errors
/// [`Error::Task`] for a model or a data set of another task, [`Error::LabelNames`] when the data set names other
/// labels, and those of [`Predictor::predict_samples`].
pub fn evaluate_multilabel(
    predictor: &Predictor,
    dataset: &Dataset,
    options: &EvaluateOptions,
) -> Result<MultilabelEvaluation> {
    predictor.require(TargetKind::Multilabel)?;
    let Targets::Labels { flags: truth, names } = dataset.targets() else {
        return Err(Error::Task {
            found: dataset.targets().kind().name().to_owned(),
            expected: TargetKind::Multilabel.name(),
        });
    };
    check_names(predictor, dataset)?;
    let start = Instant::now();
    let predictions = predictor.predict_samples(dataset.samples(), options.batch_size)?;
    let predict_seconds = start.elapsed().as_secs_f64();
    let logits = predictions.logits();
    let pairs = Pairs::new(truth, logits, names.len());
    let ([subset_accuracy, hamming_loss, micro_f1, macro_f1, samples_f1], bootstrap) =
        scored(&pairs, options)?;
    let slices = slices::tables(options, predictions.len(), Better::Higher, |rows, part| {
        let ([subset_accuracy, _, micro_f1, ..], _) = scored(&pairs.select(rows), part)?;
        Ok(slices::named(
            ["micro_f1", "subset_accuracy"],
            [micro_f1, subset_accuracy],
        ))
    })?;
    let probabilities: Vec<f64> = (0..predictions.len())
        .flat_map(|row| predictions.label_probabilities(row))
        .collect();
    let answers = Answers::Labels {
        truth,
        probabilities: &probabilities,
        num_labels: names.len(),
    };
    let by_label = pairs.by_label(&vec![1.0; predictions.len()]);
    Ok(MultilabelEvaluation {
        n: predictions.len() as u64,
        subset_accuracy,
        hamming_loss,
        micro_f1,
        macro_f1,
        samples_f1,
        log_loss: log_loss(truth, logits, predictor.temperature()),
        labels: names
            .iter()
            .zip(&by_label)
            .map(|(name, hits)| hits.row(name))
            .collect(),
        requested: requested(&answers, options)?,
        slices,
        bootstrap,
        dataset_sha256: dataset.fingerprint().to_owned(),
        predict_seconds,
    })
}

/// Subset accuracy, Hamming loss, and F1: micro, macro, of samples.
fn scored(pairs: &Pairs, options: &EvaluateOptions) -> Result<([Estimate; 5], Option<BootstrapOptions>)> {
    estimates([pairs.samples.len(), pairs.width], options, |weights, out| {
        out.copy_from_slice(&pairs.figures(weights));
    })
}

/// Truth and prediction of every (sample, label) pair, `[n, width]`, and what each sample comes to.
struct Pairs {
    truth: Vec<f64>,
    predicted: Vec<f64>,
    samples: Vec<Hits>,
    width: usize,
}

impl Pairs {
    fn new(truth: &[u8], logits: &[f32], width: usize) -> Pairs {
        let truth: Vec<f64> = truth.iter().map(|&flag| f64::from(flag)).collect();
        let predicted: Vec<f64> = logits
            .iter()
            .map(|&logit| f64::from(u8::from(logit >= 0.0)))
            .collect();
        let rows = truth.chunks_exact(width).zip(predicted.chunks_exact(width));
        let samples = rows.map(|(truth, predicted)| {
            let mut hits = Hits::default();
            let pairs = truth.iter().zip(predicted);
            pairs.for_each(|(&truth, &predicted)| hits.add(truth, predicted, 1.0));
            hits
        });
        Pairs {
            samples: samples.collect(),
            truth,
            predicted,
            width,
        }
    }

    /// The samples at `rows`.
    fn select(&self, rows: &[usize]) -> Pairs {
        let pick = |values: &[f64]| {
            let row = |&row: &usize| values[row * self.width..][..self.width].iter().copied();
            rows.iter().flat_map(row).collect()
        };
        Pairs {
            truth: pick(&self.truth),
            predicted: pick(&self.predicted),
            samples: rows.iter().map(|&row| self.samples[row]).collect(),
            width: self.width,
        }
    }

    /// Of samples that count as often as their weight says.
    fn by_label(&self, weights: &[f64]) -> Vec<Hits> {
        let mut labels = vec![Hits::default(); self.width];
        let rows = self
            .truth
            .chunks_exact(self.width)
            .zip(self.predicted.chunks_exact(self.width));
        for ((truth, predicted), &weight) in rows.zip(weights).filter(|(_, weight)| **weight != 0.0) {
            for ((hits, &truth), &predicted) in labels.iter_mut().zip(truth).zip(predicted) {
                hits.add(truth, predicted, weight);
            }
        }
        labels
    }

    /// Subset accuracy, Hamming loss, and F1: micro, macro, of samples.
    fn figures(&self, weights: &[f64]) -> [f64; 5] {
        let labels = self.by_label(weights);
        let all = labels.iter().fold(Hits::default(), |all, hits| Hits {
            both: all.both + hits.both,
            truth: all.truth + hits.truth,
            predicted: all.predicted + hits.predicted,
        });
        let rows: f64 = weights.iter().sum();
        let mean = |of: fn(&Hits) -> f64| {
            let weighted = self.samples.iter().zip(weights);
            weighted.map(|(hits, weight)| weight * of(hits)).sum::<f64>() / rows
        };
        let width = self.width as f64;
        [
            mean(|hits| f64::from(u8::from(hits.wrong() == 0.0))),
            mean(Hits::wrong) / width,
            all.f1(),
            labels.iter().map(Hits::f1).sum::<f64>() / width,
            mean(Hits::f1),
        ]
    }
}

fn log_loss(truth: &[u8], logits: &[f32], temperature: f64) -> f64 {
    let pairs = truth.iter().zip(logits);
    let losses = pairs.map(|(&flag, &logit)| log_loss_of_logit(f64::from(logit) / temperature, flag));
    losses.sum::<f64>() / truth.len() as f64
}

/// Pairs of truth and prediction, counted: whole numbers, however often a pair counts.
#[derive(Clone, Copy, Default)]
struct Hits {
    both: f64,
    truth: f64,
    predicted: f64,
}

impl Hits {
    fn add(&mut self, truth: f64, predicted: f64, weight: f64) {
        self.both += weight * truth * predicted;
        self.truth += weight * truth;
        self.predicted += weight * predicted;
    }

    fn wrong(&self) -> f64 {
        self.truth + self.predicted - 2.0 * self.both
    }

    fn f1(&self) -> f64 {
        share(2.0 * self.both, self.truth + self.predicted)
    }

    fn row(&self, label: &str) -> LabelRow {
        LabelRow {
            label: label.to_owned(),
            precision: share(self.both, self.predicted),
            recall: share(self.both, self.truth),
            f1: self.f1(),
            support: self.truth as u64,
            predicted: self.predicted as u64,
        }
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

impl MultilabelEvaluation {
    /// The main figures as a package's manifest keeps them; `split` says what the data were (`test`).
    pub fn metric_values(&self, split: &str) -> Vec<MetricValue> {
        let log_loss = Estimate {
            value: self.log_loss,
            interval: None,
        };
        let figures = Figures {
            split,
            n: self.n,
            confidence: self.bootstrap.map(|bootstrap| bootstrap.confidence),
        };
        figures.stored([
            ("subset_accuracy", self.subset_accuracy),
            ("hamming_loss", self.hamming_loss),
            ("micro_f1", self.micro_f1),
            ("macro_f1", self.macro_f1),
            ("samples_f1", self.samples_f1),
            ("log_loss", log_loss),
        ])
    }
}
