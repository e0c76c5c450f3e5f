//! Scores of two classes in an order that is found once, for metrics under many weights.

use super::ranked_scores::{Group, Ranking, Score, key_of, score_of};

/// The scores of samples, the highest first, and which samples are positive.
///
/// A [`RankedScores`](super::ranked_scores::RankedScores) sorts the samples that have weight; this sorts all of them
/// and leaves the weights open, so that each resample of a bootstrap costs one walk.
#[derive(Clone, Debug)]
pub(crate) struct OrderedScores {
    samples: Vec<Ordered>,
}

/// One sample.
#[derive(Clone, Copy, Debug)]
struct Ordered {
    key: u64,
    row: usize,
    positive: bool,
}

impl OrderedScores {
    /// Orders (row, whether positive, finite score). Samples of equal score keep their order, so that their weights are
    /// added in it.
    pub(crate) fn new<S: Score>(samples: impl Iterator<Item = (usize, bool, S)>) -> Self {
        let mut samples: Vec<Ordered> = samples
            .map(|(row, positive, score)| Ordered {
                key: key_of(score.into()),
                row,
                positive,
            })
            .collect();
        samples.sort_by_key(|sample| sample.key);
        Self { samples }
    }

    /// With the weights of all rows; `None` weighs each 1. The one walk that looks weights up.
    pub(crate) fn weighing(&self, weights: Option<&[f64]>) -> Weighing {
        let mut groups: Vec<Group> = Vec::with_capacity(self.samples.len());
        let (mut totals, mut last) = ([0.0; 2], None);
        for sample in &self.samples {
            let weight = weights.map_or(1.0, |weights| weights[sample.row]);
            if weight == 0.0 {
                continue;
            }
            let parts = if sample.positive {
                [weight, 0.0]
            } else {
                [0.0, weight]
            };
            totals = [totals[0] + parts[0], totals[1] + parts[1]];
            match groups.last_mut().filter(|_| last == Some(sample.key)) {
                Some(group) => {
                    group.positives += parts[0];
                    group.negatives += parts[1];
                }
                None => groups.push(Group {
                    threshold: score_of(sample.key),
                    positives: parts[0],
                    negatives: parts[1],
                }),
            }
            last = Some(sample.key);
        }
        Weighing { groups, totals }
    }
}

/// Ordered scores whose samples have weights.
#[derive(Clone, Debug)]
pub(crate) struct Weighing {
    groups: Vec<Group>,
    /// Weight of the positive and of the negative samples.
    totals: [f64; 2],
}

impl Ranking for Weighing {
    fn totals(&self) -> (f64, f64) {
        let [positives, negatives] = self.totals;
        (positives, negatives)
    }

    fn for_each(&self, body: impl FnMut(Group)) {
        self.groups.iter().copied().for_each(body);
    }
}

#[cfg(test)]
mod tests {
    use super::super::ranked_scores::RankedScores;
    use super::*;

    fn groups(ranking: &impl Ranking) -> Vec<[f64; 3]> {
        let mut groups = Vec::new();
        ranking.for_each(|group| groups.push([group.threshold, group.positives, group.negatives]));
        groups
    }

    #[test]
    fn an_order_found_once_ranks_as_sorting_anew_does() {
        let truth = [1i64, 0, 1, 0, 0, 1, 1, 0];
        let scores = [0.5f32, 0.5, 0.9, 0.1, 0.9, 0.3, 0.5, 0.7];
        let samples = truth.iter().zip(&scores).enumerate();
        let ordered = OrderedScores::new(samples.map(|(row, (&label, &score))| (row, label == 1, score)));
        let integers = [2.0, 0.0, 1.0, 3.0, 1.0, 0.0, 0.5, 0.0];
        for weights in [None, Some(&integers[..])] {
            let anew = RankedScores::new(&truth, &scores, weights).unwrap();
            let once = ordered.weighing(weights);
            assert_eq!(once.totals(), anew.totals());
            assert_eq!(groups(&once), groups(&anew));
        }
    }
}
