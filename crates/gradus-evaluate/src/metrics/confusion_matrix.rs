//! Counts of (true class, predicted class) pairs.

use serde::{Deserialize, Serialize};

use super::ClassCounts;
use super::average::ZeroDivision;
use super::pair_counts::LabelPairs;
use crate::{Error, Result};

/// Largest number of classes of a dense table: 128 MiB of counts.
const MAX_CLASSES: usize = 4096;

/// How [`ConfusionMatrix::normalized`] divides the counts; the names in brackets are scikit-learn's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// Each row sums to 1: shares of a true class (`true`).
    True,
    /// Each column sums to 1: shares of a predicted class (`pred`).
    Predicted,
    /// The whole table sums to 1 (`all`).
    All,
}

/// A `num_classes × num_classes` table: entry (t, p) counts the samples of true class `t` predicted as `p`.
///
/// The orientation is scikit-learn's `confusion_matrix`.
///
/// ```
/// use gradus_evaluate::metrics::ConfusionMatrix;
/// let matrix = ConfusionMatrix::from_labels(&[0, 1, 1, 2], &[0, 1, 2, 2], 3)?;
/// assert_eq!(matrix.count(1, 2), 1);
/// assert_eq!(matrix.total(), 4);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawMatrix")]
pub struct ConfusionMatrix {
    num_classes: usize,
    counts: Vec<u64>,
}

/// What a stored matrix holds before it is checked.
#[derive(Deserialize)]
struct RawMatrix {
    num_classes: usize,
    counts: Vec<u64>,
}

impl TryFrom<RawMatrix> for ConfusionMatrix {
    type Error = Error;

    fn try_from(raw: RawMatrix) -> Result<Self> {
        Self::from_counts(raw.counts, raw.num_classes)
    }
}

impl ConfusionMatrix {
    /// Counts the pairs `(truth[i], predicted[i])`.
    ///
    /// # Errors
    /// [`Error::Empty`] without samples, [`Error::LengthMismatch`], [`Error::ClassCount`], and
    /// [`Error::LabelOutOfRange`] with the first label outside `0..num_classes`.
    pub fn from_labels(truth: &[i64], predicted: &[i64], num_classes: usize) -> Result<Self> {
        check_class_count(num_classes)?;
        check_pair_lengths(truth, predicted)?;
        let pairs = LabelPairs {
            truth,
            predicted,
            num_classes,
        };
        Ok(Self {
            num_classes,
            counts: pairs.count()?,
        })
    }

    /// A matrix from its row-major counts.
    ///
    /// # Errors
    /// [`Error::ClassCount`], [`Error::LengthMismatch`] unless there are `num_classes²` counts, and
    /// [`Error::Empty`] when all of them are 0.
    pub fn from_counts(counts: Vec<u64>, num_classes: usize) -> Result<Self> {
        check_class_count(num_classes)?;
        if counts.len() != num_classes * num_classes {
            return Err(Error::LengthMismatch {
                left_name: "confusion matrix counts",
                left: counts.len(),
                right_name: "the square of the class count",
                right: num_classes * num_classes,
            });
        }
        if counts.iter().all(|&count| count == 0) {
            return Err(Error::Empty {
                what: "confusion matrix",
            });
        }
        Ok(Self { num_classes, counts })
    }

    /// Number of classes, those that never occur included.
    pub fn num_classes(&self) -> usize {
        self.num_classes
    }

