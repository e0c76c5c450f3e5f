//! What is resampled when rows can be counted: units that a metric cannot tell apart are one entry with a count.

use std::collections::BTreeMap;

use gradus_tensor::Rng;

use super::binomial;
use crate::metrics::ClassCounts;

/// A place that a row is counted in, and the sums that a resample adds it to.
pub(super) trait Cell: Copy + Ord + Send + Sync {
    /// What a statistic is computed from.
    type Sums;
    /// Sums of no rows.
    fn zeros(num_classes: usize) -> Self::Sums;
    /// Sets sums back to those of no rows.
    fn clear(sums: &mut Self::Sums);
    /// Adds `rows` rows of this cell.
    fn add(self, sums: &mut Self::Sums, rows: u64);
    /// Takes `rows` rows of this cell away.
    fn remove(self, sums: &mut Self::Sums, rows: u64);
    /// The true class of its rows.
    fn truth(self) -> usize;
}

/// A cell of a confusion matrix: (true class, predicted class).
pub(super) type MatrixCell = [u32; 2];

impl Cell for MatrixCell {
    type Sums = ClassCounts;

    fn zeros(num_classes: usize) -> ClassCounts {
        ClassCounts::zeros(num_classes)
    }

    fn clear(sums: &mut ClassCounts) {
        sums.clear();
    }

    fn add(self, sums: &mut ClassCounts, rows: u64) {
        sums.add(self[0] as usize, self[1] as usize, rows);
    }

    fn remove(self, sums: &mut ClassCounts, rows: u64) {
        sums.remove(self[0] as usize, self[1] as usize, rows);
    }

    fn truth(self) -> usize {
        self[0] as usize
    }
}

/// What two models said of the same row: (true class, predicted by the first, predicted by the second).
pub(super) type PairCell = [u32; 3];

impl Cell for PairCell {
    type Sums = [ClassCounts; 2];

    fn zeros(num_classes: usize) -> Self::Sums {
        [(); 2].map(|()| ClassCounts::zeros(num_classes))
    }

    fn clear(sums: &mut Self::Sums) {
        sums.iter_mut().for_each(ClassCounts::clear);
    }

    fn add(self, [first, second]: &mut Self::Sums, rows: u64) {
        let [truth, a, b] = self.map(|class| class as usize);
        first.add(truth, a, rows);
        second.add(truth, b, rows);
    }

    fn remove(self, [first, second]: &mut Self::Sums, rows: u64) {
        let [truth, a, b] = self.map(|class| class as usize);
        first.remove(truth, a, rows);
        second.remove(truth, b, rows);
    }

    fn truth(self) -> usize {
        self[0] as usize
    }
}

/// What is drawn at once, a row or a group of rows, and how many such there are.
#[derive(Clone, Debug)]
pub(super) struct Unit<C> {
    /// The cells of its rows; one for a row.
    pub(super) cells: Vec<(C, u64)>,
    /// Units like it.
    pub(super) count: u64,
}

impl<C: Cell> Unit<C> {
    fn add(&self, sums: &mut C::Sums, times: u64) {
        for &(cell, rows) in &self.cells {
            cell.add(sums, rows * times);
        }
    }

    fn remove(&self, sums: &mut C::Sums) {
        for &(cell, rows) in &self.cells {
            cell.remove(sums, rows);
        }
    }
}

/// Units that replace each other when drawn; a sample without strata is one.
#[derive(Clone, Debug)]
pub(super) struct Stratum<C> {
    /// The most frequent first, so that a draw is over as soon as no samples are left.
    units: Vec<Unit<C>>,
    total: u64,
}

impl<C: Cell> Stratum<C> {
    fn new(mut units: Vec<Unit<C>>) -> Self {
        units.sort_by_key(|unit| std::cmp::Reverse(unit.count));
        let total = units.iter().map(|unit| unit.count).sum();
        Self { units, total }
    }

    /// One multinomial draw: each unit takes a binomial share of the draws not yet placed.
    fn draw(&self, rng: &mut Rng, sums: &mut C::Sums) {
        let mut draws_left = self.total;
        let mut weight_left = self.total;
        for unit in &self.units {
            // The last unit has weight `weight_left`, so its probability is exactly 1 and nothing is lost.
            let drawn = binomial::sample(rng, draws_left, unit.count as f64 / weight_left as f64);
            unit.add(sums, drawn);
            draws_left -= drawn;
            weight_left -= unit.count;
            if draws_left == 0 {
                break;
            }
        }
    }

    /// Shows `each` the sums without one unit, and the number of units like it, for each distinct unit.
    pub(super) fn leave_one_out(&self, sums: &mut C::Sums, mut each: impl FnMut(&C::Sums, u64)) {
        if self.total < 2 {
            return;
        }
        for unit in &self.units {
            unit.remove(sums);
            each(sums, unit.count);
            unit.add(sums, 1);
        }
    }
}

