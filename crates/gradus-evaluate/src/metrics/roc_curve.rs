//! The ROC curve.

use super::MetricError;
use super::ranked_scores::{RankedScores, Ranking, Score};
use crate::Result;

/// Points of a ROC curve, from (0, 0) to (1, 1): a sample is predicted positive when its score is at least the threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct RocCurve {
    /// Shares of the negative samples that are predicted positive, rising.
    pub false_positive_rates: Vec<f64>,
    /// Shares of the positive samples that are predicted positive, rising.
    pub true_positive_rates: Vec<f64>,
    /// Falling thresholds; the first is infinite.
    pub thresholds: Vec<f64>,
}

/// One point per distinct score: scikit-learn's `roc_curve` with `drop_intermediate=False`.
///
/// # Errors
/// Those of [`roc_auc`](super::roc_auc()).
///
/// ```
/// use gradus_evaluate::metrics::roc_curve;
/// let curve = roc_curve(&[0, 0, 1, 1], &[0.1, 0.4, 0.35, 0.8], None)?;
/// assert_eq!(curve.true_positive_rates, [0.0, 0.5, 0.5, 1.0, 1.0]);
/// assert_eq!(curve.false_positive_rates, [0.0, 0.0, 0.5, 0.5, 1.0]);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn roc_curve<S: Score>(truth: &[i64], scores: &[S], weights: Option<&[f64]>) -> Result<RocCurve> {
    let ranked = RankedScores::new(truth, scores, weights)?;
    let (positives, negatives) = ranked.totals();
    if positives == 0.0 || negatives == 0.0 {
        return Err(MetricError::Undefined {
            metric: "roc_curve",
            reason: "only one class occurs, or only one has weight",
        }
        .into());
    }
    let mut curve = RocCurve {
        false_positive_rates: vec![0.0],
        true_positive_rates: vec![0.0],
        thresholds: vec![f64::INFINITY],
    };
    let (mut true_positives, mut false_positives) = (0.0, 0.0);
    ranked.for_each(|group| {
        true_positives += group.positives;
        false_positives += group.negatives;
        curve.true_positive_rates.push(true_positives / positives);
        curve.false_positive_rates.push(false_positives / negatives);
        curve.thresholds.push(group.threshold);
    });
    Ok(curve)
}

impl RocCurve {
    /// The same curve without the points that lie on a straight line between their neighbours and that equal steps
    /// lead to and from; scikit-learn's `drop_intermediate=True`.
    ///
    /// Steps count as equal when they differ by less than rounding does.
    pub fn without_intermediate(&self) -> RocCurve {
        let last = self.thresholds.len() - 1;
        // The first point is not a score's, so scikit-learn compares from the second on.
        let bends = |rates: &[f64], at: usize| {
            let (before, after) = (rates[at] - rates[at - 1], rates[at + 1] - rates[at]);
            (before - after).abs() > 4.0 * f64::EPSILON
        };
        let kept = |at: usize| {
            at <= 1
                || at == last
                || bends(&self.false_positive_rates, at)
                || bends(&self.true_positive_rates, at)
        };
        let select = |values: &[f64]| {
            let kept = (0..=last).filter(|&at| kept(at));
            kept.map(|at| values[at]).collect()
        };
        RocCurve {
            false_positive_rates: select(&self.false_positive_rates),
            true_positive_rates: select(&self.true_positive_rates),
            thresholds: select(&self.thresholds),
        }
    }
}
