//! Balanced accuracy.

use super::OneClassEach;

/// The mean recall of the classes that occur, in [0, 1]: scikit-learn's `balanced_accuracy_score`. Guessing scores
/// 1 / (number of classes that occur), whatever their shares.
///
/// ```
/// use gradus_evaluate::metrics::{ConfusionMatrix, balanced_accuracy};
/// let matrix = ConfusionMatrix::from_labels(&[0, 0, 0, 1], &[0, 0, 0, 0], 2)?;
/// assert_eq!(balanced_accuracy(&matrix.class_counts()), 0.5);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn balanced_accuracy(counts: &impl OneClassEach) -> f64 {
    let recalls = recalls(counts);
    recalls.iter().sum::<f64>() / recalls.len() as f64
}

/// [`balanced_accuracy`] moved and stretched so that guessing scores 0 and no error 1: the same with `adjusted=True`.
/// NaN when only one class occurs, because then guessing makes no error.
pub fn adjusted_balanced_accuracy(counts: &impl OneClassEach) -> f64 {
    let chance = 1.0 / recalls(counts).len() as f64;
    if chance == 1.0 {
        return f64::NAN;
    }
    (balanced_accuracy(counts) - chance) / (1.0 - chance)
}

/// Recall of each class that occurs.
fn recalls(counts: &impl OneClassEach) -> Vec<f64> {
    (0..counts.num_classes())
        .filter(|&class| counts.support_of(class) > 0.0)
        .map(|class| counts.true_positives_of(class) / counts.support_of(class))
        .collect()
}