/// Everything that is resampled.
#[derive(Clone, Debug)]
pub(super) struct Population<C> {
    num_classes: usize,
    strata: Vec<Stratum<C>>,
}

impl<C: Cell> Population<C> {
    /// Rows by cell; cells without rows do not matter.
    pub(super) fn of_rows(num_classes: usize, cells: impl IntoIterator<Item = (C, u64)>) -> Self {
        let occupied = cells.into_iter().filter(|&(_, rows)| rows > 0);
        let unit = |(cell, rows)| Unit {
            cells: vec![(cell, 1)],
            count: rows,
        };
        Self {
            num_classes,
            strata: vec![Stratum::new(occupied.map(unit).collect())],
        }
    }

    /// Groups of rows that are drawn whole: `rows` gives each row's group and cell. Groups of the same composition are
    /// units like each other, so rows that all stand alone cost what they cost without groups.
    pub(super) fn of_groups<G: Ord>(num_classes: usize, rows: impl IntoIterator<Item = (G, C)>) -> Self {
        let mut groups: BTreeMap<G, BTreeMap<C, u64>> = BTreeMap::new();
        for (group, cell) in rows {
            *groups.entry(group).or_default().entry(cell).or_default() += 1;
        }
        let mut profiles: BTreeMap<Vec<(C, u64)>, u64> = BTreeMap::new();
        for cells in groups.into_values() {
            *profiles.entry(cells.into_iter().collect()).or_default() += 1;
        }
        let units = profiles.into_iter().map(|(cells, count)| Unit { cells, count });
        Self {
            num_classes,
            strata: vec![Stratum::new(units.collect())],
        }
    }

    /// Each true class with its own number of rows. The units must be rows.
    pub(super) fn stratified(&self) -> Self {
        let mut classes: BTreeMap<usize, Vec<Unit<C>>> = BTreeMap::new();
        for unit in self.strata.iter().flat_map(|stratum| &stratum.units) {
            let truth = unit.cells.first().map_or(0, |(cell, _)| cell.truth());
            classes.entry(truth).or_default().push(unit.clone());
        }
        Self {
            num_classes: self.num_classes,
            strata: classes.into_values().map(Stratum::new).collect(),
        }
    }

    pub(super) fn strata(&self) -> &[Stratum<C>] {
        &self.strata
    }

    /// Sums of no rows.
    pub(super) fn zeros(&self) -> C::Sums {
        C::zeros(self.num_classes)
    }

    /// Sums of the sample as it is.
    pub(super) fn sums(&self) -> C::Sums {
        let mut sums = self.zeros();
        for unit in self.strata.iter().flat_map(|stratum| &stratum.units) {
            unit.add(&mut sums, unit.count);
        }
        sums
    }

    /// The sums of one resample.
    pub(super) fn draw(&self, rng: &mut Rng, sums: &mut C::Sums) {
        C::clear(sums);
        for stratum in &self.strata {
            stratum.draw(rng, sums);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELLS: [(MatrixCell, u64); 6] = [
        ([0, 0], 50),
        ([0, 1], 3),
        ([1, 0], 7),
        ([1, 1], 0),
        ([2, 0], 1),
        ([2, 2], 39),
    ];

    #[test]
    fn every_draw_places_every_row() {
        let population = Population::of_rows(3, CELLS);
        let mut rng = Rng::seed_from(1);
        let mut counts = population.zeros();
        for _ in 0..1000 {
            population.draw(&mut rng, &mut counts);
            assert_eq!(counts.total(), 100);
            assert_eq!(counts.predicted().iter().sum::<u64>(), 100);
        }
    }

    #[test]
    fn strata_keep_their_size() {
        let population = Population::of_rows(3, CELLS).stratified();
        let mut rng = Rng::seed_from(1);
        let mut counts = population.zeros();
        for _ in 0..100 {
            population.draw(&mut rng, &mut counts);
            assert_eq!(counts.support(), [53, 7, 40]);
        }
    }

    #[test]
    fn groups_are_drawn_whole() {
        // Two groups of one composition, one of another.
        let rows = [(1, [0, 0]), (1, [1, 0]), (2, [1, 0]), (2, [0, 0]), (3, [1, 1])];
        let population = Population::of_groups(2, rows);
        assert_eq!(population.strata()[0].units.len(), 2);
        assert_eq!(population.sums().total(), 5);
        let mut rng = Rng::seed_from(1);
        let mut counts = population.zeros();
        for _ in 0..100 {
            population.draw(&mut rng, &mut counts);
            assert_eq!(counts.support()[0], counts.predicted()[0] - counts.support()[0]);
        }
    }

    #[test]
    fn leaving_out_puts_back() {
        let population = Population::of_rows(3, CELLS);
        let mut sums = population.sums();
        let mut units = 0;
        population.strata()[0].leave_one_out(&mut sums, |sums, count| {
            assert_eq!(sums.total(), 99);
            units += count;
        });
        assert_eq!(units, 100);
        assert_eq!(sums, population.sums());
    }
}
