//! Accuracy.

use super::{ClassCounts, ratio_or_zero};

/// The share of samples predicted correctly, in [0, 1]: scikit-learn's `accuracy_score`.
///
/// ```
/// use gradus_evaluate::metrics::{ConfusionMatrix, accuracy};
/// let matrix = ConfusionMatrix::from_labels(&[0, 1, 1, 2], &[0, 1, 2, 2], 3)?;
/// assert_eq!(accuracy(&matrix.class_counts()), 0.75);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn accuracy(counts: &ClassCounts) -> f64 {
    ratio_or_zero(counts.correct(), counts.total())
}
