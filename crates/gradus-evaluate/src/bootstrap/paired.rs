//! Two models on the same rows.

use std::collections::BTreeMap;

use super::counted::{check_groups, of_population};
use super::population::{PairCell, Population};
use super::{BootstrapOptions, Interval, Resampling};
use crate::metrics::{ClassCounts, ConfusionMatrix};
use crate::{Error, Result};

/// Counts of (true class, predicted by A, predicted by B).
///
/// The counts of each model alone are not enough: how a difference varies depends on how often both err on the same row.
#[derive(Clone, Debug)]
pub struct PairedCounts {
    population: Population<PairCell>,
    grouped: bool,
    counts: [ClassCounts; 2],
    only_right: [u64; 2],
}

impl PairedCounts {
    /// Counts rows; the slices have one entry per row, in the same order.
    ///
    /// # Errors
    /// Those of [`ConfusionMatrix::from_labels`].
    pub fn from_labels(truth: &[i64], a: &[i64], b: &[i64], num_classes: usize) -> Result<Self> {
        let cells = cells(truth, a, b, num_classes)?;
        let mut counts: BTreeMap<PairCell, u64> = BTreeMap::new();
        for cell in cells {
            *counts.entry(cell).or_default() += 1;
        }
        let only_right = only_right(truth, a, b);
        Ok(Self::new(
            Population::of_rows(num_classes, counts),
            false,
            only_right,
        ))
    }

    /// Counts rows that come in groups, which are drawn whole; `groups[i]` is the group of row `i`, any number.
    ///
    /// # Errors
    /// As [`Self::from_labels`], and [`Error::LengthMismatch`] unless there is a group for each row.
    pub fn from_grouped_labels(
        truth: &[i64],
        [a, b]: [&[i64]; 2],
        groups: &[u64],
        num_classes: usize,
    ) -> Result<Self> {
        let cells = cells(truth, a, b, num_classes)?;
        check_groups(groups, truth.len())?;
        let population = Population::of_groups(num_classes, groups.iter().zip(cells));
        Ok(Self::new(population, true, only_right(truth, a, b)))
    }

    fn new(population: Population<PairCell>, grouped: bool, only_right: [u64; 2]) -> Self {
        Self {
            counts: population.sums(),
            population,
            grouped,
            only_right,
        }
    }

    /// The counts of A and of B.
    pub fn class_counts(&self) -> &[ClassCounts; 2] {
        &self.counts
    }

    /// Rows that only A has right, and rows that only B has right: the discordant pairs of McNemar's test.
    pub fn only_right(&self) -> [u64; 2] {
        self.only_right
    }
}

fn cells(truth: &[i64], a: &[i64], b: &[i64], num_classes: usize) -> Result<Vec<PairCell>> {
    // Check lengths and ranges.
    ConfusionMatrix::from_labels(truth, a, num_classes)?;
    ConfusionMatrix::from_labels(truth, b, num_classes)?;
    let rows = truth.iter().zip(a).zip(b);
    Ok(rows
        .map(|((&t, &a), &b)| [t as u32, a as u32, b as u32])
        .collect())
}

fn only_right(truth: &[i64], a: &[i64], b: &[i64]) -> [u64; 2] {
    let rows = || truth.iter().zip(a).zip(b);
    let count = |wanted: fn(bool, bool) -> bool| {
        rows()
            .filter(|((truth, a), b)| wanted(truth == a, truth == b))
            .count() as u64
    };
    [count(|a, b| a && !b), count(|a, b| b && !a)]
}

/// Intervals of `outputs` statistics of two models, such as the difference of their accuracies, from resamples that keep
/// what both said of a row together. `statistics` gets the counts of A and of B, and must not write NaN.
///
/// ```
/// use gradus_evaluate::bootstrap::{BootstrapOptions, PairedCounts, paired_intervals};
/// use gradus_evaluate::metrics::accuracy;
/// let truth: Vec<i64> = (0..200).map(|i| i % 2).collect();
/// let a: Vec<i64> = (0..200).map(|i| if i < 30 { 0 } else { i % 2 }).collect();
/// let counts = PairedCounts::from_labels(&truth, &a, &truth, 2)?;
/// let found = paired_intervals(&counts, &BootstrapOptions::default(), 1, |[a, b], out| {
///     out[0] = accuracy(b) - accuracy(a);
/// })?;
/// assert_eq!(counts.only_right(), [0, 15]);
/// assert!(found[0].lower > 0.0 && found[0].upper < 0.15);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
///
/// # Errors
/// As [`intervals`](super::intervals()), and [`Error::StratifiedGroups`].
pub fn paired_intervals(
    counts: &PairedCounts,
    options: &BootstrapOptions,
    outputs: usize,
    statistics: impl Fn(&[ClassCounts; 2], &mut [f64]) + Sync,
) -> Result<Vec<Interval>> {
    if counts.grouped && options.resampling == Resampling::Stratified {
        return Err(Error::StratifiedGroups);
    }
    of_population(&counts.population, options, outputs, statistics)
}
