//! The sums of a confusion matrix that most metrics need.

use super::counts::{Counts, OneClassEach};

/// Per class: how often it occurs, how often it is predicted, and how often both at once.
///
/// These three vectors determine accuracy and every precision, recall and F1, and they cost a bootstrap resample
/// one addition per distinct cell, where a dense table would cost `num_classes²`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassCounts {
    support: Vec<u64>,
    predicted: Vec<u64>,
    true_positives: Vec<u64>,
}

impl ClassCounts {
    /// No samples yet of `num_classes` classes.
    pub(crate) fn zeros(num_classes: usize) -> Self {
        let zeros = vec![0; num_classes];
        Self {
            support: zeros.clone(),
            predicted: zeros.clone(),
            true_positives: zeros,
        }
    }

    /// Sets every count back to 0.
    pub(crate) fn clear(&mut self) {
        for counts in [&mut self.support, &mut self.predicted, &mut self.true_positives] {
            counts.fill(0);
        }
    }

    /// Adds `count` samples of class `truth` that were predicted as `predicted`.
    pub(crate) fn add(&mut self, truth: usize, predicted: usize, count: u64) {
        self.support[truth] += count;
        self.predicted[predicted] += count;
        if truth == predicted {
            self.true_positives[truth] += count;
        }
    }

    /// Takes away `count` samples of class `truth` that were predicted as `predicted`, which must be there.
    pub(crate) fn remove(&mut self, truth: usize, predicted: usize, count: u64) {
        self.support[truth] -= count;
        self.predicted[predicted] -= count;
        if truth == predicted {
            self.true_positives[truth] -= count;
        }
    }

    /// Number of classes, those that never occur included.
    pub fn num_classes(&self) -> usize {
        self.support.len()
    }

    /// Samples of each true class.
    pub fn support(&self) -> &[u64] {
        &self.support
    }

    /// Samples predicted as each class.
    pub fn predicted(&self) -> &[u64] {
        &self.predicted
    }

    /// Samples of each class that were predicted as it.
    pub fn true_positives(&self) -> &[u64] {
        &self.true_positives
    }

    /// Number of samples.
    pub fn total(&self) -> u64 {
        self.support.iter().sum()
    }

    /// Number of samples predicted correctly.
    pub fn correct(&self) -> u64 {
        self.true_positives.iter().sum()
    }
}

impl Counts for ClassCounts {
    fn num_classes(&self) -> usize {
        self.support.len()
    }

    fn support_of(&self, class: usize) -> f64 {
        self.support[class] as f64
    }

    fn predicted_of(&self, class: usize) -> f64 {
        self.predicted[class] as f64
    }

    fn true_positives_of(&self, class: usize) -> f64 {
        self.true_positives[class] as f64
    }

    fn total_of(&self, _class: usize) -> f64 {
        self.total() as f64
    }

    fn is_observed(&self, class: usize) -> bool {
        self.support[class] + self.predicted[class] > 0
    }
}

impl OneClassEach for ClassCounts {}
