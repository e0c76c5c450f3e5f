//! Drawing resampled counts and reading intervals off them.

use gradus_kernels::pool;
use gradus_tensor::Rng;

use super::{BootstrapOptions, Interval, binomial};
use crate::metrics::{ClassCounts, ConfusionMatrix};
use crate::{Error, Result};

/// Resamples that share one random stream: about a millisecond of work for ten classes, so a thousand resamples
/// still spread over 16 threads.
const CHUNK: usize = 64;

/// Largest table of resampled statistics kept in memory, in numbers (512 MiB).
const MAX_TABLE: usize = 64 << 20;

/// Percentile intervals of `outputs` statistics of the confusion matrix, all from the same resamples.
///
/// `statistics` writes the `outputs` numbers of one resample, which must not be NaN. It gets [`ClassCounts`],
/// because those are what a resample can add up cheaply.
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
    options.validate()?;
    if options
        .resamples
        .checked_mul(outputs)
        .is_none_or(|numbers| numbers > MAX_TABLE)
    {
        return Err(Error::BootstrapOption {
            option: "resamples",
            value: options.resamples as f64,
            expected: "fewer, for this many classes",
        });
    }
    if outputs == 0 {
        return Ok(Vec::new());
    }
    let cells = Cells::of(matrix);
    let mut table = vec![0.0; options.resamples * outputs];
    pool::parallel_chunks_mut(&mut table, CHUNK * outputs, |chunk, rows| {
        let mut rng = Rng::derive(options.seed, &[chunk as u64]);
        let mut counts = ClassCounts::zeros(matrix.num_classes());
        for row in rows.chunks_exact_mut(outputs) {
            cells.draw(&mut rng, &mut counts);
            statistics(&counts, row);
        }
    });
    Ok((0..outputs)
        .map(|output| interval_of_column(&table, outputs, output, options.confidence))
        .collect())
}

/// A count that is not 0, with its place in the matrix.
struct Cell {
    truth: usize,
    predicted: usize,
    count: u64,
}

/// The distinct cells of a matrix, the fullest first, so that a draw is over as soon as no samples are left.
struct Cells {
    cells: Vec<Cell>,
    total: u64,
}

impl Cells {
    fn of(matrix: &ConfusionMatrix) -> Self {
        let classes = matrix.num_classes();
        let counted = matrix
            .counts()
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0);
        let mut cells: Vec<Cell> = counted
            .map(|(index, &count)| Cell {
                truth: index / classes,
                predicted: index % classes,
                count,
            })
            .collect();
        cells.sort_by_key(|cell| std::cmp::Reverse(cell.count));
        Self {
            cells,
            total: matrix.total(),
        }
    }

    /// One multinomial draw: each cell takes a binomial share of the samples not yet placed.
    fn draw(&self, rng: &mut Rng, counts: &mut ClassCounts) {
        counts.clear();
        let mut samples_left = self.total;
        let mut weight_left = self.total;
        for cell in &self.cells {
            // The last cell has weight `weight_left`, so its probability is exactly 1 and nothing is lost.
            let drawn = binomial::sample(rng, samples_left, cell.count as f64 / weight_left as f64);
            counts.add(cell.truth, cell.predicted, drawn);
            samples_left -= drawn;
            weight_left -= cell.count;
            if samples_left == 0 {
                break;
            }
        }
    }
}

fn interval_of_column(table: &[f64], outputs: usize, output: usize, confidence: f64) -> Interval {
    let mut column: Vec<f64> = table.iter().skip(output).step_by(outputs).copied().collect();
    let tail = (1.0 - confidence) / 2.0;
    Interval {
        lower: quantile(&mut column, tail),
        upper: quantile(&mut column, 1.0 - tail),
    }
}

