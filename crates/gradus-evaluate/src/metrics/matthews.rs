//! Matthews' correlation coefficient.

use super::OneClassEach;

/// The correlation of true and predicted classes, in [−1, 1]: scikit-learn's `matthews_corrcoef`, for any number of
/// classes (J. Gorodkin, 2004). 0 when all samples are of one class or are predicted as one class.
///
/// ```
/// use gradus_evaluate::metrics::{ConfusionMatrix, matthews_correlation};
/// let matrix = ConfusionMatrix::from_labels(&[1, 1, 1, 0], &[1, 0, 1, 1], 2)?;
/// assert!((matthews_correlation(&matrix.class_counts()) + 1.0 / 3.0).abs() < 1e-15);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn matthews_correlation(counts: &impl OneClassEach) -> f64 {
    let classes = 0..counts.num_classes();
    let several =
        |sums: &dyn Fn(usize) -> f64| classes.clone().filter(|&class| sums(class) > 0.0).count() > 1;
    if !several(&|class| counts.support_of(class)) || !several(&|class| counts.predicted_of(class)) {
        return 0.0;
    }
    let sum = |of: &dyn Fn(usize) -> f64| classes.clone().map(of).sum::<f64>();
    let total = sum(&|class| counts.support_of(class));
    let correct = sum(&|class| counts.true_positives_of(class));
    let by_chance = sum(&|class| counts.support_of(class) * counts.predicted_of(class));
    let truth = total * total - sum(&|class| counts.support_of(class).powi(2));
    let predicted = total * total - sum(&|class| counts.predicted_of(class).powi(2));
    (correct * total - by_chance) / (truth * predicted).sqrt()
}
