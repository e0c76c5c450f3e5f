//! Folds with the same share of each label, where a row may have several.

use gradus_tensor::Rng;

use super::STREAM_FOLDS;
use super::folds::Folds;
use super::k_fold::check_folds;
use crate::error::Result;

/// `folds` folds in which each label is about as frequent as in all rows, by iterative stratification (Sechidis, Tsoumakas
/// and Vlahavas, ECML PKDD 2011): the rows of the rarest label are dealt out first, each to the fold that lacks most of it.
///
/// Sizes of folds differ by a few rows, as the labels want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MultilabelKFold {
    /// Number of folds, at least 2 and at most the number of rows.
    pub folds: usize,
    /// Decides the order of rows, and where folds lack the same.
    pub seed: u64,
}

impl MultilabelKFold {
    /// Divides rows by their labels: `flags` is `[rows, labels]` in row order, 0 where a label does not apply.
    ///
    /// # Errors
    /// When there are fewer than 2 folds, or more than rows.
    ///
    /// # Panics
    /// When `flags` are no whole rows of at least one label.
    pub fn split(&self, flags: &[u8], labels: usize) -> Result<Folds> {
        assert!(
            labels > 0 && flags.len().is_multiple_of(labels),
            "flags are rows of labels"
        );
        let rows = flags.len() / labels;
        check_folds(self.folds, rows, "rows")?;
        let mut rng = Rng::derive(self.seed, &[STREAM_FOLDS]);
        let mut order: Vec<usize> = (0..rows).collect();
        rng.shuffle(&mut order);
        let mut dealing = Dealing::new(flags, labels, self.folds);
        while let Some(label) = dealing.rarest_label() {
            for &row in order.iter().filter(|&&row| flags[row * labels + label] != 0) {
                dealing.give(row, Some(label), &mut rng);
            }
        }
        for &row in &order {
            dealing.give(row, None, &mut rng);
        }
        dealing.fill_empty_folds();
        Ok(Folds::partition(dealing.fold_of, self.folds))
    }
}

/// The fold of a row that has none yet.
const NONE: u32 = u32::MAX;

/// What each fold still lacks. Wants are counted in parts of a row, one for each fold, so that they are whole numbers.
struct Dealing<'a> {
    flags: &'a [u8],
    labels: usize,
    folds: usize,
    fold_of: Vec<u32>,
    /// Rows of each label that have no fold yet.
    left: Vec<usize>,
    /// `[folds]`.
    rows_wanted: Vec<i64>,
    /// `[folds, labels]`.
    labels_wanted: Vec<i64>,
}

