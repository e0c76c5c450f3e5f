//! Which sets of features are asked about, and how much each counts.

use std::collections::HashMap;

use gradus_tensor::Rng;

/// Sets of features, neither empty nor full, with their weights.
pub(super) struct Coalitions {
    features: usize,
    /// Whether each feature is in, set by set.
    members: Vec<bool>,
    weights: Vec<f64>,
}

impl Coalitions {
    /// The sets that a budget buys: all of them where it can; else those of the sizes that it can take whole, and pairs of
    /// complements drawn from the other sizes. A set and its complement always come together.
    pub(super) fn new(features: usize, budget: usize, seed: u64) -> Coalitions {
        let mut chosen = Coalitions {
            features,
            members: Vec::new(),
            weights: Vec::new(),
        };
        if features < 2 {
            return chosen;
        }
        let sizes = kernel_of_sizes(features);
        let mut left = budget as f64;
        let mut whole = 0;
        for (index, share) in sizes.iter().enumerate() {
            let remaining: f64 = sizes[index..].iter().sum();
            let sets = sets_of(features, index + 1);
            // As in the `shap` package: a size is taken whole when draws would hit each of its sets once on average.
            if left * share / remaining < sets * (1.0 - 1e-8) {
                break;
            }
            chosen.add_size(index + 1, share / sets);
            left -= sets;
            whole += 1;
        }
        chosen.draw(&sizes, whole, left.max(0.0) as usize, &mut Rng::seed_from(seed));
        chosen
    }

    /// Number of sets.
    pub(super) fn len(&self) -> usize {
        self.weights.len()
    }

    /// Number of features.
    pub(super) fn features(&self) -> usize {
        self.features
    }

    /// Which features a set has.
    pub(super) fn members(&self, set: usize) -> &[bool] {
        &self.members[set * self.features..][..self.features]
    }

    /// How much each set counts.
    pub(super) fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// All sets of a size and their complements.
    fn add_size(&mut self, size: usize, weight: f64) {
        let mut picked: Vec<usize> = (0..size).collect();
        loop {
            let mut set = vec![false; self.features];
            picked.iter().for_each(|&feature| set[feature] = true);
            self.add(&set, weight);
            if 2 * size < self.features {
                self.add(&complement(&set), weight);
            }
            // The next combination in lexicographic order.
            let movable = |&at: &usize| picked[at] < self.features - size + at;
            let Some(at) = (0..size).rev().find(movable) else {
                return;
            };
            picked[at] += 1;
            for next in at + 1..size {
                picked[next] = picked[next - 1] + 1;
            }
        }
    }

    fn add(&mut self, set: &[bool], weight: f64) {
        self.members.extend_from_slice(set);
        self.weights.push(weight);
    }

    /// Pairs drawn from the sizes after the first `whole` ones, until there are `most` different sets.
    fn draw(&mut self, sizes: &[f64], whole: usize, most: usize, rng: &mut Rng) {
        /// Draws for each set wanted: most draws of a nearly exhausted size are repetitions.
        const TRIES: usize = 4;
        let left = &sizes[whole..];
        let total: f64 = left.iter().sum();
        if left.is_empty() || most < 2 {
            return;
        }
        let first = self.len();
        let mut known: HashMap<Vec<bool>, usize> = HashMap::new();
        let mut features: Vec<usize> = (0..self.features).collect();
        for _ in 0..TRIES * most {
            if self.len() - first + 2 > most {
                break;
            }
            let size = whole + 1 + pick(left, rng.uniform() * total);
            rng.shuffle(&mut features);
            let mut set = vec![false; self.features];
            features[..size].iter().for_each(|&feature| set[feature] = true);
            for set in [complement(&set), set] {
                let next = self.len();
                let at = *known.entry(set.clone()).or_insert(next);
                match at == next {
                    true => self.add(&set, 1.0),
                    false => self.weights[at] += 1.0,
                }
            }
        }
        let drawn: f64 = self.weights[first..].iter().sum();
        self.weights[first..]
            .iter_mut()
            .for_each(|weight| *weight *= total / drawn);
    }
}

/// The Shapley kernel's weight of all sets of each size and of its complement's, from size 1 to half of the features; they
/// sum to 1.
fn kernel_of_sizes(features: usize) -> Vec<f64> {
    let m = features as f64;
    let weight = |size: usize| {
        let s = size as f64;
        let both = if 2 * size == features { 1.0 } else { 2.0 };
        both * (m - 1.0) / (s * (m - s))
    };
    let weights: Vec<f64> = (1..=features / 2).map(weight).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}

/// How many sets there are of a size and of its complement's.
fn sets_of(features: usize, size: usize) -> f64 {
    let of_size = (0..size)
        .map(|i| (features - i) as f64 / (i + 1) as f64)
        .product::<f64>();
    let both = if 2 * size == features { 1.0 } else { 2.0 };
    (both * of_size).round()
}

fn complement(set: &[bool]) -> Vec<bool> {
    set.iter().map(|member| !member).collect()
}

/// The index into weights at which their running sum passes `at`.
fn pick(weights: &[f64], mut at: f64) -> usize {
    for (index, weight) in weights.iter().enumerate() {
        if at < *weight {
            return index;
        }
        at -= weight;
    }
    weights.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_budget_takes_every_set_once_with_the_kernels_weight() {
        for features in 2..9 {
            let all = Coalitions::new(features, 1 << features, 0);
            assert_eq!(all.len(), (1 << features) - 2, "{features}");
            let mut seen = std::collections::HashSet::new();
            for set in 0..all.len() {
                assert!(seen.insert(all.members(set).to_vec()));
                let size = all.members(set).iter().filter(|&&member| member).count();
                let kernel = |size: usize| {
                    let of_size = (0..size)
                        .map(|i| (features - i) as f64 / (i + 1) as f64)
                        .product::<f64>();
                    (features - 1) as f64 / (of_size * (size * (features - size)) as f64)
                };
                let ratio = all.weights()[set] / kernel(size);
                let first = all.weights()[0] / kernel(1);
                assert!((ratio - first).abs() < 1e-12, "{features} {size}");
            }
        }
    }

    #[test]
    fn a_small_budget_keeps_to_it_and_draws_complements() {
        let some = Coalitions::new(30, 500, 7);
        assert!(some.len() <= 500 && some.len() > 400, "{}", some.len());
        let sets: Vec<&[bool]> = (0..some.len()).map(|set| some.members(set)).collect();
        for set in &sets {
            assert!(sets.contains(&complement(set).as_slice()));
            assert!(set.contains(&true) && set.contains(&false));
        }
        assert!((some.weights().iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn fewer_than_two_features_leave_no_question() {
        assert_eq!(Coalitions::new(1, 100, 0).len(), 0);
        assert_eq!(Coalitions::new(0, 100, 0).len(), 0);
    }
}
