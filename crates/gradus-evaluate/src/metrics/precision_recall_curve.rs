//! The precision-recall curve.

use super::ranked_scores::{RankedScores, Ranking, Score};
use crate::Result;

/// Points of a precision-recall curve, by rising threshold: a sample is predicted positive when its score is at least the
/// threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct PrecisionRecallCurve {
    /// Precision at each threshold, and a last 1 that has none.
    pub precision: Vec<f64>,
    /// Recall at each threshold, falling, and a last 0 that has none.
    pub recall: Vec<f64>,
    /// The distinct scores, rising.
    pub thresholds: Vec<f64>,
}

/// One point per distinct score: scikit-learn's `precision_recall_curve`. Without positive samples recall is 1 everywhere.
///
/// # Errors
/// Those of [`average_precision`](super::average_precision()).
///
/// ```
/// use gradus_evaluate::metrics::precision_recall_curve;
/// let curve = precision_recall_curve(&[0, 0, 1, 1], &[0.1, 0.4, 0.35, 0.8], None)?;
/// assert_eq!(curve.recall, [1.0, 1.0, 0.5, 0.5, 0.0]);
/// assert_eq!(curve.thresholds, [0.1, 0.35, 0.4, 0.8]);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn precision_recall_curve<S: Score>(
    truth: &[i64],
    scores: &[S],
    weights: Option<&[f64]>,
) -> Result<PrecisionRecallCurve> {
    let ranked = RankedScores::new(truth, scores, weights)?;
    let (total, _) = ranked.totals();
    let (mut precision, mut recall, mut thresholds) = (vec![1.0], vec![0.0], Vec::new());
    let (mut positives, mut predicted) = (0.0, 0.0);
    ranked.for_each(|group| {
        positives += group.positives;
        predicted += group.positives + group.negatives;
        precision.push(positives / predicted);
        recall.push(if total == 0.0 { 1.0 } else { positives / total });
        thresholds.push(group.threshold);
    });
    for values in [&mut precision, &mut recall, &mut thresholds] {
        values.reverse();
    }
    Ok(PrecisionRecallCurve {
        precision,
        recall,
        thresholds,
    })
}
