//! Folds that never tear a group.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use gradus_tensor::Rng;

use super::STREAM_FOLDS;
use super::classes::dense;
use super::folds::Folds;
use super::k_fold::check_folds;
use crate::error::Result;

/// `folds` folds of whole groups, balanced by rows: the largest group that is left goes to the fold with the fewest
/// rows, as in scikit-learn's `GroupKFold`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupKFold {
    /// Number of folds, at least 2 and at most the number of groups.
    pub folds: usize,
    /// Decides with this seed among groups of one size; `None` takes them in order of their numbers.
    pub seed: Option<u64>,
}

impl GroupKFold {
    /// Divides rows by their `groups`, any numbers.
    ///
    /// # Errors
    /// When there are fewer than 2 folds, or more than groups.
    pub fn split(&self, groups: &[i64]) -> Result<Folds> {
        let (group_of, count) = dense(groups);
        let mut sizes = vec![0usize; count];
        group_of.iter().for_each(|&group| sizes[group as usize] += 1);
        let mut order: Vec<usize> = (0..count).filter(|&group| sizes[group] > 0).collect();
        check_folds(self.folds, order.len(), "groups")?;
        if let Some(seed) = self.seed {
            Rng::derive(seed, &[STREAM_FOLDS]).shuffle(&mut order);
        }
        order.sort_by_key(|&group| Reverse(sizes[group]));
        let mut lightest: BinaryHeap<Reverse<(usize, u32)>> =
            (0..self.folds as u32).map(|fold| Reverse((0, fold))).collect();
        let mut fold_of_group = vec![0; count];
        for group in order {
            let Some(Reverse((rows, fold))) = lightest.pop() else {
                break;
            };
            fold_of_group[group] = fold;
            lightest.push(Reverse((rows + sizes[group], fold)));
        }
        let fold_of = group_of
            .iter()
            .map(|&group| fold_of_group[group as usize])
            .collect();
        Ok(Folds::partition(fold_of, self.folds))
    }
}
