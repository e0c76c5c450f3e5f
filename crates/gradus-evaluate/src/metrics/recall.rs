//! Recall: of the samples of a class, the share predicted as it.

use super::Counts;
use super::average::{Average, Averaging, ZeroDivision};

/// Recall of each class, in [0, 1]; `zero_division` for a class that never occurs.
pub fn recall_per_class(counts: &impl Counts, zero_division: ZeroDivision) -> Vec<f64> {
    (0..counts.num_classes())
        .map(|class| zero_division.divide(counts.true_positives_of(class), counts.support_of(class)))
        .collect()
}

/// Averaged recall, in [0, 1]: scikit-learn's `recall_score`.
///
/// ```
/// use gradus_evaluate::metrics::{Average, ConfusionMatrix, LabelSet, recall};
/// let matrix = ConfusionMatrix::from_labels(&[0, 0, 1, 1], &[0, 1, 1, 1], 2)?;
/// let value = recall(&matrix.class_counts(), Average::Macro, LabelSet::Known);
/// assert_eq!(value, 0.75);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn recall(counts: &impl Counts, average: Average, averaging: impl Into<Averaging>) -> f64 {
    average.apply(counts, averaging.into(), |sums| {
        (sums.true_positives, sums.support)
    })
}