    /// Samples of class `truth` predicted as `predicted`.
    ///
    /// # Panics
    /// When either is not below [`Self::num_classes`].
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        assert!(
            predicted < self.num_classes,
            "class {predicted} of {}",
            self.num_classes
        );
        self.counts[truth * self.num_classes + predicted]
    }

    /// All counts, row-major, one row per true class.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Number of samples; never 0.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The per-class sums that accuracy, precision, recall and F1 are made of.
    pub fn class_counts(&self) -> ClassCounts {
        let mut sums = ClassCounts::zeros(self.num_classes);
        for (truth, row) in self.counts.chunks_exact(self.num_classes).enumerate() {
            for (predicted, &count) in row.iter().enumerate() {
                sums.add(truth, predicted, count);
            }
        }
        sums
    }

    /// Row-major shares, by scikit-learn's `normalize=`; a row, column or table without samples gives zeros.
    pub fn normalized(&self, normalization: Normalization) -> Vec<f64> {
        normalize(self, normalization)
    }
}

/// Weights of (true class, predicted class) pairs: a [`ConfusionMatrix`] or a
/// [`WeightedConfusionMatrix`](super::WeightedConfusionMatrix).
pub trait ConfusionTable {
    /// Number of classes, those that never occur included.
    fn num_classes(&self) -> usize;
    /// Samples of class `truth` predicted as `predicted`.
    fn weight(&self, truth: usize, predicted: usize) -> f64;
}

impl ConfusionTable for ConfusionMatrix {
    fn num_classes(&self) -> usize {
        self.num_classes
    }

    fn weight(&self, truth: usize, predicted: usize) -> f64 {
        self.counts[truth * self.num_classes + predicted] as f64
    }
}

/// Row-major shares of a table.
pub(super) fn normalize(table: &impl ConfusionTable, normalization: Normalization) -> Vec<f64> {
    let classes = table.num_classes();
    let (mut rows, mut columns, mut total) = (vec![0.0; classes], vec![0.0; classes], 0.0);
    let cells = (0..classes * classes).map(|index| (index / classes, index % classes));
    for (truth, predicted) in cells.clone() {
        let weight = table.weight(truth, predicted);
        rows[truth] += weight;
        columns[predicted] += weight;
        total += weight;
    }
    cells
        .map(|(truth, predicted)| {
            let denominator = match normalization {
                Normalization::True => rows[truth],
                Normalization::Predicted => columns[predicted],
                Normalization::All => total,
            };
            ZeroDivision::Zero.divide(table.weight(truth, predicted), denominator)
        })
        .collect()
}

/// Checks that true and predicted labels are as many, and some.
pub(super) fn check_pair_lengths(truth: &[i64], predicted: &[i64]) -> Result<()> {
    super::input::check_lengths(
        ("predicted labels", predicted.len()),
        ("true labels", truth.len()),
    )
}

/// Checks that true and predicted labels are as many, some, and below `num_classes`.
pub(super) fn check_label_pair(truth: &[i64], predicted: &[i64], num_classes: usize) -> Result<()> {
    check_pair_lengths(truth, predicted)?;
    check_labels("true labels", truth, num_classes)?;
    check_labels("predicted labels", predicted, num_classes)
}

pub(super) fn check_class_count(num_classes: usize) -> Result<()> {
    if (1..=MAX_CLASSES).contains(&num_classes) {
        Ok(())
    } else {
        Err(Error::ClassCount {
            num_classes,
            limit: MAX_CLASSES,
        })
    }
}

/// Whether all labels lie in `0..num_classes`: one vectorised maximum over them as unsigned numbers, where negative ones
/// are huge.
pub(super) fn labels_in_range(labels: &[i64], num_classes: usize) -> bool {
    let largest = labels.iter().fold(0, |largest, &label| largest.max(label as u64));
    largest < num_classes as u64
}

