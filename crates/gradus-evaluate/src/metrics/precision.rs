//! Precision: of the samples predicted as a class, the share that is of it.

use super::average::{Average, LabelSet};
use super::{ClassCounts, ratio_or_zero};

/// Precision of each class, in [0, 1]; 0 for a class that is never predicted.
pub fn precision_per_class(counts: &ClassCounts) -> Vec<f64> {
    (0..counts.num_classes())
        .map(|class| of_class(counts, class))
        .collect()
}

/// Averaged precision, in [0, 1]: scikit-learn's `precision_score` with `zero_division=0`.
///
/// ```
/// use gradus_evaluate::metrics::{Average, ConfusionMatrix, LabelSet, precision};
/// let matrix = ConfusionMatrix::from_labels(&[0, 0, 1, 1], &[0, 1, 1, 1], 2)?;
/// let value = precision(&matrix.class_counts(), Average::Macro, LabelSet::Known);
/// assert_eq!(value, (1.0 + 2.0 / 3.0) / 2.0);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn precision(counts: &ClassCounts, average: Average, labels: LabelSet) -> f64 {
    average.apply(counts, labels, of_class)
}

fn of_class(counts: &ClassCounts, class: usize) -> f64 {
    ratio_or_zero(counts.true_positives()[class], counts.predicted()[class])
}
