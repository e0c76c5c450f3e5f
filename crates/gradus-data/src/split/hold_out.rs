//! A share of each class held out: what `validation_fraction` and `max_samples` of a recipe use.

use gradus_tensor::Rng;
use serde::{Deserialize, Serialize};

use super::{Parts, STREAM_HOLD_OUT};
use crate::error::{Error, Result};

/// How the rows of one source are trained on and held out of it: what `validation_fraction`, `max_samples` and `seed` of a
/// recipe say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldOut {
    /// The share of the chosen rows that is held out for validation, from 0 to below 1.
    pub fraction: f64,
    /// The number of rows that are chosen, with the classes' shares. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_samples: Option<usize>,
    /// Decides which rows.
    pub seed: u64,
}

impl HoldOut {
    /// Divides rows whose classes are `strata`; without classes they are all of one.
    ///
    /// # Errors
    /// When `fraction` is no share, or leaves no row on one side.
    pub fn divide(&self, strata: &[i64]) -> Result<Parts> {
        let chosen = self.limit(strata, (0..strata.len()).collect())?;
        if self.fraction == 0.0 {
            return Ok(Parts {
                train: chosen,
                ..Parts::default()
            });
        }
        let strata: Vec<i64> = chosen.iter().map(|&index| strata[index]).collect();
        let split = split_stratified(&strata, self.fraction, self.seed)?;
        if split.kept.is_empty() || split.held_out.is_empty() {
            return Err(Error::TooFewToSplit {
                samples: chosen.len(),
                fraction: self.fraction,
            });
        }
        let original = |side: Vec<usize>| side.into_iter().map(|index| chosen[index]).collect();
        Ok(Parts {
            train: original(split.kept),
            validation: original(split.held_out),
            test: Vec::new(),
        })
    }

    /// At most as many of the samples as are to be chosen, with the classes' shares.
    pub(crate) fn limit(&self, strata: &[i64], chosen: Vec<usize>) -> Result<Vec<usize>> {
        let Some(most) = self.max_samples.filter(|&most| most < chosen.len()) else {
            return Ok(chosen);
        };
        let strata: Vec<i64> = chosen.iter().map(|&index| strata[index]).collect();
        let drawn = split_stratified(&strata, most as f64 / chosen.len() as f64, self.seed)?.held_out;
        Ok(drawn.into_iter().map(|index| chosen[index]).collect())
    }
}

/// Indices of the samples on either side, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StratifiedSplit {
    /// Those that stay.
    pub kept: Vec<usize>,
    /// Those that are held out.
    pub held_out: Vec<usize>,
}

/// Holds out the share `fraction` of each class: `fraction · n` samples in all, rounded to the nearest number, and of
/// each class the whole part of its share, the rest going to the classes with the largest remainders (ties to the class
/// with the lower index).
///
/// # Errors
/// When `fraction` is not from 0 to 1.
pub fn split_stratified(labels: &[i64], fraction: f64, seed: u64) -> Result<StratifiedSplit> {
    if !(0.0..=1.0).contains(&fraction) {
        return Err(Error::SplitFraction { fraction });
    }
    let mut members = members_by_class(labels);
    let quotas = quotas(&members, fraction, labels.len());
    let mut is_held_out = vec![false; labels.len()];
    for (class, (members, quota)) in members.iter_mut().zip(quotas).enumerate() {
        Rng::derive(seed, &[STREAM_HOLD_OUT, class as u64]).shuffle(members);
        for &index in &members[..quota] {
            is_held_out[index] = true;
        }
    }
    let (held_out, kept) = (0..labels.len()).partition(|&index| is_held_out[index]);
    Ok(StratifiedSplit { kept, held_out })
}

/// Indices of each class's samples. Negative labels do not occur: they are indices into the class names.
fn members_by_class(labels: &[i64]) -> Vec<Vec<usize>> {
    let classes = labels.iter().max().map_or(0, |&greatest| greatest as usize + 1);
    let mut members = vec![Vec::new(); classes];
    for (index, &label) in labels.iter().enumerate() {
        members[label as usize].push(index);
    }
    members
}

/// How many samples of each class to hold out, by the method of largest remainders.
fn quotas(members: &[Vec<usize>], fraction: f64, total: usize) -> Vec<usize> {
    let shares: Vec<f64> = members
        .iter()
        .map(|members| members.len() as f64 * fraction)
        .collect();
    let mut quotas: Vec<usize> = shares.iter().map(|share| share.floor() as usize).collect();
    let wanted = (total as f64 * fraction).round() as usize;
    let mut by_remainder: Vec<usize> = (0..members.len())
        .filter(|&class| quotas[class] < members[class].len())
        .collect();
    let remainder = |class: &usize| shares[*class] - shares[*class].floor();
    by_remainder.sort_by(|a, b| remainder(b).total_cmp(&remainder(a)));
    let missing = wanted.saturating_sub(quotas.iter().sum());
    for &class in by_remainder.iter().take(missing) {
        quotas[class] += 1;
    }
    quotas
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_sample_is_on_one_side_and_classes_keep_their_share(
            labels in prop::collection::vec(0i64..7, 0..400), fraction in 0.0f64..=1.0, seed: u64,
        ) {
            let split = split_stratified(&labels, fraction, seed).unwrap();
            let mut all = [split.kept.clone(), split.held_out.clone()].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
            prop_assert_eq!(split.held_out.len(), (labels.len() as f64 * fraction).round() as usize);
            for class in 0..7 {
                let count = |side: &[usize]| side.iter().filter(|&&i| labels[i] == class).count() as f64;
                let share = (count(&split.kept) + count(&split.held_out)) * fraction;
                prop_assert!((count(&split.held_out) - share).abs() <= 1.0 + 1e-9);
            }
            prop_assert_eq!(split_stratified(&labels, fraction, seed).unwrap(), split);
        }
    }

    #[test]
    fn another_seed_gives_another_split() {
        let labels: Vec<i64> = (0..100).map(|i| i % 4).collect();
        let held_out = |seed| split_stratified(&labels, 0.3, seed).unwrap().held_out;
        assert_ne!(held_out(1), held_out(2));
    }

    #[test]
    fn refuses_shares_that_are_none() {
        for fraction in [-0.1, 1.5, f64::NAN] {
            assert!(matches!(
                split_stratified(&[0], fraction, 0),
                Err(Error::SplitFraction { .. })
            ));
        }
    }
}