/// Rejects the first label outside `0..num_classes`.
pub(crate) fn check_labels(what: &'static str, labels: &[i64], num_classes: usize) -> Result<()> {
    if labels_in_range(labels, num_classes) {
        return Ok(());
    }
    match labels
        .iter()
        .enumerate()
        .find(|(_, label)| **label as u64 >= num_classes as u64)
    {
        Some((index, &label)) => Err(Error::LabelOutOfRange {
            what,
            index,
            label,
            num_classes,
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn normalises_as_scikit_learn_does() {
        let matrix = ConfusionMatrix::from_labels(&[0, 0, 1, 1, 1], &[0, 1, 1, 1, 0], 3).unwrap();
        assert_eq!(matrix.counts(), [1, 1, 0, 1, 2, 0, 0, 0, 0]);
        let by_row = matrix.normalized(Normalization::True);
        assert_eq!(by_row, [0.5, 0.5, 0.0, 1.0 / 3.0, 2.0 / 3.0, 0.0, 0.0, 0.0, 0.0]);
        let by_column = matrix.normalized(Normalization::Predicted);
        assert_eq!(
            by_column,
            [0.5, 1.0 / 3.0, 0.0, 0.5, 2.0 / 3.0, 0.0, 0.0, 0.0, 0.0]
        );
        assert_eq!(
            matrix.normalized(Normalization::All),
            [0.2, 0.2, 0.0, 0.2, 0.4, 0.0, 0.0, 0.0, 0.0]
        );
    }

    #[test]
    fn names_the_first_label_out_of_range() {
        let error = ConfusionMatrix::from_labels(&[0, 1, -1, 9], &[0, 0, 0, 0], 3).unwrap_err();
        assert!(matches!(
            error,
            Error::LabelOutOfRange {
                what: "true labels",
                index: 2,
                label: -1,
                ..
            }
        ));
        let error = ConfusionMatrix::from_labels(&[0, 1], &[0, 3], 3).unwrap_err();
        assert!(matches!(
            error,
            Error::LabelOutOfRange {
                what: "predicted labels",
                index: 1,
                label: 3,
                ..
            }
        ));
    }

    #[test]
    fn rejects_empty_unequal_and_unreasonable_input() {
        assert!(matches!(
            ConfusionMatrix::from_labels(&[], &[], 3),
            Err(Error::Empty { .. })
        ));
        assert!(matches!(
            ConfusionMatrix::from_labels(&[0], &[0, 1], 3),
            Err(Error::LengthMismatch {
                left: 2,
                right: 1,
                ..
            })
        ));
        assert!(matches!(
            ConfusionMatrix::from_labels(&[0], &[0], 0),
            Err(Error::ClassCount { .. })
        ));
        let too_many = ConfusionMatrix::from_labels(&[0], &[0], usize::MAX);
        assert!(matches!(too_many, Err(Error::ClassCount { .. })));
        assert!(matches!(
            ConfusionMatrix::from_counts(vec![0; 4], 2),
            Err(Error::Empty { .. })
        ));
        assert!(matches!(
            ConfusionMatrix::from_counts(vec![1; 5], 2),
            Err(Error::LengthMismatch { .. })
        ));
    }

    #[test]
    fn a_stored_matrix_is_checked_when_read() {
        let matrix = ConfusionMatrix::from_labels(&[0, 1], &[1, 1], 2).unwrap();
        let text = serde_json::to_string(&matrix).unwrap();
        assert_eq!(serde_json::from_str::<ConfusionMatrix>(&text).unwrap(), matrix);
        let lying = r#"{"num_classes": 3, "counts": [1, 2]}"#;
        assert!(serde_json::from_str::<ConfusionMatrix>(lying).is_err());
    }

    proptest! {
        #[test]
        fn sums_agree_with_the_table(pairs in prop::collection::vec((0i64..50, 0i64..50), 1..300)) {
            let (truth, predicted): (Vec<i64>, Vec<i64>) = pairs.into_iter().unzip();
            let matrix = ConfusionMatrix::from_labels(&truth, &predicted, 50).unwrap();
            let sums = matrix.class_counts();
            prop_assert_eq!(matrix.total(), truth.len() as u64);
            prop_assert_eq!(sums.total(), matrix.total());
            for class in 0..50 {
                let support = truth.iter().filter(|&&t| t == class as i64).count() as u64;
                prop_assert_eq!(sums.support()[class], support);
            }
        }
    }
}
