//! F1: the harmonic mean of precision and recall.

use super::average::{Average, LabelSet};
use super::{ClassCounts, ratio_or_zero};

/// F1 of each class, `2·tp / (support + predicted)`, in [0, 1]; 0 for a class that is neither there nor predicted.
pub fn f1_per_class(counts: &ClassCounts) -> Vec<f64> {
    (0..counts.num_classes())
        .map(|class| of_class(counts, class))
        .collect()
}

/// Averaged F1, in [0, 1]: scikit-learn's `f1_score` with `zero_division=0`. The macro average is the mean of the
/// classes' F1, not the F1 of the mean precision and recall.
///
/// ```
/// use gradus_evaluate::metrics::{Average, ConfusionMatrix, LabelSet, f1};
/// let matrix = ConfusionMatrix::from_labels(&[0, 0, 1, 1], &[0, 1, 1, 1], 2)?;
/// let value = f1(&matrix.class_counts(), Average::Macro, LabelSet::Known);
/// assert!((value - (2.0 / 3.0 + 4.0 / 5.0) / 2.0).abs() < 1e-15);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn f1(counts: &ClassCounts, average: Average, labels: LabelSet) -> f64 {
    average.apply(counts, labels, of_class)
}

fn of_class(counts: &ClassCounts, class: usize) -> f64 {
    ratio_or_zero(
        2 * counts.true_positives()[class],
        counts.support()[class] + counts.predicted()[class],
    )
}
