//! Scores of two classes in order: what areas and curves are made of.

use gradus_kernels::pool;

use super::confusion_matrix::check_labels;
use super::input::{check_finite, check_lengths, check_weights, weight_at};
use crate::Result;

/// A score, a probability or a value: `f32` or `f64`.
pub trait Score: Copy + Into<f64> {}

impl<T: Copy + Into<f64>> Score for T {}

/// What has one score.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    /// The score.
    pub(super) threshold: f64,
    /// Weight of the positive samples with it.
    pub(super) positives: f64,
    /// Weight of the negative samples with it.
    pub(super) negatives: f64,
}

/// Samples of two classes by their scores.
pub(crate) trait Ranking {
    /// Weight of all positive and of all negative samples.
    fn totals(&self) -> (f64, f64);
    /// Calls `body` for each distinct score of samples that have weight, the highest first.
    fn for_each(&self, body: impl FnMut(Group));
}

/// The scores of positive and of negative samples, each the highest first. Samples of weight 0 are left out, as
/// scikit-learn leaves them out.
///
/// Two sorted lists need no sample numbers beside the scores, and sort on two threads.
pub(super) enum RankedScores {
    /// Every sample weighs 1.
    Plain([Vec<u64>; 2]),
    /// Samples have weights.
    Weighted([Vec<(u64, f64)>; 2]),
}

/// An entry of a sorted list.
trait Entry: Copy {
    fn key(self) -> u64;
    fn weight(self) -> f64;
}

impl Entry for u64 {
    fn key(self) -> u64 {
        self
    }

    fn weight(self) -> f64 {
        1.0
    }
}

impl Entry for (u64, f64) {
    fn key(self) -> u64 {
        self.0
    }

    fn weight(self) -> f64 {
        self.1
    }
}

/// A number whose ascending order is the descending order of finite scores; −0 and 0 are the same.
pub(super) fn key_of(score: f64) -> u64 {
    let bits = (score + 0.0).to_bits();
    if bits >> 63 == 0 { !bits & !(1 << 63) } else { bits }
}

/// The score of a key.
pub(super) fn score_of(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 0 { !key & !(1 << 63) } else { key })
}

impl RankedScores {
    /// Ranks the scores of a task of the classes 0 and 1.
    pub(super) fn new<S: Score>(truth: &[i64], scores: &[S], weights: Option<&[f64]>) -> Result<Self> {
        check_lengths(("scores", scores.len()), ("true labels", truth.len()))?;
        check_labels("true labels", truth, 2)?;
        check_finite("scores", scores)?;
        check_weights(weights, truth.len())?;
        let samples = truth
            .iter()
            .zip(scores)
            .map(|(&label, &score)| (label == 1, score));
        Ok(Self::of_checked(samples, weights))
    }

    /// Ranks finite scores; the weights, if any, are one a sample.
    pub(super) fn of_checked<S: Score>(
        samples: impl ExactSizeIterator<Item = (bool, S)>,
        weights: Option<&[f64]>,
    ) -> Self {
        match weights {
            None => {
                let mut sides = [
                    Vec::with_capacity(samples.len()),
                    Vec::with_capacity(samples.len()),
                ];
                for (positive, score) in samples {
                    sides[usize::from(positive)].push(key_of(score.into()));
                }
                pool::parallel_chunks_mut(&mut sides, 1, |_, side| side[0].sort_unstable());
                Self::Plain(sides)
            }
            Some(_) => {
                let mut sides = [
                    Vec::with_capacity(samples.len()),
                    Vec::with_capacity(samples.len()),
                ];
                for (index, (positive, score)) in samples.enumerate() {
                    let weight = weight_at(weights, index);
                    if weight > 0.0 {
                        sides[usize::from(positive)].push((key_of(score.into()), weight));
                    }
                }
                // Stable, so that weights of equal scores are added in the order of the samples.
                pool::parallel_chunks_mut(&mut sides, 1, |_, side| side[0].sort_by_key(|entry| entry.0));
                Self::Weighted(sides)
            }
        }
    }
}

impl Ranking for RankedScores {
    fn totals(&self) -> (f64, f64) {
        match self {
            Self::Plain([negatives, positives]) => (positives.len() as f64, negatives.len() as f64),
            Self::Weighted([negatives, positives]) => (weight(positives), weight(negatives)),
        }
    }

    fn for_each(&self, body: impl FnMut(Group)) {
        match self {
            Self::Plain([negatives, positives]) => merge(positives, negatives, body),
            Self::Weighted([negatives, positives]) => merge(positives, negatives, body),
        }
    }
}

fn weight(entries: &[(u64, f64)]) -> f64 {
    entries.iter().map(|entry| entry.1).sum()
}

fn merge<E: Entry>(mut positives: &[E], mut negatives: &[E], mut body: impl FnMut(Group)) {
    while let Some(key) = first_key(positives, negatives) {
        body(Group {
            threshold: score_of(key),
            positives: take(&mut positives, key),
            negatives: take(&mut negatives, key),
        });
    }
}

fn first_key<E: Entry>(left: &[E], right: &[E]) -> Option<u64> {
    match (left.first(), right.first()) {
        (Some(left), Some(right)) => Some(left.key().min(right.key())),
        (Some(only), None) | (None, Some(only)) => Some(only.key()),
        (None, None) => None,
    }
}

/// Takes the entries with a key off the front and returns their weight.
fn take<E: Entry>(entries: &mut &[E], key: u64) -> f64 {
    let mut sum = 0.0;
    while let Some((&first, rest)) = entries.split_first() {
        if first.key() != key {
            break;
        }
        sum += first.weight();
        *entries = rest;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_scores_downwards_and_come_back() {
        let scores = [f64::MAX, 2.5, 1e-300, 0.0, -1e-300, -3.0, f64::MIN];
        for pair in scores.windows(2) {
            assert!(key_of(pair[0]) < key_of(pair[1]), "{pair:?}");
        }
        for score in scores {
            assert_eq!(score_of(key_of(score)), score);
        }
        assert_eq!(key_of(-0.0), key_of(0.0));
    }

    #[test]
    fn equal_scores_make_one_group() {
        let ranked = RankedScores::new(&[1, 0, 1, 0], &[0.5f32, 0.5, 0.9, 0.1], None).unwrap();
        let mut groups = Vec::new();
        ranked.for_each(|group| groups.push((group.positives, group.negatives)));
        assert_eq!(groups, [(1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]);
    }
}
