//! Jaccard's index: intersection over union.

use super::Counts;
use super::average::{Average, Averaging, Sums, ZeroDivision};

/// Of the samples that are of a class or are predicted as it, the share that is both, in [0, 1]; `zero_division` for a
/// class that is neither there nor predicted.
pub fn jaccard_per_class(counts: &impl Counts, zero_division: ZeroDivision) -> Vec<f64> {
    (0..counts.num_classes())
        .map(|class| {
            let (numerator, denominator) = parts(Sums::of_class(counts, class));
            zero_division.divide(numerator, denominator)
        })
        .collect()
}

/// Averaged Jaccard's index, in [0, 1]: scikit-learn's `jaccard_score`.
///
/// ```
/// use gradus_evaluate::metrics::{Average, ConfusionMatrix, LabelSet, jaccard};
/// let matrix = ConfusionMatrix::from_labels(&[0, 0, 1, 1], &[0, 1, 1, 1], 2)?;
/// assert_eq!(jaccard(&matrix.class_counts(), Average::Binary, LabelSet::Known), 2.0 / 3.0);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn jaccard(counts: &impl Counts, average: Average, averaging: impl Into<Averaging>) -> f64 {
    average.apply(counts, averaging.into(), parts)
}

/// Numerator and denominator.
fn parts(sums: Sums) -> (f64, f64) {
    let union = sums.support + sums.predicted - sums.true_positives;
    (sums.true_positives, union)
}
