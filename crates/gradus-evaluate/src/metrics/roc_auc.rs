//! Area under the ROC curve.

use super::ranked_scores::{RankedScores, Ranking, Score};
use super::{MetricError, ScoreAverage, ScoreTable};
use crate::Result;

/// The chance that a positive sample has a higher score than a negative one, ties counting half, in [0, 1]:
/// scikit-learn's `roc_auc_score` of the classes 0 and 1. `scores` rise with the chance of class 1.
///
/// # Errors
/// [`Error::Empty`](crate::Error::Empty), [`Error::LengthMismatch`](crate::Error::LengthMismatch),
/// [`Error::LabelOutOfRange`](crate::Error::LabelOutOfRange), and [`MetricError`] for scores or weights that cannot be
/// used and when only one class is there, or has weight.
///
/// ```
/// use gradus_evaluate::metrics::roc_auc;
/// assert_eq!(roc_auc(&[0, 0, 1, 1], &[0.1, 0.4, 0.35, 0.8], None)?, 0.75);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn roc_auc<S: Score>(truth: &[i64], scores: &[S], weights: Option<&[f64]>) -> Result<f64> {
    of_ranked(&RankedScores::new(truth, scores, weights)?)
}

/// The area of each class against the rest, or of each label, averaged: scikit-learn's `roc_auc_score` with
/// `multi_class="ovr"`, or of multilabel samples.
///
/// # Errors
/// [`MetricError::Undefined`] when a class, label or sample that the average covers has no positives or no negatives.
pub fn roc_auc_averaged<S: Score>(table: &ScoreTable<'_, S>, average: ScoreAverage) -> Result<f64> {
    table.average(average, of_ranked)
}

pub(super) fn undefined(reason: &'static str) -> MetricError {
    MetricError::Undefined {
        metric: "roc_auc",
        reason,
    }
}

pub(crate) fn of_ranked(ranked: &impl Ranking) -> Result<f64> {
    let (positives, negatives) = ranked.totals();
    if positives == 0.0 {
        return Err(undefined("no sample is positive, or none that has weight").into());
    }
    if negatives == 0.0 {
        return Err(undefined("no sample is negative, or none that has weight").into());
    }
    let (mut above, mut area) = (0.0, 0.0);
    ranked.for_each(|group| {
        area += group.negatives * (above + group.positives / 2.0);
        above += group.positives;
    });
    Ok(area / (positives * negatives))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn one_class_has_no_area() {
        for truth in [[0, 0], [1, 1]] {
            let error = roc_auc(&truth, &[0.1, 0.2], None).unwrap_err();
            assert!(
                matches!(error, Error::Metric(MetricError::Undefined { .. })),
                "{error}"
            );
        }
        let weightless = roc_auc(&[0, 1, 1], &[0.1, 0.2, 0.3], Some(&[1.0, 0.0, 0.0]));
        assert!(matches!(
            weightless,
            Err(Error::Metric(MetricError::Undefined { .. }))
        ));
    }

    #[test]
    fn numbers_that_are_no_scores_are_refused_where_they_stand() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = roc_auc(&[0, 1, 1], &[0.5, bad, 0.5], None).unwrap_err();
            assert!(
                matches!(error, Error::Metric(MetricError::NotFinite { index: 1, .. })),
                "{error}"
            );
        }
        assert!(matches!(roc_auc::<f64>(&[], &[], None), Err(Error::Empty { .. })));
        let short = roc_auc(&[0, 1], &[0.5], None);
        assert!(matches!(
            short,
            Err(Error::LengthMismatch {
                left: 1,
                right: 2,
                ..
            })
        ));
        let third = roc_auc(&[0, 2], &[0.5, 0.1], None);
        assert!(matches!(third, Err(Error::LabelOutOfRange { label: 2, .. })));
    }
}