impl<'a> Dealing<'a> {
    fn new(flags: &'a [u8], labels: usize, folds: usize) -> Dealing<'a> {
        let rows = flags.len() / labels;
        let mut left = vec![0; labels];
        for row in flags.chunks_exact(labels) {
            for (count, &flag) in left.iter_mut().zip(row) {
                *count += usize::from(flag != 0);
            }
        }
        Dealing {
            flags,
            labels,
            folds,
            fold_of: vec![NONE; rows],
            rows_wanted: vec![rows as i64; folds],
            labels_wanted: left
                .iter()
                .map(|&count| count as i64)
                .collect::<Vec<_>>()
                .repeat(folds),
            left,
        }
    }

    /// The label with the fewest rows left, of those that have any.
    fn rarest_label(&self) -> Option<usize> {
        let with_rows = (0..self.labels).filter(|&label| self.left[label] > 0);
        with_rows.min_by_key(|&label| self.left[label])
    }

    /// Gives a row that has no fold yet to the one that lacks most of the label, of these to the one that lacks most rows, of
    /// these to any.
    fn give(&mut self, row: usize, label: Option<usize>, rng: &mut Rng) {
        if self.fold_of[row] != NONE {
            return;
        }
        let lack = |fold: usize| {
            let of_label = label.map_or(0, |label| self.labels_wanted[fold * self.labels + label]);
            (of_label, self.rows_wanted[fold])
        };
        let most = (0..self.folds).map(lack).max();
        let equal: Vec<usize> = (0..self.folds).filter(|&fold| Some(lack(fold)) == most).collect();
        let fold = equal[rng.below(equal.len())];
        self.fold_of[row] = fold as u32;
        self.rows_wanted[fold] -= self.folds as i64;
        for label in 0..self.labels {
            if self.flags[row * self.labels + label] != 0 {
                self.left[label] -= 1;
                self.labels_wanted[fold * self.labels + label] -= self.folds as i64;
            }
        }
    }

    /// Gives each fold that got nothing, which happens with a handful of rows, one of the fold that has most.
    fn fill_empty_folds(&mut self) {
        let mut sizes = vec![0usize; self.folds];
        self.fold_of.iter().for_each(|&fold| sizes[fold as usize] += 1);
        for empty in 0..self.folds {
            let largest = (0..self.folds).max_by_key(|&fold| sizes[fold]).unwrap_or(0);
            if sizes[empty] > 0 {
                continue;
            }
            if let Some(fold) = self.fold_of.iter_mut().find(|fold| **fold as usize == largest) {
                *fold = empty as u32;
                sizes[largest] -= 1;
                sizes[empty] += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::KFold;
    use super::*;
    use gradus_tensor::Rng;
    use proptest::prelude::*;

    /// How far the folds' numbers of each label lie from their even share, at most and in all.
    fn unevenness(folds: &Folds, flags: &[u8], labels: usize) -> (f64, f64) {
        let (mut most, mut sum) = (0.0f64, 0.0);
        for label in 0..labels {
            let count = |rows: &[usize]| {
                rows.iter()
                    .filter(|&&row| flags[row * labels + label] != 0)
                    .count()
            };
            let all: Vec<usize> = (0..flags.len() / labels).collect();
            let share = count(&all) as f64 / folds.len() as f64;
            for fold in folds.iter() {
                let off = (count(&fold.test) as f64 - share).abs();
                most = most.max(off);
                sum += off;
            }
        }
        (most, sum)
    }

    proptest! {
        #[test]
        fn each_row_is_tested_once_and_no_fold_is_empty(
            (folds, labels, flags) in (2usize..6, 1usize..5).prop_flat_map(|(folds, labels)| {
                let flags = prop::collection::vec(0u8..2, labels * folds..labels * 60);
                (Just(folds), Just(labels), flags)
            }), seed: u64,
        ) {
            let rows = flags.len() / labels;
            let flags = &flags[..rows * labels];
            let divided = MultilabelKFold { folds, seed }.split(flags, labels).unwrap();
            let mut tested: Vec<usize> = divided.iter().flat_map(|fold| fold.test).collect();
            tested.sort_unstable();
            prop_assert_eq!(tested, (0..rows).collect::<Vec<_>>());
            prop_assert!(divided.iter().all(|fold| !fold.test.is_empty()));
            prop_assert_eq!(&MultilabelKFold { folds, seed }.split(flags, labels).unwrap(), &divided);
        }
    }

    #[test]
    fn labels_keep_their_shares_where_chance_does_not() {
        // Six labels from rare to frequent, half of them bound to the one before.
        let (rows, labels) = (1000, 6);
        let mut rng = Rng::seed_from(3);
        let mut flags = vec![0u8; rows * labels];
        for row in flags.chunks_exact_mut(labels) {
            for label in 0..labels {
                let bound = label % 2 == 1 && row[label - 1] != 0;
                let share = [0.02, 0.05, 0.1, 0.2, 0.4, 0.6][label];
                row[label] = u8::from(rng.uniform() < if bound { 0.8 } else { share });
            }
        }
        for seed in 0..5 {
            let stratified = MultilabelKFold { folds: 5, seed }.split(&flags, labels).unwrap();
            let (most, sum) = unevenness(&stratified, &flags, labels);
            assert!(most <= 3.0, "{most} rows of a label too many or too few");
            let random = KFold {
                folds: 5,
                seed: Some(seed),
            }
            .split(rows)
            .unwrap();
            let (_, by_chance) = unevenness(&random, &flags, labels);
            assert!(sum * 4.0 < by_chance, "{sum} against {by_chance}");
            assert!(stratified.iter().all(|fold| fold.test.len().abs_diff(200) <= 5));
        }
    }

    #[test]
    fn refuses_more_folds_than_rows() {
        assert!(MultilabelKFold { folds: 3, seed: 0 }.split(&[1, 0], 1).is_err());
    }
}
