//! Intervals for metrics that are not functions of counts: areas under curves, losses, errors of regression.

use std::collections::BTreeMap;

use gradus_kernels::pool;
use gradus_tensor::Rng;

use super::method::{Jackknife, acceleration};
use super::{BootstrapOptions, Interval, Method};
use crate::{Error, Result};

/// Resamples that share one random stream: fewer than for counts, because each of them walks the rows.
const CHUNK: usize = 8;

/// Units that are left out one by one for the acceleration. With more, they are left out in this many blocks, whose
/// skewness and number give the same acceleration in the limit; at this number its error is below 0.001.
const MAX_JACKKNIFE: usize = 1_000;

/// Share of the resamples above which a statistic that they leave undefined gets no interval.
const MAX_UNDEFINED: f64 = 0.05;

/// What is drawn when rows are resampled.
#[derive(Clone, Debug)]
pub struct RowSample {
    rows: usize,
    /// The rows of each unit; `None` when each row is one.
    groups: Option<Vec<Vec<usize>>>,
    /// The units of each stratum.
    strata: Vec<Vec<usize>>,
}

impl RowSample {
    /// `rows` rows that do not depend on each other.
    ///
    /// # Errors
    /// [`Error::Empty`] without rows.
    pub fn new(rows: usize) -> Result<Self> {
        if rows == 0 {
            return Err(Error::Empty { what: "rows" });
        }
        Ok(Self {
            rows,
            groups: None,
            strata: vec![(0..rows).collect()],
        })
    }

    /// Rows in strata, each of which keeps its number of rows: `strata[i]` is that of row `i`, such as its class.
    ///
    /// # Errors
    /// [`Error::Empty`] without rows.
    pub fn stratified(strata: &[i64]) -> Result<Self> {
        let sample = Self::new(strata.len())?;
        Ok(Self {
            strata: members(strata),
            ..sample
        })
    }

