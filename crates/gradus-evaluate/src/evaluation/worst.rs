//! The errors that surprised a model most.

use gradus_data::{Dataset, Preprocessing};
use serde::{Deserialize, Serialize};

use super::Sample;
use crate::Predictions;

/// A wrongly predicted sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorstError {
    /// Its place in the data set.
    pub index: usize,
    /// Its true class.
    pub label: usize,
    /// The class it was predicted as.
    pub predicted: usize,
    /// Its log-loss in nats.
    pub loss: f64,
    /// The probability of each class.
    pub probabilities: Vec<f64>,
    /// The sample itself, where it can be shown; not part of the JSON form.
    #[serde(skip)]
    pub sample: Option<Sample>,
}

/// Everything that worst errors are picked from; the slices have one entry per sample.
pub(super) struct Candidates<'a> {
    pub(super) predictions: &'a Predictions,
    pub(super) predicted: &'a [i64],
    pub(super) losses: &'a [f64],
    pub(super) dataset: &'a Dataset,
    pub(super) preprocessing: Option<&'a Preprocessing>,
}

impl Candidates<'_> {
    /// The `count` errors of largest loss, the worst first; of equal ones the one that comes first.
    pub(super) fn pick(&self, count: usize) -> Vec<WorstError> {
        let labels = self.dataset.labels();
        let mut wrong: Vec<usize> = (0..labels.len())
            .filter(|&at| labels[at] != self.predicted[at])
            .collect();
        wrong.sort_by(|&a, &b| self.losses[b].total_cmp(&self.losses[a]));
        wrong
            .into_iter()
            .take(count)
            .map(|index| self.describe(index))
            .collect()
    }

    fn describe(&self, index: usize) -> WorstError {
        WorstError {
            index,
            label: self.dataset.labels()[index] as usize,
            predicted: self.predicted[index] as usize,
            loss: self.losses[index],
            probabilities: self.predictions.probabilities(index),
            sample: Sample::of(self.dataset.samples(), self.preprocessing, index),
        }
    }
}
