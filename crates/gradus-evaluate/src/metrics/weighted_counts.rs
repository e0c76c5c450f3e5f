//! The sums of a weighted confusion matrix.

use super::counts::{Counts, OneClassEach};
use super::input::weight_at;

/// [`ClassCounts`](super::ClassCounts) of samples that have weights.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightedCounts {
    pub(super) support: Vec<f64>,
    pub(super) predicted: Vec<f64>,
    pub(super) true_positives: Vec<f64>,
    pub(super) observed: Vec<bool>,
    pub(super) total: f64,
}

impl WeightedCounts {
    /// The counts of a task of two classes.
    pub(super) fn binary(table: [[f64; 2]; 2]) -> Self {
        let [[tn, fp], [fn_, tp]] = table;
        Self {
            support: vec![tn + fp, fn_ + tp],
            predicted: vec![tn + fn_, fp + tp],
            true_positives: vec![tn, tp],
            observed: vec![true; 2],
            total: tn + fp + fn_ + tp,
        }
    }

    /// The sums of (true class, predicted class) pairs below `num_classes`, with a weight each; without weights, 1.
    pub(crate) fn of_pairs(
        pairs: impl Iterator<Item = (i64, i64)>,
        num_classes: usize,
        weights: Option<&[f64]>,
    ) -> Self {
        let zeros = || vec![0.0; num_classes];
        let (mut support, mut predicted, mut true_positives) = (zeros(), zeros(), zeros());
        let mut observed = vec![false; num_classes];
        for (index, (truth, answer)) in pairs.enumerate() {
            let weight = weight_at(weights, index);
            let (truth, answer) = (truth as usize, answer as usize);
            support[truth] += weight;
            predicted[answer] += weight;
            observed[truth] = true;
            observed[answer] = true;
            if truth == answer {
                true_positives[truth] += weight;
            }
        }
        Self {
            total: support.iter().sum(),
            support,
            predicted,
            true_positives,
            observed,
        }
    }

    /// Predicts so much more of each class as class 1, of a task of two classes.
    pub(super) fn predict_as_second(&mut self, of_first: f64, of_second: f64) {
        self.predicted[0] -= of_first + of_second;
        self.predicted[1] += of_first + of_second;
        self.true_positives[0] -= of_first;
        self.true_positives[1] += of_second;
    }

    /// Weight of the samples of each true class.
    pub fn support(&self) -> &[f64] {
        &self.support
    }

    /// Weight of the samples predicted as each class.
    pub fn predicted(&self) -> &[f64] {
        &self.predicted
    }

    /// Weight of the samples of each class that were predicted as it.
    pub fn true_positives(&self) -> &[f64] {
        &self.true_positives
    }
}

impl Counts for WeightedCounts {
    fn num_classes(&self) -> usize {
        self.support.len()
    }

    fn support_of(&self, class: usize) -> f64 {
        self.support[class]
    }

    fn predicted_of(&self, class: usize) -> f64 {
        self.predicted[class]
    }

    fn true_positives_of(&self, class: usize) -> f64 {
        self.true_positives[class]
    }

    fn total_of(&self, _class: usize) -> f64 {
        self.total
    }

    fn is_observed(&self, class: usize) -> bool {
        self.observed[class]
    }
}

impl OneClassEach for WeightedCounts {}