    /// Rows in groups that are drawn whole: `groups[i]` is that of row `i`, any number.
    ///
    /// # Errors
    /// [`Error::Empty`] without rows.
    pub fn grouped(groups: &[u64]) -> Result<Self> {
        let sample = Self::new(groups.len())?;
        let groups = members(groups);
        Ok(Self {
            strata: vec![(0..groups.len()).collect()],
            groups: Some(groups),
            ..sample
        })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Always false: there are no samples without rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// How often each row is in one resample.
    fn draw(&self, rng: &mut Rng, weights: &mut [f64]) {
        weights.fill(0.0);
        for units in &self.strata {
            for _ in 0..units.len() {
                self.add(units[rng.below(units.len())], 1.0, weights);
            }
        }
    }

    fn add(&self, unit: usize, times: f64, weights: &mut [f64]) {
        match &self.groups {
            None => weights[unit] += times,
            Some(groups) => groups[unit].iter().for_each(|&row| weights[row] += times),
        }
    }

    /// The units that are left out together, by stratum.
    fn blocks(&self) -> Vec<(usize, Vec<usize>)> {
        let units: usize = self.strata.iter().map(Vec::len).sum();
        let size = units.div_ceil(MAX_JACKKNIFE);
        let mut blocks = Vec::new();
        for (stratum, units) in self.strata.iter().enumerate() {
            let count = units.len().div_ceil(size);
            // Every count-th unit: files are often sorted, and a block should look like the whole.
            let block = |first: usize| units.iter().skip(first).step_by(count).copied().collect();
            blocks.extend((0..count).map(|first| (stratum, block(first))));
        }
        blocks
    }
}

/// Rows by key, in the order of the keys.
fn members<K: Ord + Copy>(keys: &[K]) -> Vec<Vec<usize>> {
    let mut members: BTreeMap<K, Vec<usize>> = BTreeMap::new();
    for (row, &key) in keys.iter().enumerate() {
        members.entry(key).or_default().push(row);
    }
    members.into_values().collect()
}

/// Intervals of `outputs` statistics of weighted rows, all from the same resamples.
///
/// `statistics` gets how often each row is in a resample (whole numbers, many of them 0) and writes `outputs` numbers;
/// NaN where the resample leaves a statistic undefined, as it does the area under a ROC curve when it has one class only.
/// Such resamples are left out; a statistic gets no interval when they are more than one in twenty, or when it
/// is undefined on the sample itself. A statistic that sorts should sort once, outside.
///
/// [`super::Resampling`] is not looked at: what is drawn is said by the [`RowSample`].
///
/// ```
/// use gradus_evaluate::bootstrap::{BootstrapOptions, RowSample, row_intervals};
/// let values = [2.0, 3.0, 5.0, 7.0, 11.0, 13.0, 17.0, 19.0];
/// let mean = |weights: &[f64], out: &mut [f64]| {
///     let sum: f64 = weights.iter().zip(&values).map(|(weight, value)| weight * value).sum();
///     out[0] = sum / weights.iter().sum::<f64>();
/// };
/// let found = row_intervals(&RowSample::new(8)?, &BootstrapOptions::default(), 1, mean)?;
/// let interval = found[0].ok_or("a mean is always defined")?;
/// assert!(interval.lower > 4.0 && interval.lower < 9.6 && interval.upper > 9.6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`intervals`](super::intervals()).
pub fn row_intervals(
    sample: &RowSample,
    options: &BootstrapOptions,
    outputs: usize,
    statistics: impl Fn(&[f64], &mut [f64]) + Sync,
) -> Result<Vec<Option<Interval>>> {
    options.validate_for(outputs)?;
    if outputs == 0 {
        return Ok(Vec::new());
    }
    let mut table = vec![0.0; options.resamples * outputs];
    pool::parallel_chunks_mut(&mut table, CHUNK * outputs, |chunk, rows| {
        let mut rng = Rng::derive(options.seed, &[chunk as u64]);
        let mut weights = vec![0.0; sample.rows];
        for row in rows.chunks_exact_mut(outputs) {
            sample.draw(&mut rng, &mut weights);
            statistics(&weights, row);
        }
    });
    let mut values = vec![0.0; outputs];
    statistics(&vec![1.0; sample.rows], &mut values);
    let accelerations = match options.method {
        Method::Percentile | Method::Basic => vec![0.0; outputs],
        Method::Bca => accelerations(sample, &values, &statistics),
    };
    let interval = |output: usize| {
        let column = table.iter().skip(output).step_by(outputs).copied();
        let mut defined: Vec<f64> = column.filter(|value| !value.is_nan()).collect();
        let undefined = (options.resamples - defined.len()) as f64;
        if values[output].is_nan() || undefined > MAX_UNDEFINED * options.resamples as f64 {
            return None;
        }
        let (value, acceleration) = (values[output], accelerations[output]);
        Some(
            options
                .method
                .interval(&mut defined, value, acceleration, options.confidence),
        )
    };
    Ok((0..outputs).map(interval).collect())
}

/// The acceleration of each statistic. Blocks without which it is undefined are left out.
fn accelerations(
    sample: &RowSample,
    values: &[f64],
    statistics: &(impl Fn(&[f64], &mut [f64]) + Sync),
) -> Vec<f64> {
    let blocks = sample.blocks();
    let outputs = values.len();
    let mut without = vec![0.0; blocks.len() * outputs];
    pool::parallel_chunks_mut(&mut without, outputs, |index, out| {
        let mut weights = vec![1.0; sample.rows];
        for &unit in &blocks[index].1 {
            sample.add(unit, -1.0, &mut weights);
        }
        statistics(&weights, out);
    });
    let of_output = |output: usize| {
        let mut strata = vec![Jackknife::default(); sample.strata.len()];
        for ((stratum, _), without) in blocks.iter().zip(without.chunks_exact(outputs)) {
            let difference = without[output] - values[output];
            if !difference.is_nan() {
                strata[*stratum].add(difference, 1);
            }
        }
        acceleration(strata)
    };
    (0..outputs).map(of_output).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Resampling, intervals};
    use super::*;
    use crate::metrics::{ConfusionMatrix, accuracy};

    fn mean_of(values: &[f64]) -> impl Fn(&[f64], &mut [f64]) + Sync {
        move |weights, out| {
            let sum: f64 = weights.iter().zip(values).map(|(w, v)| w * v).sum();
            out[0] = sum / weights.iter().sum::<f64>();
        }
    }

