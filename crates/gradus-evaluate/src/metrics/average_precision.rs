//! Average precision: the area under the precision-recall curve, as steps.

use super::ranked_scores::{RankedScores, Ranking, Score};
use super::{ScoreAverage, ScoreTable};
use crate::Result;

/// The mean of the precisions at each threshold, weighted by the gain in recall, in [0, 1]: scikit-learn's
/// `average_precision_score` of the classes 0 and 1 (PR-AUC, without interpolation). 0 without positive samples.
///
/// # Errors
/// Those of [`roc_auc`](super::roc_auc()), except that one class is enough.
///
/// ```
/// use gradus_evaluate::metrics::average_precision;
/// let value = average_precision(&[0, 0, 1, 1], &[0.1, 0.4, 0.35, 0.8], None)?;
/// assert!((value - 5.0 / 6.0).abs() < 1e-15);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn average_precision<S: Score>(truth: &[i64], scores: &[S], weights: Option<&[f64]>) -> Result<f64> {
    Ok(of_ranked(&RankedScores::new(truth, scores, weights)?))
}

/// Average precision of each class against the rest, or of each label, averaged; scikit-learn's
/// `average_precision_score` of several classes or of multilabel samples.
///
/// # Errors
/// None today; a [`ScoreTable`] has been checked.
pub fn average_precision_averaged<S: Score>(table: &ScoreTable<'_, S>, average: ScoreAverage) -> Result<f64> {
    table.average(average, |ranked| Ok(of_ranked(ranked)))
}

pub(crate) fn of_ranked(ranked: &impl Ranking) -> f64 {
    let (total, _) = ranked.totals();
    if total == 0.0 {
        return 0.0;
    }
    let (mut positives, mut predicted, mut sum) = (0.0, 0.0, 0.0);
    ranked.for_each(|group| {
        positives += group.positives;
        predicted += group.positives + group.negatives;
        sum += group.positives * positives / predicted;
    });
    sum / total
}