/// The quantile with linear interpolation between order statistics: NumPy's default. Reorders `values`.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    let position = share * (values.len() - 1) as f64;
    let fraction = position.fract();
    let (_, &mut below, above) = values.select_nth_unstable_by(position as usize, f64::total_cmp);
    let next = above.iter().copied().min_by(f64::total_cmp).unwrap_or(below);
    below + (next - below) * fraction
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Average, LabelSet, accuracy, f1};

    fn accuracy_and_macro_f1(counts: &ClassCounts, out: &mut [f64]) {
        out[0] = accuracy(counts);
        out[1] = f1(counts, Average::Macro, LabelSet::Known);
    }

    #[test]
    fn quantiles_interpolate_as_numpy_does() {
        let mut values = [7.0, 1.0, 4.0, 2.0];
        assert_eq!(quantile(&mut values, 0.0), 1.0);
        assert_eq!(quantile(&mut values, 0.25), 1.75);
        assert_eq!(quantile(&mut values, 0.5), 3.0);
        assert_eq!(quantile(&mut values, 1.0), 7.0);
    }

    #[test]
    fn every_draw_places_every_sample() {
        let matrix = ConfusionMatrix::from_counts(vec![50, 3, 0, 0, 7, 1, 1, 0, 38], 3).unwrap();
        let cells = Cells::of(&matrix);
        let mut rng = Rng::seed_from(1);
        let mut counts = ClassCounts::zeros(3);
        for _ in 0..1000 {
            cells.draw(&mut rng, &mut counts);
            assert_eq!(counts.total(), 100);
            assert_eq!(counts.predicted().iter().sum::<u64>(), 100);
        }
    }

    #[test]
    fn resampling_cells_is_resampling_rows() {
        let matrix = ConfusionMatrix::from_counts(vec![120, 14, 6, 9, 70, 21, 2, 5, 53], 3).unwrap();
        let options = BootstrapOptions {
            resamples: 20_000,
            ..Default::default()
        };
        let by_cell = intervals(&matrix, &options, 2, accuracy_and_macro_f1).unwrap();
        let by_row = row_resampled_intervals(&matrix, 20_000);
        for (cell, row) in by_cell.iter().zip(&by_row) {
            assert!((cell.lower - row.lower).abs() < 2e-3, "{cell:?} {row:?}");
            assert!((cell.upper - row.upper).abs() < 2e-3, "{cell:?} {row:?}");
        }
    }

    /// The textbook bootstrap: walks all rows for each resample.
    fn row_resampled_intervals(matrix: &ConfusionMatrix, resamples: usize) -> Vec<Interval> {
        let classes = matrix.num_classes();
        let rows: Vec<usize> = (0..classes * classes)
            .flat_map(|cell| std::iter::repeat_n(cell, matrix.counts()[cell] as usize))
            .collect();
        let mut rng = Rng::seed_from(11);
        let mut table = vec![0.0; resamples * 2];
        for out in table.chunks_exact_mut(2) {
            let mut counts = ClassCounts::zeros(classes);
            for _ in 0..rows.len() {
                let cell = rows[(rng.uniform() * rows.len() as f64) as usize];
                counts.add(cell / classes, cell % classes, 1);
            }
            accuracy_and_macro_f1(&counts, out);
        }
        (0..2)
            .map(|output| interval_of_column(&table, 2, output, 0.95))
            .collect()
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let matrix = ConfusionMatrix::from_counts(vec![120, 14, 6, 9, 70, 21, 2, 5, 53], 3).unwrap();
        let options = BootstrapOptions {
            resamples: 1_000,
            ..Default::default()
        };
        let threads = pool::threads();
        pool::set_threads(1);
        let one = intervals(&matrix, &options, 2, accuracy_and_macro_f1).unwrap();
        pool::set_threads(3);
        let three = intervals(&matrix, &options, 2, accuracy_and_macro_f1).unwrap();
        pool::set_threads(threads);
        assert_eq!(one, three);
    }

    #[test]
    fn refuses_options_outside_their_range() {
        let matrix = ConfusionMatrix::from_counts(vec![1, 0, 0, 1], 2).unwrap();
        for options in [
            BootstrapOptions {
                resamples: 10,
                ..Default::default()
            },
            BootstrapOptions {
                confidence: 1.0,
                ..Default::default()
            },
            BootstrapOptions {
                confidence: f64::NAN,
                ..Default::default()
            },
        ] {
            let result = intervals(&matrix, &options, 2, accuracy_and_macro_f1);
            assert!(
                matches!(result, Err(Error::BootstrapOption { .. })),
                "{options:?}"
            );
        }
    }
}