    #[test]
    fn resampling_rows_is_resampling_counts() {
        let right: Vec<f64> = (0..300).map(|row| f64::from(u8::from(row % 7 != 0))).collect();
        let correct = right.iter().sum::<f64>() as u64;
        let matrix = ConfusionMatrix::from_counts(vec![correct, 300 - correct, 0, 0], 2).unwrap();
        for method in [Method::Percentile, Method::Basic, Method::Bca] {
            let options = BootstrapOptions {
                resamples: 20_000,
                method,
                ..Default::default()
            };
            let by_row = row_intervals(&RowSample::new(300).unwrap(), &options, 1, mean_of(&right)).unwrap();
            let by_count = intervals(&matrix, &options, 1, |counts, out| out[0] = accuracy(counts)).unwrap();
            let (row, count) = (by_row[0].unwrap(), by_count[0]);
            assert!((row.lower - count.lower).abs() < 4e-3, "{row:?} {count:?}");
            assert!((row.upper - count.upper).abs() < 4e-3, "{row:?} {count:?}");
        }
    }

    #[test]
    fn blocks_give_the_acceleration_of_single_rows() {
        // Exponential numbers: skewness 2, so the acceleration of the mean is near 2 / (6 √n).
        let rows = 20_000;
        let mut rng = Rng::seed_from(1);
        let values: Vec<f64> = (0..rows).map(|_| -(1.0 - rng.uniform()).ln()).collect();
        let mean = values.iter().sum::<f64>() / rows as f64;
        let found = accelerations(&RowSample::new(rows).unwrap(), &[mean], &mean_of(&values))[0];
        let exact = 2.0 / (6.0 * (rows as f64).sqrt());
        assert!((found - exact).abs() < 1e-3, "{found} {exact}");
    }

    #[test]
    fn groups_that_repeat_rows_widen_intervals() {
        let values: Vec<f64> = (0..400).map(|row| f64::from(row / 10 % 5)).collect();
        let groups: Vec<u64> = (0..400).map(|row| row / 10).collect();
        let options = BootstrapOptions::default();
        let width = |sample: RowSample| {
            let found = row_intervals(&sample, &options, 1, mean_of(&values)).unwrap()[0].unwrap();
            found.upper - found.lower
        };
        let ratio = width(RowSample::grouped(&groups).unwrap()) / width(RowSample::new(400).unwrap());
        // Ten equal rows count as one: √10.
        assert!((2.7..3.7).contains(&ratio), "{ratio}");
        let alone: Vec<u64> = (0..400).collect();
        assert_eq!(
            width(RowSample::grouped(&alone).unwrap()),
            width(RowSample::new(400).unwrap())
        );
    }

    #[test]
    fn strata_take_away_the_variance_between_them() {
        let classes: Vec<i64> = (0..100).map(|row| row % 2).collect();
        let values: Vec<f64> = classes.iter().map(|&class| class as f64).collect();
        let sample = RowSample::stratified(&classes).unwrap();
        let found = row_intervals(&sample, &BootstrapOptions::default(), 1, mean_of(&values)).unwrap();
        assert_eq!(
            found,
            [Some(Interval {
                lower: 0.5,
                upper: 0.5
            })]
        );
    }

    #[test]
    fn statistics_that_are_often_undefined_get_no_interval() {
        // Undefined without row 0, which 37 % of the resamples lack, and never for the second output.
        let found = row_intervals(
            &RowSample::new(50).unwrap(),
            &BootstrapOptions::default(),
            2,
            |weights, out| {
                out[0] = if weights[0] > 0.0 { 1.0 } else { f64::NAN };
                out[1] = weights[1];
            },
        )
        .unwrap();
        assert!(found[0].is_none() && found[1].is_some());
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let values: Vec<f64> = (0..500).map(|row| f64::from(row).sin().exp()).collect();
        let run = |threads| {
            pool::set_threads(threads);
            row_intervals(
                &RowSample::new(500).unwrap(),
                &BootstrapOptions::default(),
                1,
                mean_of(&values),
            )
            .unwrap()
        };
        let threads = pool::threads();
        let (one, three) = (run(1), run(3));
        pool::set_threads(threads);
        assert_eq!(one, three);
        assert_eq!(BootstrapOptions::default().resampling, Resampling::Rows);
    }
}
