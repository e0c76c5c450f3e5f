//! Folds of whole groups with classes as even as the groups allow.

use gradus_tensor::Rng;

use super::STREAM_FOLDS;
use super::classes::dense;
use super::error::SplitError;
use super::folds::Folds;
use super::k_fold::check_folds;
use super::stratified_k_fold::check_classes;
use crate::error::Result;

/// `folds` folds of whole groups. Groups are taken one by one, those with the most uneven classes first; each goes where
/// it makes the classes' shares differ least from fold to fold, as in scikit-learn's `StratifiedGroupKFold`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StratifiedGroupKFold {
    /// Number of folds, at least 2, at most the number of groups and the rows of the largest class.
    pub folds: usize,
    /// Decides with this seed among groups that are equally uneven; `None` takes them in order of their numbers.
    pub seed: Option<u64>,
}

impl StratifiedGroupKFold {
    /// Divides rows by their `labels` and `groups`, any numbers.
    ///
    /// # Errors
    /// When there is not one label and one group per row, there are fewer than 2 folds, more than groups, or no class
    /// has a row for each.
    pub fn split(&self, labels: &[i64], groups: &[i64]) -> Result<Folds> {
        if labels.len() != groups.len() {
            let (labels, groups) = (labels.len(), groups.len());
            return Err(SplitError::Lengths { labels, groups }.into());
        }
        let (class_of, classes) = dense(labels);
        let (group_of, count) = dense(groups);
        let mut class_sizes = vec![0usize; classes];
        class_of
            .iter()
            .for_each(|&class| class_sizes[class as usize] += 1);
        let mut members: Vec<Vec<(usize, f64)>> = vec![Vec::new(); count];
        for (&class, &group) in class_of.iter().zip(&group_of) {
            let counts = &mut members[group as usize];
            match counts.iter_mut().find(|(known, _)| *known == class as usize) {
                Some((_, rows)) => *rows += 1.0,
                None => counts.push((class as usize, 1.0)),
            }
        }
        let mut order: Vec<usize> = (0..count).filter(|&group| !members[group].is_empty()).collect();
        check_folds(self.folds, order.len(), "groups")?;
        let scarce = check_classes(&class_sizes, self.folds)?;
        if let Some(seed) = self.seed {
            Rng::derive(seed, &[STREAM_FOLDS]).shuffle(&mut order);
        }
        let unevenness: Vec<f64> = members.iter().map(|counts| variance(counts, classes)).collect();
        order.sort_by(|&a, &b| unevenness[b].total_cmp(&unevenness[a]));
        let mut balance = Balance::new(self.folds, &class_sizes);
        let mut fold_of_group = vec![0; count];
        for group in order {
            fold_of_group[group] = balance.place(&members[group]) as u32;
        }
        let fold_of = group_of
            .iter()
            .map(|&group| fold_of_group[group as usize])
            .collect();
        Ok(Folds::partition(fold_of, self.folds).with_scarce(scarce))
    }
}

/// The variance of a group's rows over all classes.
fn variance(counts: &[(usize, f64)], classes: usize) -> f64 {
    let mean = counts.iter().map(|(_, rows)| rows).sum::<f64>() / classes as f64;
    counts.iter().map(|(_, rows)| rows * rows).sum::<f64>() / classes as f64 - mean * mean
}

/// How the classes' shares stand in the folds so far.
struct Balance<'a> {
    folds: usize,
    class_sizes: &'a [usize],
    /// Share of a class in a fold, `[classes, folds]`.
    shares: Vec<f64>,
    /// Sum and sum of squares of a class's shares.
    moments: Vec<(f64, f64)>,
    rows: Vec<f64>,
}

impl<'a> Balance<'a> {
    fn new(folds: usize, class_sizes: &'a [usize]) -> Balance<'a> {
        Balance {
            folds,
            class_sizes,
            shares: vec![0.0; folds * class_sizes.len()],
            moments: vec![(0.0, 0.0); class_sizes.len()],
            rows: vec![0.0; folds],
        }
    }

    /// Puts a group into the fold where the classes' standard deviations over the folds grow least; among equals into
    /// the one with the fewest rows.
    fn place(&mut self, group: &[(usize, f64)]) -> usize {
        let cost = |fold: usize| {
            group
                .iter()
                .map(|&(class, rows)| self.growth(class, fold, rows))
                .sum::<f64>()
        };
        let costs: Vec<f64> = (0..self.folds).map(cost).collect();
        let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
        // Shares are quotients: what is equal on paper differs in the last bits.
        let is_least = |fold: &usize| costs[*fold] <= least + 1e-12;
        let best = (0..self.folds)
            .filter(is_least)
            .min_by(|&a, &b| self.rows[a].total_cmp(&self.rows[b]))
            .unwrap_or(0);
        for &(class, rows) in group {
            let (share, added) = self.share_and_added(class, best, rows);
            let (sum, squares) = &mut self.moments[class];
            *sum += added;
            *squares += 2.0 * share * added + added * added;
            self.shares[class * self.folds + best] += added;
            self.rows[best] += rows;
        }
        best
    }

    fn share_and_added(&self, class: usize, fold: usize, rows: f64) -> (f64, f64) {
        (
            self.shares[class * self.folds + fold],
            rows / self.class_sizes[class] as f64,
        )
    }

    /// By how much the standard deviation of a class's shares grows when `rows` of it go to `fold`.
    fn growth(&self, class: usize, fold: usize, rows: f64) -> f64 {
        let (share, added) = self.share_and_added(class, fold, rows);
        let (sum, squares) = self.moments[class];
        let k = self.folds as f64;
        let deviation = |sum: f64, squares: f64| (squares / k - (sum / k).powi(2)).max(0.0).sqrt();
        deviation(sum + added, squares + 2.0 * share * added + added * added) - deviation(sum, squares)
    }
}
