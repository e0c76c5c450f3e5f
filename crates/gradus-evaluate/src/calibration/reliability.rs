//! How sure a model is against how often it is right.

use serde::{Deserialize, Serialize};

use crate::{Error, Predictions, Result};

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
    /// [`Error::LengthMismatch`] unless there is one label per prediction.
    pub fn new(predictions: &Predictions, labels: &[i64]) -> Result<Self> {
        let bins = bins(predictions, labels)?;
        let n = predictions.len() as f64;
        let sum =
            |of: fn(&ReliabilityBin) -> f64| bins.iter().map(|bin| bin.count as f64 * of(bin)).sum::<f64>();
        let losses = predictions.probabilities_of(labels).into_iter().map(|p| -p.ln());
        Ok(Self {
            expected_calibration_error: error_of(&bins),
            log_loss: losses.sum::<f64>() / n,
            mean_confidence: sum(|bin| bin.confidence) / n,
            accuracy: sum(|bin| bin.accuracy) / n,
            bins,
        })
    }
}

/// The expected calibration error alone.
pub(crate) fn calibration_error(predictions: &Predictions, labels: &[i64]) -> Result<f64> {
    Ok(error_of(&bins(predictions, labels)?))
}

fn error_of(bins: &[ReliabilityBin]) -> f64 {
    let total: f64 = bins.iter().map(|bin| bin.count as f64).sum();
    let gaps = bins
        .iter()
        .map(|bin| bin.count as f64 * (bin.confidence - bin.accuracy).abs());
    gaps.sum::<f64>() / total
}

/// The bins that hold samples; each includes its upper edge.
fn bins(predictions: &Predictions, labels: &[i64]) -> Result<Vec<ReliabilityBin>> {
    if labels.len() != predictions.len() {
        return Err(Error::LengthMismatch {
            left_name: "labels",
            left: labels.len(),
            right_name: "the predictions",
            right: predictions.len(),
        });
    }
    let mut sums = [(0u64, 0.0, 0u64); BINS];
    for (row, (class, label)) in predictions.classes().into_iter().zip(labels).enumerate() {
        let confidence = predictions.probabilities(row)[class as usize];
        let at = (confidence * BINS as f64).ceil() as usize;
        let (count, sum, right) = &mut sums[at.clamp(1, BINS) - 1];
        *count += 1;
        *sum += confidence;
        *right += u64::from(class == *label);
    }
    let filled = sums.into_iter().filter(|(count, ..)| *count > 0);
    Ok(filled
        .map(|(count, sum, right)| ReliabilityBin {
            count,
            confidence: sum / count as f64,
            accuracy: right as f64 / count as f64,
        })
        .collect())
}
