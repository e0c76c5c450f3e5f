//! Recall: of the samples of a class, the share predicted as it.

use super::average::{Average, LabelSet};
use super::{ClassCounts, ratio_or_zero};

/// Recall of each class, in [0, 1]; 0 for a class that never occurs.
pub fn recall_per_class(counts: &ClassCounts) -> Vec<f64> {
    (0..counts.num_classes())
        .map(|class| of_class(counts, class))
        .collect()
}

/// Averaged recall, in [0, 1]: scikit-learn's `recall_score` with `zero_division=0`.
///
/// ```
/// use gradus_evaluate::metrics::{Average, ConfusionMatrix, LabelSet, recall};
/// let matrix = ConfusionMatrix::from_labels(&[0, 0, 1, 1], &[0, 1, 1, 1], 2)?;
/// let value = recall(&matrix.class_counts(), Average::Macro, LabelSet::Known);
/// assert_eq!(value, 0.75);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn recall(counts: &ClassCounts, average: Average, labels: LabelSet) -> f64 {
    average.apply(counts, labels, of_class)
}

fn of_class(counts: &ClassCounts, class: usize) -> f64 {
    ratio_or_zero(counts.true_positives()[class], counts.support()[class])
}
