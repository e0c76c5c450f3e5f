//! Area under the ROC curve, over pairs of classes.

use super::confusion_matrix::check_labels;
use super::input::{check_finite, check_rows};
use super::ordered_scores::OrderedScores;
use super::ranked_scores::{Ranking, Score};
use super::roc_auc::{of_ranked, undefined};
use crate::Result;

/// How the pairs of classes are averaged in [`roc_auc_one_vs_one`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairAverage {
    /// Every pair counts the same.
    Macro,
    /// A pair counts as its share of the samples.
    Weighted,
}

/// The mean over pairs of classes of the area among the samples of these two (D. Hand and R. Till, 2001):
/// scikit-learn's `roc_auc_score` with `multi_class="ovo"`, over the classes that occur. There are no weights, as
/// there are none in scikit-learn.
///
/// # Errors
/// Those of [`ScoreTable::of_classes`](super::ScoreTable::of_classes), and
/// [`MetricError::Undefined`](super::MetricError::Undefined) when fewer than two classes occur.
pub fn roc_auc_one_vs_one<S: Score>(
    labels: &[i64],
    scores: &[S],
    num_classes: usize,
    average: PairAverage,
) -> Result<f64> {
    check_labels("true labels", labels, num_classes)?;
    check_rows(
        "scores",
        scores.len(),
        ("true labels × classes", labels.len()),
        num_classes,
    )?;
    check_finite("scores", scores)?;
    ClassPairs::of_checked(labels, scores, num_classes).mean_area(average, None)
}

/// The samples of each pair of classes that occur, in the order of the score of either.
pub(super) struct ClassPairs(Vec<[OrderedScores; 2]>);

impl ClassPairs {
    /// Orders finite scores, row-major `[labels.len(), num_classes]`, of labels in range.
    pub(super) fn of_checked<S: Score>(labels: &[i64], scores: &[S], num_classes: usize) -> Self {
        let mut members = vec![Vec::new(); num_classes];
        for (row, &label) in labels.iter().enumerate() {
            members[label as usize].push(row);
        }
        let of_class = |class: usize, other: usize| {
            let sides = [(class, true), (other, false)].into_iter();
            OrderedScores::new(sides.flat_map(|(side, positive)| {
                let rows = members[side].iter();
                rows.map(move |&row| (row, positive, scores[row * num_classes + class]))
            }))
        };
        let occurs = |class: &usize| !members[*class].is_empty();
        let occurring: Vec<usize> = (0..num_classes).filter(occurs).collect();
        let pairs = occurring
            .iter()
            .enumerate()
            .flat_map(|(at, &first)| occurring[at + 1..].iter().map(move |&second| (first, second)));
        Self(
            pairs
                .map(|(first, second)| [of_class(first, second), of_class(second, first)])
                .collect(),
        )
    }

    /// The mean over the pairs of which both classes have weight.
    pub(super) fn mean_area(&self, average: PairAverage, weights: Option<&[f64]>) -> Result<f64> {
        let (mut sum, mut total) = (0.0, 0.0);
        for pair in &self.0 {
            let [first, second] = [&pair[0], &pair[1]].map(|ordered| ordered.weighing(weights));
            let (positives, negatives) = first.totals();
            if positives == 0.0 || negatives == 0.0 {
                continue;
            }
            let share = match average {
                PairAverage::Macro => 1.0,
                PairAverage::Weighted => positives + negatives,
            };
            sum += share * (of_ranked(&first)? + of_ranked(&second)?) / 2.0;
            total += share;
        }
        if total == 0.0 {
            return Err(undefined("only one class occurs, or has weight").into());
        }
        Ok(sum / total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_weights_count_as_repeated_samples() {
        let labels = [0i64, 1, 2, 1, 0, 2, 1, 2];
        let scores: Vec<f64> = (0..24).map(|at| f64::from(at * 29 % 17) / 5.0).collect();
        let weights = [2.0, 0.0, 1.0, 3.0, 1.0, 0.0, 1.0, 2.0];
        let repeated: Vec<usize> = (0..8).flat_map(|row| vec![row; weights[row] as usize]).collect();
        let repeated_labels: Vec<i64> = repeated.iter().map(|&row| labels[row]).collect();
        let repeated_scores: Vec<f64> = repeated
            .iter()
            .flat_map(|&row| scores[row * 3..][..3].to_vec())
            .collect();
        let pairs = ClassPairs::of_checked(&labels, &scores, 3);
        for average in [PairAverage::Macro, PairAverage::Weighted] {
            let weighted = pairs.mean_area(average, Some(&weights)).unwrap();
            let expected = roc_auc_one_vs_one(&repeated_labels, &repeated_scores, 3, average).unwrap();
            assert!((weighted - expected).abs() < 1e-12, "{weighted} {expected}");
        }
        assert!(pairs.mean_area(PairAverage::Macro, Some(&[0.0; 8])).is_err());
    }
}
