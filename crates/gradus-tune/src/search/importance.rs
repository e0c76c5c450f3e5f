//! Which settings matter: PED-ANOVA.

use super::samplers::TruncatedNormal;
use super::space::{Domain, Parameter, Range};
use super::trial::{History, Trial, loss};

/// Trials that count as good.
const GOOD_SHARE: f64 = 0.1;

/// Places that a range is counted on.
const MOST_PLACES: usize = 50;

/// Weight of the kernel over all places, where a trial has 1.
const PRIOR_WEIGHT: f64 = 1.0;

/// Keeps ratios of densities finite.
const FLOOR: f64 = 1e-12;

/// How much a setting decides whether a trial is among the best, as a share of what all settings do.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Importance {
    /// The setting's key.
    pub key: String,
    /// From 0 to 1; all sum to 1.
    pub share: f64,
}

/// The importance of every setting, the largest first; empty for fewer than two complete trials, or where all are equally
/// good.
///
/// Watanabe and others, *PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces* (2023): the
/// Pearson divergence between where the best tenth lies and where all lie. As Optuna's evaluator of this name.
pub fn importances(history: &History<'_>) -> Vec<Importance> {
    let all: Vec<&Trial> = history
        .complete()
        .filter(|trial| trial.value().is_some_and(f64::is_finite))
        .collect();
    let good = best_share(history, &all);
    if all.len() < 2 || good.len() == all.len() {
        return Vec::new();
    }
    let parameters = history.space.parameters();
    let mut importances: Vec<Importance> = parameters
        .iter()
        .enumerate()
        .map(|(at, parameter)| Importance {
            key: parameter.key.clone(),
            share: divergence(parameter, at, &good, &all),
        })
        .collect();
    let total: f64 = importances.iter().map(|importance| importance.share).sum();
    if total <= 0.0 {
        return Vec::new();
    }
    importances
        .iter_mut()
        .for_each(|importance| importance.share /= total);
    importances.sort_by(|a, b| b.share.total_cmp(&a.share));
    importances
}

