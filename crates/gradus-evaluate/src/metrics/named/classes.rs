//! Metrics of samples that are each of one class.

use super::statistic::{Counted, OfCounts, Statistic};
use crate::Result;
use crate::metrics::average_precision::of_ranked as average_precision_of;
use crate::metrics::brier::sample_brier_scores;
use crate::metrics::calibration_error::{Confidences, first_largest};
use crate::metrics::ordered_scores::{OrderedScores, Weighing};
use crate::metrics::ranked_scores::Ranking;
use crate::metrics::roc_auc::of_ranked as roc_auc_of;
use crate::metrics::roc_auc_one_vs_one::ClassPairs;
use crate::metrics::score_table::mean;
use crate::metrics::top_k::sample_hits;
use crate::metrics::{
    ConfusionMatrix, KappaWeights, MetricError, PairAverage, ScoreTable, WeightedConfusionMatrix,
    cohen_kappa, sample_log_losses,
};

/// Bins of the calibration error, as in its source.
const CALIBRATION_BINS: usize = 15;

/// True classes and probabilities, checked once; the predicted class is the first most probable.
pub(crate) struct Classes<'a> {
    truth: &'a [i64],
    probabilities: &'a [f64],
    num_classes: usize,
    predicted: Vec<i64>,
    table: ScoreTable<'a, f64>,
}

/// Makes a metric ready.
pub(super) type OfClasses = for<'a> fn(&'a Classes<'_>) -> Result<Statistic<'a>>;

impl<'a> Classes<'a> {
    pub(super) fn new(truth: &'a [i64], probabilities: &'a [f64], num_classes: usize) -> Result<Self> {
        let table = ScoreTable::of_classes(truth, probabilities, num_classes, None)?;
        let rows = probabilities.chunks_exact(num_classes);
        Ok(Self {
            truth,
            probabilities,
            num_classes,
            predicted: rows.map(|row| first_largest(row).0 as i64).collect(),
            table,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.truth.len()
    }

    /// A function of the counts.
    pub(super) fn counted(&self, of: OfCounts) -> Result<Statistic<'_>> {
        Ok(Statistic::Counts(Counted {
            truth: self.truth,
            predicted: &self.predicted,
            num_classes: self.num_classes,
            of,
        }))
    }

    /// A function of the counts of two classes, which speaks of class 1.
    pub(super) fn binary(&self, of: OfCounts) -> Result<Statistic<'_>> {
        if self.num_classes == 2 {
            return self.counted(of);
        }
        Err(MetricError::Undefined {
            metric: "the average `binary`",
            reason: "there are not two classes; name one such as `macro_f1`",
        }
        .into())
    }

    pub(super) fn cohen_kappa(&self) -> Result<Statistic<'_>> {
        let (truth, predicted, classes) = (self.truth, &self.predicted, self.num_classes);
        Ok(Statistic::rows(move |weights| match weights {
            None => cohen_kappa(
                &ConfusionMatrix::from_labels(truth, predicted, classes)?,
                KappaWeights::Unweighted,
            ),
            Some(weights) => cohen_kappa(
                &WeightedConfusionMatrix::from_labels(truth, predicted, classes, weights)?,
                KappaWeights::Unweighted,
            ),
        }))
    }

    pub(super) fn log_loss(&self) -> Result<Statistic<'_>> {
        let losses = sample_log_losses(self.truth, self.probabilities, self.num_classes)?;
        Ok(Statistic::mean(losses))
    }

    pub(super) fn brier_score(&self) -> Result<Statistic<'_>> {
        let scores = sample_brier_scores(self.truth, self.probabilities, self.num_classes)?;
        Ok(Statistic::mean(scores))
    }

    pub(super) fn top_k_accuracy(&self, k: usize) -> Result<Statistic<'_>> {
        let hits = sample_hits(self.truth, self.probabilities, self.num_classes, k)?;
        Ok(Statistic::mean(hits))
    }

    pub(super) fn calibration_error(&self) -> Result<Statistic<'_>> {
        let confidences =
            Confidences::new(self.truth, self.probabilities, self.num_classes, CALIBRATION_BINS)?;
        Ok(Statistic::rows(move |weights| Ok(confidences.error(weights))))
    }

    pub(super) fn roc_auc(&self) -> Result<Statistic<'_>> {
        Ok(areas(self.columns(), Share::Equal, roc_auc_of))
    }

    pub(super) fn weighted_roc_auc(&self) -> Result<Statistic<'_>> {
        Ok(areas(self.table.ordered(), Share::Support, |ranked| {
            roc_auc_of(ranked)
        }))
    }

    pub(super) fn roc_auc_one_vs_one(&self) -> Result<Statistic<'_>> {
        let pairs = ClassPairs::of_checked(self.truth, self.probabilities, self.num_classes);
        Ok(Statistic::rows(move |weights| {
            pairs.mean_area(PairAverage::Macro, weights)
        }))
    }

    pub(super) fn average_precision(&self) -> Result<Statistic<'_>> {
        Ok(areas(self.columns(), Share::Equal, |ranked| {
            Ok(average_precision_of(ranked))
        }))
    }

    /// The scores of class 1 of two, else of each class.
    fn columns(&self) -> Vec<OrderedScores> {
        let mut columns = self.table.ordered();
        if self.num_classes == 2 {
            columns.remove(0);
        }
        columns
    }
}

/// What a class or label counts in the mean of their areas.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    /// As much as each other.
    Equal,
    /// The weight of its samples.
    Support,
}

/// The mean over classes or labels of the area under a curve.
pub(super) fn areas<'a>(
    columns: Vec<OrderedScores>,
    share: Share,
    area: fn(&Weighing) -> Result<f64>,
) -> Statistic<'a> {
    Statistic::rows(move |weights| {
        let parts = columns.iter().map(|column| {
            let ranked = column.weighing(weights);
            let share = match share {
                Share::Equal => 1.0,
                Share::Support => ranked.totals().0,
            };
            (share, ranked)
        });
        mean(parts, area)
    })
}
