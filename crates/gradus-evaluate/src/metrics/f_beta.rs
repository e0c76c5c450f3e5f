//! F: the harmonic mean of precision and recall.

use super::Counts;
use super::average::{Average, Averaging, Sums, ZeroDivision};

/// F1 of each class, `2·tp / (support + predicted)`, in [0, 1]; `zero_division` for a class that is neither there nor
/// predicted.
pub fn f1_per_class(counts: &impl Counts, zero_division: ZeroDivision) -> Vec<f64> {
    f_beta_per_class(counts, 1.0, zero_division)
}

/// F of each class with recall `beta` times as important as precision, in [0, 1].
pub fn f_beta_per_class(counts: &impl Counts, beta: f64, zero_division: ZeroDivision) -> Vec<f64> {
    (0..counts.num_classes())
        .map(|class| {
            let (numerator, denominator) = parts(Sums::of_class(counts, class), beta);
            zero_division.divide(numerator, denominator)
        })
        .collect()
}

/// Averaged F1, in [0, 1]: scikit-learn's `f1_score`. The macro average is the mean of the classes' F1, not the F1 of
/// the mean precision and recall.
///
/// ```
/// use gradus_evaluate::metrics::{Average, ConfusionMatrix, LabelSet, f1};
/// let matrix = ConfusionMatrix::from_labels(&[0, 0, 1, 1], &[0, 1, 1, 1], 2)?;
/// let value = f1(&matrix.class_counts(), Average::Macro, LabelSet::Known);
/// assert!((value - (2.0 / 3.0 + 4.0 / 5.0) / 2.0).abs() < 1e-15);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn f1(counts: &impl Counts, average: Average, averaging: impl Into<Averaging>) -> f64 {
    f_beta(counts, 1.0, average, averaging)
}

/// Averaged F with recall `beta` times as important as precision, in [0, 1]: scikit-learn's `fbeta_score`. `beta` is
/// not negative; 0 gives precision and infinity recall.
pub fn f_beta(counts: &impl Counts, beta: f64, average: Average, averaging: impl Into<Averaging>) -> f64 {
    average.apply(counts, averaging.into(), |sums| parts(sums, beta))
}

/// Numerator and denominator: `(1 + β²)·tp / (β²·support + predicted)`.
fn parts(sums: Sums, beta: f64) -> (f64, f64) {
    if beta.is_infinite() {
        return (sums.true_positives, sums.support);
    }
    let square = beta * beta;
    (
        (1.0 + square) * sums.true_positives,
        square * sums.support + sums.predicted,
    )
}