/// The best tenth, and all that are as good as the last of it.
fn best_share<'a>(history: &History<'_>, all: &[&'a Trial]) -> Vec<&'a Trial> {
    let value = |trial: &Trial| loss(history.direction, trial.value().unwrap_or(f64::NAN));
    let mut losses: Vec<f64> = all.iter().map(|trial| value(trial)).collect();
    losses.sort_by(f64::total_cmp);
    let last = ((GOOD_SHARE * losses.len() as f64).ceil() as usize).saturating_sub(1);
    let Some(&cut) = losses.get(last) else {
        return Vec::new();
    };
    all.iter().copied().filter(|trial| value(trial) <= cut).collect()
}

/// Pearson's divergence of the good trials from all, on the places of a setting.
fn divergence(parameter: &Parameter, at: usize, good: &[&Trial], all: &[&Trial]) -> f64 {
    if parameter.domain.size() == Some(1) {
        return 0.0;
    }
    let [good, all] = [good, all].map(|trials| {
        let values: Vec<f64> = trials.iter().map(|trial| trial.point[at]).collect();
        densities(&parameter.domain, &values)
    });
    let share = |(good, all): (f64, &f64)| all * (good / all - 1.0).powi(2);
    good.into_iter().zip(&all).map(share).sum()
}

/// Probability of each place of a domain, from the values that were tried.
fn densities(domain: &Domain, values: &[f64]) -> Vec<f64> {
    let mixed = match domain {
        Domain::Choice(choices) => {
            let mut counts = vec![0.0; choices.len()];
            values.iter().for_each(|&value| counts[value as usize] += 1.0);
            of_choices(&counts)
        }
        Domain::Range(range) => of_places(&counted(range, values)),
    };
    mixed.into_iter().map(|density| density + FLOOR).collect()
}

/// Values of a range counted on evenly spread places.
fn counted(range: &Range, values: &[f64]) -> Vec<f64> {
    let places = match range.step {
        Some(_) if range.log => {
            let bits = (range.high - range.low + 1.0).ln() / 2f64.ln();
            (bits.ceil() as usize + 1).min(MOST_PLACES)
        }
        Some(step) => {
            let steps = ((range.high - range.low) / step).round() as usize;
            steps.saturating_add(1).min(MOST_PLACES)
        }
        None => MOST_PLACES,
    };
    let [low, high] = [range.low, range.high].map(|end| range.scaled(end));
    let width = (high - low) / (places - 1) as f64;
    let mut counts = vec![0.0; places];
    for &value in values {
        // Ties go to the lower place.
        let place = ((range.scaled(value) - low) / width - 0.5).ceil();
        counts[place.clamp(0.0, (places - 1) as f64) as usize] += 1.0;
    }
    counts
}

/// A kernel for each place that was met, weighted by how often, and one over all: their shares.
fn weights(counts: &[f64]) -> (Vec<usize>, Vec<f64>) {
    let met: Vec<usize> = (0..counts.len()).filter(|&place| counts[place] > 0.0).collect();
    let total = counts.iter().sum::<f64>() + PRIOR_WEIGHT;
    let of_met = met.iter().map(|&place| counts[place] / total);
    let shares = of_met.chain([PRIOR_WEIGHT / total]).collect();
    (met, shares)
}

fn of_choices(counts: &[f64]) -> Vec<f64> {
    let (met, shares) = weights(counts);
    let even = PRIOR_WEIGHT / shares.len() as f64;
    let all = even * counts.len() as f64;
    let at = |choice: usize| {
        let of_met = met.iter().zip(&shares).map(|(&place, share)| {
            let itself = f64::from(u8::from(place == choice));
            share * (even + itself) / (all + 1.0)
        });
        of_met.sum::<f64>() + shares.last().copied().unwrap_or(1.0) * even / all
    };
    (0..counts.len()).map(at).collect()
}

/// Normal kernels as wide as Scott's rule has them (*Multivariate Density Estimation*, 1992).
fn of_places(counts: &[f64]) -> Vec<f64> {
    let (met, shares) = weights(counts);
    let last = (counts.len() - 1) as f64;
    let sigma = scott(&met, counts);
    let normals: Vec<TruncatedNormal> = met
        .iter()
        .map(|&place| (place as f64, sigma))
        .chain([(last / 2.0, last + 1.0)])
        .map(|(mu, sigma)| TruncatedNormal {
            mu,
            sigma,
            low: -0.5,
            high: last + 0.5,
        })
        .collect();
    let at = |place: usize| {
        let x = place as f64;
        let terms = normals.iter().zip(&shares);
        terms
            .map(|(normal, share)| share * normal.log_mass(x - 0.5, x + 0.5).exp())
            .sum()
    };
    (0..counts.len()).map(at).collect()
}

fn scott(met: &[usize], counts: &[f64]) -> f64 {
    // Nine tenths of such a kernel lie within its place.
    let narrowest = 0.5 / 1.64;
    let total: f64 = counts.iter().sum();
    let mean = met.iter().map(|&place| place as f64 * counts[place]).sum::<f64>() / total;
    let squares = met
        .iter()
        .map(|&place| (place as f64 - mean).powi(2) * counts[place]);
    let deviation = (squares.sum::<f64>() / (total - 1.0).max(1.0)).sqrt();
    let mut running = 0.0;
    let sums: Vec<f64> = met
        .iter()
        .map(|&place| {
            running += counts[place];
            running
        })
        .collect();
    let lower = sums.partition_point(|&sum| sum < (total / 4.0).floor());
    let upper = sums.partition_point(|&sum| sum <= (total * 3.0 / 4.0).floor());
    let [lower, upper] = [lower, upper].map(|at| met[at.min(met.len() - 1)] as f64);
    let sigma = 1.059 * ((upper - lower) / 1.34).min(deviation) * total.powf(-0.2);
    sigma.max(narrowest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_steps_than_can_be_counted_are_counted_on_the_most_places() {
        let range = Range {
            low: 0.0,
            high: 1.0,
            log: false,
            step: Some(1e-300),
            whole: false,
            points: None,
        };
        let counts = counted(&range, &[0.0, 0.25, 1.0]);
        assert_eq!(counts.len(), MOST_PLACES);
        assert_eq!((counts[0], counts[MOST_PLACES - 1]), (1.0, 1.0));
        assert_eq!(counts.iter().sum::<f64>(), 3.0);
    }
}
