//! Confusion matrix of samples that have weights.

use super::confusion_matrix::{check_class_count, check_pair_lengths};
use super::input::check_weights;
use super::pair_counts::LabelPairs;
use super::{ConfusionTable, Normalization, WeightedCounts};
use crate::Result;

/// A `num_classes × num_classes` table: entry (t, p) is the weight of the samples of true class `t` predicted as `p`;
/// scikit-learn's `confusion_matrix` with `sample_weight`.
///
/// ```
/// use gradus_evaluate::metrics::{ConfusionTable, WeightedConfusionMatrix};
/// let matrix = WeightedConfusionMatrix::from_labels(&[0, 1, 1], &[0, 1, 0], 2, &[1.0, 0.5, 2.0])?;
/// assert_eq!(matrix.weight(1, 0), 2.0);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct WeightedConfusionMatrix {
    num_classes: usize,
    weights: Vec<f64>,
    observed: Vec<bool>,
}

impl WeightedConfusionMatrix {
    /// Adds up the weights of the pairs `(truth[i], predicted[i])`.
    ///
    /// # Errors
    /// Those of [`ConfusionMatrix::from_labels`](super::ConfusionMatrix::from_labels), and
    /// [`MetricError`](super::MetricError) for weights that are negative, not finite or all 0.
    pub fn from_labels(
        truth: &[i64],
        predicted: &[i64],
        num_classes: usize,
        weights: &[f64],
    ) -> Result<Self> {
        check_class_count(num_classes)?;
        check_pair_lengths(truth, predicted)?;
        check_weights(Some(weights), truth.len())?;
        let pairs = LabelPairs {
            truth,
            predicted,
            num_classes,
        };
        let cells = pairs.weigh(weights)?;
        let mut observed = vec![false; num_classes];
        for (cell, _) in cells
            .occupied
            .iter()
            .enumerate()
            .filter(|(_, occupied)| **occupied)
        {
            observed[cell / num_classes] = true;
            observed[cell % num_classes] = true;
        }
        Ok(Self {
            num_classes,
            weights: cells.weights,
            observed,
        })
    }

    /// All weights, row-major, one row per true class.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The per-class sums that accuracy, precision, recall and F1 are made of.
    pub fn class_counts(&self) -> WeightedCounts {
        let classes = self.num_classes;
        let (mut support, mut predicted) = (vec![0.0; classes], vec![0.0; classes]);
        for (index, weight) in self.weights.iter().enumerate() {
            support[index / classes] += weight;
            predicted[index % classes] += weight;
        }
        WeightedCounts {
            total: support.iter().sum(),
            support,
            predicted,
            true_positives: (0..classes).map(|class| self.weight(class, class)).collect(),
            observed: self.observed.clone(),
        }
    }

    /// Row-major shares, by scikit-learn's `normalize=`; a row or column without weight gives zeros.
    pub fn normalized(&self, normalization: Normalization) -> Vec<f64> {
        super::confusion_matrix::normalize(self, normalization)
    }
}

impl ConfusionTable for WeightedConfusionMatrix {
    fn num_classes(&self) -> usize {
        self.num_classes
    }

    fn weight(&self, truth: usize, predicted: usize) -> f64 {
        self.weights[truth * self.num_classes + predicted]
    }
}
