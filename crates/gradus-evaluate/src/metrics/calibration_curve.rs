//! How often what is predicted with a probability comes true.

use super::MetricError;
use super::confusion_matrix::check_labels;
use super::input::{check_lengths, check_weights, weight_at};
use super::log_loss::check_probabilities;
use super::ranked_scores::Score;
use crate::Result;

/// How the range of probabilities is cut into bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binning {
    /// So many bins of the same width.
    Uniform(usize),
    /// So many bins with about the same number of samples.
    Quantile(usize),
}

/// One bin that holds samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationBin {
    /// Mean probability of its samples.
    pub predicted: f64,
    /// Share of its samples for which what was predicted is true.
    pub observed: f64,
    /// Weight of its samples; their number without weights.
    pub weight: f64,
}

/// The bins that hold samples, by rising probability: scikit-learn's `calibration_curve` of the classes 0 and 1. A bin
/// includes its upper edge, and the first its lower edge too.
///
/// # Errors
/// Those of [`log_loss`](super::log_loss()), and [`MetricError::Parameter`] for 0 bins.
///
/// ```
/// use gradus_evaluate::metrics::{Binning, calibration_curve};
/// let bins = calibration_curve(&[0, 1, 1, 1], &[0.25, 0.25, 0.75, 1.0], Binning::Uniform(2), None)?;
/// assert_eq!((bins[0].predicted, bins[0].observed), (0.25, 0.5));
/// assert_eq!((bins[1].predicted, bins[1].observed), (0.875, 1.0));
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn calibration_curve<S: Score>(
    truth: &[i64],
    probabilities: &[S],
    binning: Binning,
    weights: Option<&[f64]>,
) -> Result<Vec<CalibrationBin>> {
    check_lengths(
        ("probabilities", probabilities.len()),
        ("true labels", truth.len()),
    )?;
    check_labels("true labels", truth, 2)?;
    check_probabilities(probabilities)?;
    check_weights(weights, truth.len())?;
    let edges = binning.inner_edges(probabilities)?;
    let samples = truth.iter().zip(probabilities);
    Ok(fill(
        samples.map(|(&label, &p)| (p.into(), label == 1)),
        &edges,
        weights,
    ))
}

/// Sorts (probability, came true) pairs into the bins between `edges`, which rise.
pub(super) fn fill(
    samples: impl Iterator<Item = (f64, bool)>,
    edges: &[f64],
    weights: Option<&[f64]>,
) -> Vec<CalibrationBin> {
    let empty = CalibrationBin {
        predicted: 0.0,
        observed: 0.0,
        weight: 0.0,
    };
    let mut bins = vec![empty; edges.len() + 1];
    for (index, (probability, came_true)) in samples.enumerate() {
        let weight = weight_at(weights, index);
        let bin = &mut bins[edges.partition_point(|&edge| edge < probability)];
        bin.predicted += weight * probability;
        bin.observed += weight * f64::from(came_true);
        bin.weight += weight;
    }
    bins.retain(|bin| bin.weight > 0.0);
    for bin in &mut bins {
        bin.predicted /= bin.weight;
        bin.observed /= bin.weight;
    }
    bins
}

impl Binning {
    /// The edges between bins.
    fn inner_edges<S: Score>(self, probabilities: &[S]) -> Result<Vec<f64>> {
        match self {
            Self::Uniform(bins) => uniform_edges("calibration_curve", bins),
            Self::Quantile(bins) => {
                let mut sorted: Vec<f64> = probabilities.iter().map(|&p| p.into()).collect();
                sorted.sort_unstable_by(f64::total_cmp);
                let shares = uniform_edges("calibration_curve", bins)?;
                // NumPy multiplies by 100 for its percentiles and divides again.
                Ok(shares
                    .iter()
                    .map(|share| quantile(&sorted, share * 100.0 / 100.0))
                    .collect())
            }
        }
    }
}

/// The edges between `bins` bins of the same width over [0, 1].
pub(super) fn uniform_edges(metric: &'static str, bins: usize) -> Result<Vec<f64>> {
    if bins == 0 {
        return Err(MetricError::Parameter {
            metric,
            name: "bins",
            value: 0.0,
            expected: "at least 1",
        }
        .into());
    }
    let width = 1.0 / bins as f64;
    Ok((1..bins).map(|edge| edge as f64 * width).collect())
}

/// Linear interpolation between sorted values, rounded as NumPy rounds it.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let below = position as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let (low, high, fraction) = (sorted[below], sorted[above], position.fract());
    if fraction < 0.5 {
        low + (high - low) * fraction
    } else {
        high - (high - low) * (1.0 - fraction)
    }
}
