//! Metrics of samples that have any number of labels.

use super::classes::{Share, areas};
use super::ratio::Ratio;
use super::statistic::Statistic;
use crate::Result;
use crate::metrics::average_precision::of_ranked as average_precision_of;
use crate::metrics::roc_auc::of_ranked as roc_auc_of;
use crate::metrics::{Average, LabelCounts, MultilabelFlags, ScoreTable, hamming_loss, subset_accuracy};

/// True labels and their probabilities, checked once; those of probability one half or more are predicted.
pub(crate) struct Labels<'a> {
    truth: &'a [u8],
    predicted: Vec<u8>,
    num_labels: usize,
    table: ScoreTable<'a, f64>,
}

/// Makes a metric ready.
pub(super) type OfLabels = for<'a> fn(&'a Labels<'_>) -> Result<Statistic<'a>>;

impl<'a> Labels<'a> {
    pub(super) fn new(truth: &'a [u8], probabilities: &'a [f64], num_labels: usize) -> Result<Self> {
        let table = ScoreTable::of_labels(truth, probabilities, num_labels, None)?;
        Ok(Self {
            truth,
            predicted: probabilities.iter().map(|&p| u8::from(p >= 0.5)).collect(),
            num_labels,
            table,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.truth.len() / self.num_labels
    }

    fn flags(&self) -> Result<MultilabelFlags<'_>> {
        MultilabelFlags::new(self.truth, &self.predicted, self.num_labels, None)
    }

    pub(super) fn subset_accuracy(&self) -> Result<Statistic<'_>> {
        let flags = self.flags()?;
        Ok(Statistic::rows(move |weights| {
            Ok(subset_accuracy(&flags.weighing(weights)))
        }))
    }

    pub(super) fn hamming_loss(&self) -> Result<Statistic<'_>> {
        let flags = self.flags()?;
        Ok(Statistic::rows(move |weights| {
            Ok(hamming_loss(&flags.weighing(weights)))
        }))
    }

    /// An average over labels.
    pub(super) fn by_label(&self, ratio: Ratio, average: Average) -> Result<Statistic<'_>> {
        let flags = self.flags()?;
        Ok(Statistic::rows(move |weights| {
            Ok(ratio(&LabelCounts::by_label(&flags.weighing(weights)), average))
        }))
    }

    /// The mean over samples.
    pub(super) fn by_sample(&self, ratio: Ratio) -> Result<Statistic<'_>> {
        let flags = self.flags()?;
        Ok(Statistic::rows(move |weights| {
            Ok(ratio(
                &LabelCounts::by_sample(&flags.weighing(weights)),
                Average::Macro,
            ))
        }))
    }

    pub(super) fn roc_auc(&self) -> Result<Statistic<'_>> {
        Ok(areas(self.table.ordered(), Share::Equal, |ranked| {
            roc_auc_of(ranked)
        }))
    }

    pub(super) fn weighted_roc_auc(&self) -> Result<Statistic<'_>> {
        Ok(areas(self.table.ordered(), Share::Support, |ranked| {
            roc_auc_of(ranked)
        }))
    }

    pub(super) fn average_precision(&self) -> Result<Statistic<'_>> {
        Ok(areas(self.table.ordered(), Share::Equal, |ranked| {
            Ok(average_precision_of(ranked))
        }))
    }
}
