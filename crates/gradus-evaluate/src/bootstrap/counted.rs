//! Intervals from resampled counts.

use gradus_kernels::pool;
use gradus_tensor::Rng;

use super::method::{Jackknife, acceleration};
use super::population::{Cell, MatrixCell, Population};
use super::{BootstrapOptions, Interval, Method, Resampling};
use crate::metrics::{ClassCounts, ConfusionMatrix};
use crate::{Error, Result};

/// Resamples that share one random stream: about a millisecond of work for ten classes, so a thousand resamples
/// still spread over 16 threads.
const CHUNK: usize = 64;

/// Intervals of `outputs` statistics of the confusion matrix, all from the same resamples.
///
/// `statistics` writes the `outputs` numbers of one resample, which must not be NaN. It gets [`ClassCounts`],
/// because those are what a resample can add up cheaply. The jackknife of [`Method::Bca`] costs one evaluation for each
/// occupied cell.
///
/// ```
/// use gradus_evaluate::bootstrap::{BootstrapOptions, intervals};
/// use gradus_evaluate::metrics::{ConfusionMatrix, accuracy};
/// let matrix = ConfusionMatrix::from_counts(vec![90, 10, 20, 80], 2)?;
/// let found = intervals(&matrix, &BootstrapOptions::default(), 1, |counts, out| out[0] = accuracy(counts))?;
/// assert!(found[0].lower > 0.78 && found[0].lower < 0.85 && found[0].upper > 0.85);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
///
/// # Errors
/// [`Error::BootstrapOption`] for an option outside its range, or when `resamples × outputs` numbers would not fit
/// the memory set aside for them.
pub fn intervals(
    matrix: &ConfusionMatrix,
    options: &BootstrapOptions,
    outputs: usize,
    statistics: impl Fn(&ClassCounts, &mut [f64]) + Sync,
) -> Result<Vec<Interval>> {
    let classes = matrix.num_classes();
    let cells = matrix.counts().iter().enumerate().map(|(at, &rows)| {
        let cell: MatrixCell = [(at / classes) as u32, (at % classes) as u32];
        (cell, rows)
    });
    of_population(&Population::of_rows(classes, cells), options, outputs, statistics)
}

/// Labels and predictions of rows that come in groups, such as the visits of one patient.
#[derive(Clone, Debug)]
pub struct GroupedCounts {
    population: Population<MatrixCell>,
}

impl GroupedCounts {
    /// Counts rows by group: `groups[i]` is the group of row `i`, any number.
    ///
    /// # Errors
    /// Those of [`ConfusionMatrix::from_labels`], and [`Error::LengthMismatch`] unless there is a group for each row.
    pub fn from_labels(truth: &[i64], predicted: &[i64], groups: &[u64], num_classes: usize) -> Result<Self> {
        // Checks lengths and ranges.
        ConfusionMatrix::from_labels(truth, predicted, num_classes)?;
        check_groups(groups, truth.len())?;
        let cells = truth.iter().zip(predicted).map(|(&t, &p)| [t as u32, p as u32]);
        Ok(Self {
            population: Population::of_groups(num_classes, groups.iter().zip(cells)),
        })
    }
}

pub(super) fn check_groups(groups: &[u64], rows: usize) -> Result<()> {
    if groups.len() == rows {
        return Ok(());
    }
    Err(Error::LengthMismatch {
        left_name: "groups",
        left: groups.len(),
        right_name: "rows",
        right: rows,
    })
}

/// As [`intervals`] for rows that come in groups: the cluster bootstrap, which draws groups whole, as many as there are.
///
/// Rows of a group say much the same, so intervals that take them for independent are too narrow.
///
/// # Errors
/// As [`intervals`], and [`Error::StratifiedGroups`].
pub fn grouped_intervals(
    rows: &GroupedCounts,
    options: &BootstrapOptions,
    outputs: usize,
    statistics: impl Fn(&ClassCounts, &mut [f64]) + Sync,
) -> Result<Vec<Interval>> {
    if options.resampling == Resampling::Stratified {
        return Err(Error::StratifiedGroups);
    }
    of_population(&rows.population, options, outputs, statistics)
}

/// Draws, evaluates and reads the intervals off.
pub(super) fn of_population<C: Cell>(
    population: &Population<C>,
    options: &BootstrapOptions,
    outputs: usize,
    statistics: impl Fn(&C::Sums, &mut [f64]) + Sync,
) -> Result<Vec<Interval>> {
    options.validate_for(outputs)?;
    if outputs == 0 {
        return Ok(Vec::new());
    }
    let stratified;
    let population = match options.resampling {
        Resampling::Rows => population,
        Resampling::Stratified => {
            stratified = population.stratified();
            &stratified
        }
    };
    let mut table = vec![0.0; options.resamples * outputs];
    pool::parallel_chunks_mut(&mut table, CHUNK * outputs, |chunk, rows| {
        let mut rng = Rng::derive(options.seed, &[chunk as u64]);
        let mut sums = population.zeros();
        for row in rows.chunks_exact_mut(outputs) {
            population.draw(&mut rng, &mut sums);
            statistics(&sums, row);
        }
    });
    let mut values = vec![0.0; outputs];
    statistics(&population.sums(), &mut values);
    let accelerations = match options.method {
        Method::Percentile | Method::Basic => vec![0.0; outputs],
        Method::Bca => accelerations(population, &values, &statistics),
    };
    let interval = |output: usize| {
        let mut column: Vec<f64> = table.iter().skip(output).step_by(outputs).copied().collect();
        options.method.interval(
            &mut column,
            values[output],
            accelerations[output],
            options.confidence,
        )
    };
    let mut found = vec![
        Interval {
            lower: 0.0,
            upper: 0.0
        };
        outputs
    ];
    pool::parallel_chunks_mut(&mut found, 1, |output, slot| slot[0] = interval(output));
    Ok(found)
}

/// The acceleration of each statistic.
fn accelerations<C: Cell>(
    population: &Population<C>,
    values: &[f64],
    statistics: &impl Fn(&C::Sums, &mut [f64]),
) -> Vec<f64> {
    let mut sums = population.sums();
    let mut without = vec![0.0; values.len()];
    let mut by_output = vec![Vec::with_capacity(population.strata().len()); values.len()];
    for stratum in population.strata() {
        let mut jackknives = vec![Jackknife::default(); values.len()];
        stratum.leave_one_out(&mut sums, |sums, count| {
            statistics(sums, &mut without);
            for ((jackknife, without), value) in jackknives.iter_mut().zip(&without).zip(values) {
                jackknife.add(without - value, count);
            }
        });
        by_output
            .iter_mut()
            .zip(jackknives)
            .for_each(|(all, jackknife)| all.push(jackknife));
    }
    by_output.into_iter().map(acceleration).collect()
}

#[cfg(test)]
mod tests;
