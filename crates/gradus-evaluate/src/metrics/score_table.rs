//! Scores of several classes or labels, and averages of a metric of two classes over them.

use super::confusion_matrix::check_labels;
use super::input::{check_finite, check_flags, check_rows, check_weights, weight_at};
use super::ordered_scores::OrderedScores;
use super::ranked_scores::{RankedScores, Ranking, Score};
use crate::Result;

/// How a metric of two classes becomes one number for several; scikit-learn's `average=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreAverage {
    /// The plain mean over classes or labels.
    Macro,
    /// The metric of all (sample, label) pairs pooled.
    Micro,
    /// The mean over classes or labels, weighted by their numbers of samples.
    Weighted,
    /// The mean over samples of the metric of a sample's labels.
    Samples,
}

/// What samples are: each of one class, or with any number of labels.
#[derive(Clone, Copy, Debug)]
enum Truth<'a> {
    Classes(&'a [i64]),
    Flags(&'a [u8]),
}

/// A score of each sample for each class or label, checked once.
#[derive(Clone, Copy, Debug)]
pub struct ScoreTable<'a, S> {
    truth: Truth<'a>,
    scores: &'a [S],
    width: usize,
    weights: Option<&'a [f64]>,
}

impl<'a, S: Score> ScoreTable<'a, S> {
    /// Samples of one class each: one column per class, which stands against the rest. `scores` is row-major,
    /// `[samples, num_classes]`.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty), [`Error::LengthMismatch`](crate::Error::LengthMismatch),
    /// [`Error::LabelOutOfRange`](crate::Error::LabelOutOfRange), and [`MetricError`](super::MetricError) for scores that
    /// are not finite or weights that are negative, not finite or all 0.
    pub fn of_classes(
        labels: &'a [i64],
        scores: &'a [S],
        num_classes: usize,
        weights: Option<&'a [f64]>,
    ) -> Result<Self> {
        check_labels("true labels", labels, num_classes)?;
        Self::checked(Truth::Classes(labels), labels.len(), scores, num_classes, weights)
    }

    /// Samples with any number of labels. `flags` and `scores` are row-major, `[samples, num_labels]`.
    ///
    /// # Errors
    /// Those of [`Self::of_classes`], and [`MetricError::Flag`](super::MetricError::Flag).
    pub fn of_labels(
        flags: &'a [u8],
        scores: &'a [S],
        num_labels: usize,
        weights: Option<&'a [f64]>,
    ) -> Result<Self> {
        let samples = flags.len() / num_labels.max(1);
        check_rows(
            "true labels",
            flags.len(),
            ("samples × labels", samples),
            num_labels,
        )?;
        check_flags("true labels", flags)?;
        Self::checked(Truth::Flags(flags), samples, scores, num_labels, weights)
    }

    fn checked(
        truth: Truth<'a>,
        samples: usize,
        scores: &'a [S],
        width: usize,
        weights: Option<&'a [f64]>,
    ) -> Result<Self> {
        check_rows("scores", scores.len(), ("samples × classes", samples), width)?;
        check_finite("scores", scores)?;
        check_weights(weights, samples)?;
        Ok(Self {
            truth,
            scores,
            width,
            weights,
        })
    }

    fn samples(&self) -> usize {
        self.scores.len() / self.width
    }

    fn applies(&self, sample: usize, column: usize) -> bool {
        match self.truth {
            Truth::Classes(labels) => labels[sample] == column as i64,
            Truth::Flags(flags) => flags[sample * self.width + column] == 1,
        }
    }

    fn entry(&self, sample: usize, column: usize) -> (bool, S) {
        (
            self.applies(sample, column),
            self.scores[sample * self.width + column],
        )
    }

    /// A column against the rest.
    pub(super) fn column(&self, column: usize) -> RankedScores {
        let samples = (0..self.samples()).map(|sample| self.entry(sample, column));
        RankedScores::of_checked(samples, self.weights)
    }

    /// Each column against the rest, ordered once.
    pub(super) fn ordered(&self) -> Vec<OrderedScores> {
        let column = |column: usize| {
            OrderedScores::new((0..self.samples()).map(|sample| {
                let (positive, score) = self.entry(sample, column);
                (sample, positive, score)
            }))
        };
        (0..self.width).map(column).collect()
    }

    /// A sample's columns.
    pub(super) fn row(&self, sample: usize) -> RankedScores {
        RankedScores::of_checked((0..self.width).map(|column| self.entry(sample, column)), None)
    }

    /// All pairs of sample and column.
    fn pooled(&self) -> RankedScores {
        let width = self.width;
        let pairs = (0..self.scores.len()).map(|index| self.entry(index / width, index % width));
        let weights: Option<Vec<f64>> = self.weights.map(|weights| {
            let repeated = weights
                .iter()
                .flat_map(|&weight| std::iter::repeat_n(weight, width));
            repeated.collect()
        });
        RankedScores::of_checked(pairs, weights.as_deref())
    }

    /// Averages a metric of two classes. What weighs nothing is left out, so its metric need not be defined; 0 when
    /// nothing weighs anything.
    pub(super) fn average(
        &self,
        average: ScoreAverage,
        metric: impl Fn(&RankedScores) -> Result<f64>,
    ) -> Result<f64> {
        let columns = 0..self.width;
        match average {
            ScoreAverage::Micro => metric(&self.pooled()),
            ScoreAverage::Macro => mean(columns.map(|column| (1.0, self.column(column))), metric),
            ScoreAverage::Weighted => mean(
                columns.map(|column| {
                    let ranked = self.column(column);
                    (ranked.totals().0, ranked)
                }),
                metric,
            ),
            ScoreAverage::Samples => mean(
                (0..self.samples()).map(|sample| (weight_at(self.weights, sample), self.row(sample))),
                metric,
            ),
        }
    }
}

/// The mean of a metric over parts with their weights; those that weigh nothing are left out.
pub(super) fn mean<R: Ranking>(
    parts: impl Iterator<Item = (f64, R)>,
    metric: impl Fn(&R) -> Result<f64>,
) -> Result<f64> {
    let (mut sum, mut total) = (0.0, 0.0);
    for (weight, ranked) in parts.filter(|(weight, _)| *weight > 0.0) {
        sum += weight * metric(&ranked)?;
        total += weight;
    }
    Ok(if total == 0.0 { 0.0 } else { sum / total })
}
