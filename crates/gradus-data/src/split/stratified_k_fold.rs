//! Folds with the same share of each class.

use gradus_tensor::Rng;

use super::STREAM_FOLDS;
use super::classes::ByKind;
use super::error::SplitError;
use super::folds::{Folds, ScarceClass};
use super::k_fold::{check_folds, deal};
use crate::error::Result;

/// `folds` folds in which the rows of each class, and the rows in all, differ by at most one from fold to fold, as
/// scikit-learn's `StratifiedKFold`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StratifiedKFold {
    /// Number of folds, at least 2 and at most the rows of the largest class.
    pub folds: usize,
    /// Shuffles the rows of each class with this seed; `None` takes them in their order, block by block.
    pub seed: Option<u64>,
}

impl StratifiedKFold {
    /// Divides rows by their `labels`, any numbers. [`Folds::scarce_class`] says when a class is too small to be in
    /// every fold.
    ///
    /// # Errors
    /// When there are fewer than 2 folds, more than rows, or no class has a row for each.
    pub fn split(&self, labels: &[i64]) -> Result<Folds> {
        check_folds(self.folds, labels.len(), "rows")?;
        let mut classes = ByKind::new(labels);
        let sizes = classes.sizes();
        let scarce = check_classes(&sizes, self.folds)?;
        let mut fold_of = vec![0; labels.len()];
        // Each class goes on dealing where the one before stopped: so the folds' sizes differ by at most one, too.
        let mut first = 0;
        for (class, &size) in sizes.iter().enumerate() {
            match self.seed {
                Some(seed) => {
                    let rows = classes.of_mut(class);
                    Rng::derive(seed, &[STREAM_FOLDS, class as u64]).shuffle(rows);
                    deal(rows, first, self.folds, &mut fold_of);
                }
                None => deal_blocks(classes.of(class), first, self.folds, &mut fold_of),
            }
            first = (first + size) % self.folds;
        }
        Ok(Folds::partition(fold_of, self.folds).with_scarce(scarce))
    }
}

/// Refuses folds that no class can fill, and names the smallest class that cannot.
pub(super) fn check_classes(sizes: &[usize], folds: usize) -> Result<Option<ScarceClass>, SplitError> {
    let largest = sizes.iter().copied().max().unwrap_or(0);
    if largest < folds {
        return Err(SplitError::ClassesTooSmall { folds, largest });
    }
    let present = sizes.iter().enumerate().filter(|&(_, &rows)| rows > 0);
    let smallest = present.min_by_key(|&(_, &rows)| rows);
    Ok(smallest
        .filter(|&(_, &rows)| rows < folds)
        .map(|(class, &rows)| ScarceClass { class, rows }))
}

/// Gives each fold as many rows as dealing would, but rows that stand together.
fn deal_blocks(rows: &[u32], first: usize, folds: usize, fold_of: &mut [u32]) {
    let mut rest = rows;
    for fold in 0..folds {
        let turn = (fold + folds - first) % folds;
        let size = rows.len() / folds + usize::from(turn < rows.len() % folds);
        let (block, after) = rest.split_at(size);
        block.iter().for_each(|&row| fold_of[row as usize] = fold as u32);
        rest = after;
    }
}
