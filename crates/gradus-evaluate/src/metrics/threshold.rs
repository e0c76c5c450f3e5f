//! The threshold at which a metric is best.

use super::ranked_scores::{RankedScores, Ranking, Score};
use super::{MetricError, WeightedCounts};
use crate::Result;

/// Where a metric is best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BestThreshold {
    /// A sample is predicted positive when its score is at least this.
    pub threshold: f64,
    /// The metric's value there.
    pub value: f64,
}

/// The score at which to start predicting class 1 so that `metric` is largest: the best of scikit-learn's
/// `metric_at_thresholds`. Of several, the highest; values that are NaN are passed over.
///
/// `metric` is called once per distinct score, with the counts of the two classes: any of [`accuracy`](super::accuracy()),
/// [`f1`](super::f1()) of [`Average::Binary`](super::Average::Binary), [`balanced_accuracy`](super::balanced_accuracy()),
/// [`matthews_correlation`](super::matthews_correlation()), or what a decision costs.
///
/// # Errors
/// Those of [`average_precision`](super::average_precision()), and [`MetricError::Undefined`] when every value is NaN.
///
/// ```
/// use gradus_evaluate::metrics::{Average, LabelSet, best_threshold, f1};
/// let best = best_threshold(&[0, 0, 1, 1], &[0.1, 0.4, 0.35, 0.8], None, |counts| {
///     f1(counts, Average::Binary, LabelSet::Known)
/// })?;
/// assert_eq!((best.threshold, best.value), (0.35, 0.8));
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn best_threshold<S: Score>(
    truth: &[i64],
    scores: &[S],
    weights: Option<&[f64]>,
    metric: impl Fn(&WeightedCounts) -> f64,
) -> Result<BestThreshold> {
    let ranked = RankedScores::new(truth, scores, weights)?;
    let (positives, negatives) = ranked.totals();
    let mut best: Option<BestThreshold> = None;
    let mut counts = WeightedCounts::binary([[negatives, 0.0], [positives, 0.0]]);
    ranked.for_each(|group| {
        counts.predict_as_second(group.negatives, group.positives);
        let value = metric(&counts);
        if !value.is_nan() && best.is_none_or(|best| value > best.value) {
            best = Some(BestThreshold {
                threshold: group.threshold,
                value,
            });
        }
    });
    let none = || MetricError::Undefined {
        metric: "best_threshold",
        reason: "the metric is NaN at every threshold",
    };
    Ok(best.ok_or_else(none)?)
}
