//! Expected calibration error.

use super::calibration_curve::{CalibrationBin, fill, uniform_edges};
use super::input::check_weights;
use super::log_loss::check_class_probabilities;
use super::ranked_scores::Score;
use crate::Result;

/// Mean distance between how sure the model is of its prediction and how often it is right, over `bins` bins of the
/// same width, in [0, 1] (C. Guo et al., *On Calibration of Modern Neural Networks*, 2017, equation 3; 15 bins
/// there). `probabilities` is row-major, `labels.len() × num_classes`; the prediction is the first largest.
///
/// # Errors
/// Those of [`log_loss`](super::log_loss()), and [`MetricError::Parameter`](super::MetricError::Parameter) for 0 bins.
///
/// ```
/// use gradus_evaluate::metrics::expected_calibration_error;
/// let error = expected_calibration_error(&[0, 1], &[0.75, 0.25, 0.75, 0.25], 2, 15, None)?;
/// assert_eq!(error, 0.25);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn expected_calibration_error<S: Score>(
    labels: &[i64],
    probabilities: &[S],
    num_classes: usize,
    bins: usize,
    weights: Option<&[f64]>,
) -> Result<f64> {
    check_weights(weights, labels.len())?;
    Ok(Confidences::new(labels, probabilities, num_classes, bins)?.error(weights))
}

/// The bins of a reliability diagram that hold samples: how sure the model is, and how often it is right.
///
/// # Errors
/// Those of [`expected_calibration_error`].
pub fn reliability_bins<S: Score>(
    labels: &[i64],
    probabilities: &[S],
    num_classes: usize,
    bins: usize,
    weights: Option<&[f64]>,
) -> Result<Vec<CalibrationBin>> {
    check_weights(weights, labels.len())?;
    Ok(Confidences::new(labels, probabilities, num_classes, bins)?.bins(weights))
}

/// How sure the model is of each sample and whether it is right: what bins are filled with.
pub(super) struct Confidences {
    edges: Vec<f64>,
    samples: Vec<(f64, bool)>,
}

impl Confidences {
    pub(super) fn new<S: Score>(
        labels: &[i64],
        probabilities: &[S],
        num_classes: usize,
        bins: usize,
    ) -> Result<Self> {
        check_class_probabilities(labels, probabilities, num_classes)?;
        let rows = labels.iter().zip(probabilities.chunks_exact(num_classes));
        let samples = rows.map(|(&label, row)| {
            let (class, confidence) = first_largest(row);
            (confidence, class as i64 == label)
        });
        Ok(Self {
            edges: uniform_edges("expected_calibration_error", bins)?,
            samples: samples.collect(),
        })
    }

    fn bins(&self, weights: Option<&[f64]>) -> Vec<CalibrationBin> {
        fill(self.samples.iter().copied(), &self.edges, weights)
    }

    pub(super) fn error(&self, weights: Option<&[f64]>) -> f64 {
        let filled = self.bins(weights);
        let total: f64 = filled.iter().map(|bin| bin.weight).sum();
        let gap = |bin: &CalibrationBin| bin.weight * (bin.observed - bin.predicted).abs();
        filled.iter().map(gap).sum::<f64>() / total
    }
}

/// The first of the largest scores of a row, with its class.
pub(crate) fn first_largest<S: Score>(row: &[S]) -> (usize, f64) {
    let scores = row.iter().map(|&score| score.into()).enumerate();
    scores.fold((0, f64::NEG_INFINITY), |best, entry| {
        if entry.1 > best.1 { entry } else { best }
    })
}
