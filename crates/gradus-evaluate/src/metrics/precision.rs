//! Precision: of the samples predicted as a class, the share that is of it.

use super::Counts;
use super::average::{Average, Averaging, ZeroDivision};

/// Precision of each class, in [0, 1]; `zero_division` for a class that is never predicted.
pub fn precision_per_class(counts: &impl Counts, zero_division: ZeroDivision) -> Vec<f64> {
    (0..counts.num_classes())
        .map(|class| zero_division.divide(counts.true_positives_of(class), counts.predicted_of(class)))
        .collect()
}

/// Averaged precision, in [0, 1]: scikit-learn's `precision_score`.
///
/// ```
/// use gradus_evaluate::metrics::{Average, ConfusionMatrix, LabelSet, precision};
/// let matrix = ConfusionMatrix::from_labels(&[0, 0, 1, 1], &[0, 1, 1, 1], 2)?;
/// let value = precision(&matrix.class_counts(), Average::Macro, LabelSet::Known);
/// assert_eq!(value, (1.0 + 2.0 / 3.0) / 2.0);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn precision(counts: &impl Counts, average: Average, averaging: impl Into<Averaging>) -> f64 {
    average.apply(counts, averaging.into(), |sums| {
        (sums.true_positives, sums.predicted)
    })
}
