//! Folds of equal size.

use gradus_tensor::Rng;

use super::STREAM_FOLDS;
use super::error::SplitError;
use super::folds::Folds;
use crate::error::Result;

/// `folds` folds whose sizes differ by at most one, as scikit-learn's `KFold`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KFold {
    /// Number of folds, at least 2 and at most the number of rows.
    pub folds: usize,
    /// Shuffles the rows with this seed; `None` tests them in their order, block by block.
    pub seed: Option<u64>,
}

impl KFold {
    /// Divides `rows` rows.
    ///
    /// # Errors
    /// When there are fewer than 2 folds, or more than rows.
    pub fn split(&self, rows: usize) -> Result<Folds> {
        check_folds(self.folds, rows, "rows")?;
        let mut fold_of = vec![0; rows];
        match self.seed {
            Some(seed) => {
                let mut order: Vec<u32> = (0..rows as u32).collect();
                Rng::derive(seed, &[STREAM_FOLDS]).shuffle(&mut order);
                deal(&order, 0, self.folds, &mut fold_of);
            }
            None => {
                let mut rest = fold_of.as_mut_slice();
                for fold in 0..self.folds {
                    let size = rows / self.folds + usize::from(fold < rows % self.folds);
                    let (block, after) = rest.split_at_mut(size);
                    block.fill(fold as u32);
                    rest = after;
                }
            }
        }
        Ok(Folds::partition(fold_of, self.folds))
    }
}

/// Refuses fold counts that make no sense for `found` things to divide.
pub(super) fn check_folds(folds: usize, found: usize, unit: &'static str) -> Result<(), SplitError> {
    if folds < 2 {
        return Err(SplitError::TooFewFolds { folds });
    }
    if folds > found {
        return Err(SplitError::TooManyFolds {
            folds,
            needed: folds,
            found,
            unit,
        });
    }
    Ok(())
}

/// Deals rows out like cards, the first to fold `first`.
pub(super) fn deal(rows: &[u32], first: usize, folds: usize, fold_of: &mut [u32]) {
    let mut fold = first;
    for &row in rows {
        fold_of[row as usize] = fold as u32;
        fold += 1;
        if fold == folds {
            fold = 0;
        }
    }
}
