//! Accuracy.

use super::OneClassEach;

/// The share of samples predicted correctly, in [0, 1]: scikit-learn's `accuracy_score`. Of samples with several labels
/// each, see [`subset_accuracy`](super::subset_accuracy).
///
/// ```
/// use gradus_evaluate::metrics::{ConfusionMatrix, accuracy};
/// let matrix = ConfusionMatrix::from_labels(&[0, 1, 1, 2], &[0, 1, 2, 2], 3)?;
/// assert_eq!(accuracy(&matrix.class_counts()), 0.75);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn accuracy(counts: &impl OneClassEach) -> f64 {
    let (correct, total) = (0..counts.num_classes()).fold((0.0, 0.0), |(correct, total), class| {
        (
            correct + counts.true_positives_of(class),
            total + counts.support_of(class),
        )
    });
    if total == 0.0 { 0.0 } else { correct / total }
}
