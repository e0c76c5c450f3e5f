//! Adding up (true class, predicted class) pairs, in chunks of rows on all threads.

use std::ops::Range;

use gradus_kernels::pool;

use super::confusion_matrix::{check_label_pair, labels_in_range};
use crate::Result;

/// Rows of one chunk: its labels stay in a core's cache between their check and their count. Chunks do not depend on the
/// number of threads, so neither does the order of a sum.
const CHUNK: usize = 1 << 14;

/// Tables with at most this many cells are counted in [`LANES`] copies: 64 KiB of them stay near the L1 cache. Larger ones
/// are counted once, on one thread.
const LANE_CELLS: usize = 2048;

/// Copies of a small table. Consecutive rows often fall into the same cell, and one copy would make each
/// addition wait for the store of the one before.
const LANES: usize = 4;

/// Labels of samples, as many true as predicted ones.
#[derive(Clone, Copy)]
pub(super) struct LabelPairs<'a> {
    pub(super) truth: &'a [i64],
    pub(super) predicted: &'a [i64],
    pub(super) num_classes: usize,
}

/// The weight of each cell, and which cells occur at all.
pub(super) struct WeighedCells {
    pub(super) weights: Vec<f64>,
    pub(super) occupied: Vec<bool>,
}

impl LabelPairs<'_> {
    /// How many pairs fall into each cell of the row-major table.
    pub(super) fn count(self) -> Result<Vec<u64>> {
        let cells = self.num_classes * self.num_classes;
        if cells > LANE_CELLS {
            check_label_pair(self.truth, self.predicted, self.num_classes)?;
            let mut counts = vec![0; cells];
            (0..self.truth.len()).for_each(|row| counts[self.cell(row)] += 1);
            return Ok(counts);
        }
        let mut counts = vec![0; cells];
        for lanes in self.by_chunk(|rows| self.count_in_lanes(rows))? {
            for (count, lane) in counts.iter_mut().zip(&lanes) {
                *count += lane.iter().sum::<u64>();
            }
        }
        Ok(counts)
    }

    /// What the pairs of each cell weigh; there is a weight for each pair.
    pub(super) fn weigh(self, weights: &[f64]) -> Result<WeighedCells> {
        let cells = self.num_classes * self.num_classes;
        let mut sums = WeighedCells {
            weights: vec![0.0; cells],
            occupied: vec![false; cells],
        };
        if cells > LANE_CELLS {
            check_label_pair(self.truth, self.predicted, self.num_classes)?;
            for (row, weight) in weights.iter().enumerate() {
                sums.weights[self.cell(row)] += weight;
                sums.occupied[self.cell(row)] = true;
            }
            return Ok(sums);
        }
        for (lanes, occupied) in self.by_chunk(|rows| self.weigh_in_lanes(rows, weights))? {
            for (cell, lane) in lanes.iter().enumerate() {
                sums.weights[cell] += lane.iter().sum::<f64>();
                sums.occupied[cell] |= occupied[cell];
            }
        }
        Ok(sums)
    }

    fn cell(&self, row: usize) -> usize {
        self.truth[row] as usize * self.num_classes + self.predicted[row] as usize
    }

    /// What `tally` makes of each chunk of rows, once their labels are known to be in range.
    fn by_chunk<T: Send>(self, tally: impl Fn(Range<usize>) -> T + Sync) -> Result<Vec<T>> {
        let rows = self.truth.len();
        let mut parts: Vec<Option<T>> = (0..rows.div_ceil(CHUNK)).map(|_| None).collect();
        pool::parallel_chunks_mut(&mut parts, 1, |index, part| {
            let chunk = index * CHUNK..rows.min((index + 1) * CHUNK);
            let labels = [&self.truth[chunk.clone()], &self.predicted[chunk.clone()]];
            if labels
                .iter()
                .all(|labels| labels_in_range(labels, self.num_classes))
            {
                part[0] = Some(tally(chunk));
            }
        });
        if parts.iter().any(Option::is_none) {
            check_label_pair(self.truth, self.predicted, self.num_classes)?;
        }
        Ok(parts.into_iter().flatten().collect())
    }

    /// The cells of some rows, in groups of [`LANES`]; the last group may be shorter.
    fn groups(&self, rows: Range<usize>) -> impl Iterator<Item = (&[i64], &[i64])> {
        let truth = self.truth[rows.clone()].chunks(LANES);
        truth.zip(self.predicted[rows].chunks(LANES))
    }

    fn count_in_lanes(&self, rows: Range<usize>) -> Vec<[u64; LANES]> {
        let mut lanes = vec![[0; LANES]; self.num_classes * self.num_classes];
        for (truth, predicted) in self.groups(rows) {
            for (lane, (&t, &p)) in truth.iter().zip(predicted).enumerate() {
                lanes[t as usize * self.num_classes + p as usize][lane] += 1;
            }
        }
        lanes
    }

    fn weigh_in_lanes(&self, rows: Range<usize>, weights: &[f64]) -> (Vec<[f64; LANES]>, Vec<bool>) {
        let cells = self.num_classes * self.num_classes;
        let (mut lanes, mut occupied) = (vec![[0.0; LANES]; cells], vec![false; cells]);
        let weights = weights[rows.clone()].chunks(LANES);
        for ((truth, predicted), weights) in self.groups(rows).zip(weights) {
            for (lane, ((&t, &p), weight)) in truth.iter().zip(predicted).zip(weights).enumerate() {
                let cell = t as usize * self.num_classes + p as usize;
                lanes[cell][lane] += weight;
                occupied[cell] = true;
            }
        }
        (lanes, occupied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    /// More rows than two chunks, not a multiple of a group.
    const ROWS: usize = 2 * CHUNK + 4099;

    fn labels(step: usize, num_classes: usize) -> Vec<i64> {
        (0..ROWS)
            .map(|row| ((row * step / 3) % num_classes) as i64)
            .collect()
    }

    #[test]
    fn chunks_and_lanes_count_what_a_plain_loop_counts() {
        for num_classes in [1, 7, 45, 46] {
            let (truth, predicted) = (labels(5, num_classes), labels(7, num_classes));
            let weights: Vec<f64> = (0..ROWS).map(|row| ((row % 8) as f64) / 4.0).collect();
            let pairs = LabelPairs {
                truth: &truth,
                predicted: &predicted,
                num_classes,
            };
            let mut counts = vec![0; num_classes * num_classes];
            let mut sums = vec![0.0; counts.len()];
            for row in 0..ROWS {
                counts[pairs.cell(row)] += 1;
                sums[pairs.cell(row)] += weights[row];
            }
            assert_eq!(pairs.count().unwrap(), counts);
            let weighed = pairs.weigh(&weights).unwrap();
            assert_eq!(
                weighed.weights, sums,
                "dyadic weights add up exactly in any order"
            );
            assert!(
                weighed
                    .occupied
                    .iter()
                    .zip(&counts)
                    .all(|(seen, count)| *seen == (*count > 0))
            );
        }
    }

    #[test]
    fn a_label_out_of_range_in_a_late_chunk_is_named_by_its_row() {
        let (truth, mut predicted) = (labels(5, 7), labels(7, 7));
        predicted[ROWS - 2] = 7;
        let pairs = LabelPairs {
            truth: &truth,
            predicted: &predicted,
            num_classes: 7,
        };
        let found = [
            pairs.count().unwrap_err(),
            pairs.weigh(&vec![1.0; ROWS]).err().unwrap(),
        ];
        for error in found {
            assert!(
                matches!(error, Error::LabelOutOfRange { what: "predicted labels", index, label: 7, .. } if index == ROWS - 2),
                "{error}"
            );
        }
    }
}
