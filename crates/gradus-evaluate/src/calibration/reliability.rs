//! How sure a model is against how often it is right.

use serde::{Deserialize, Serialize};

use crate::metrics::{CalibrationBin, expected_calibration_error, reliability_bins};
use crate::{Predictions, Result};

/// Bins of confidence, as many as in Guo et al. (2017).
const BINS: usize = 15;

/// A reliability diagram and its summary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// Mean distance between confidence and accuracy over the bins, weighted by their samples.
    pub expected_calibration_error: f64,
    /// Mean negative log-likelihood of the true classes, in nats.
    pub log_loss: f64,
    /// Mean probability of the predicted class.
    pub mean_confidence: f64,
    /// Share of samples whose class is right.
    pub accuracy: f64,
    /// The bins that hold samples, by ascending confidence.
    pub bins: Vec<ReliabilityBin>,
}

/// Predictions of about the same confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Number of samples.
    pub count: u64,
    /// Their mean probability of the predicted class.
    pub confidence: f64,
    /// The share of them that is right.
    pub accuracy: f64,
}

impl Reliability {
    /// The diagram of predictions whose true classes are `labels`.
    ///
    /// # Errors
    /// Those of [`expected_calibration_error`] for labels that are not those of the predictions.
    pub fn new(predictions: &Predictions, labels: &[i64]) -> Result<Self> {
        let (probabilities, classes) = (all_probabilities(predictions), predictions.num_classes());
        let filled = reliability_bins(labels, &probabilities, classes, BINS, None)?;
        let n = predictions.len() as f64;
        let sum = |of: fn(&CalibrationBin) -> f64| filled.iter().map(|bin| bin.weight * of(bin)).sum::<f64>();
        let losses = predictions.probabilities_of(labels).into_iter().map(|p| -p.ln());
        Ok(Self {
            expected_calibration_error: expected_calibration_error(
                labels,
                &probabilities,
                classes,
                BINS,
                None,
            )?,
            log_loss: losses.sum::<f64>() / n,
            mean_confidence: sum(|bin| bin.predicted) / n,
            accuracy: sum(|bin| bin.observed) / n,
            bins: filled
                .iter()
                .map(|bin| ReliabilityBin {
                    count: bin.weight as u64,
                    confidence: bin.predicted,
                    accuracy: bin.observed,
                })
                .collect(),
        })
    }
}

/// The expected calibration error alone.
pub(crate) fn calibration_error(predictions: &Predictions, labels: &[i64]) -> Result<f64> {
    let probabilities = all_probabilities(predictions);
    expected_calibration_error(labels, &probabilities, predictions.num_classes(), BINS, None)
}

fn all_probabilities(predictions: &Predictions) -> Vec<f64> {
    (0..predictions.len())
        .flat_map(|row| predictions.probabilities(row))
        .collect()
}
