//! A Parzen estimator: a kernel around every observation and a wide one over the whole space.
//!
//! As Optuna's, parameter by parameter and kernel by kernel: Bergstra and others, *Algorithms for Hyper-Parameter
//! Optimization* (2011); Watanabe, *Tree-Structured Parzen Estimator* (2023).

use super::super::space::{Domain, Range};
use super::TruncatedNormal;
use gradus_tensor::Rng;

/// Weight of the kernel over the whole space, where an observation has 1.
const PRIOR_WEIGHT: f64 = 1.0;

/// The newest observations that count in full once there are more: older ones count less and less.
const FULL_WEIGHTS: usize = 25;

/// No kernel is narrower than this share of the space ("magic clip").
const NARROWEST: f64 = 100.0;

/// A mixture of kernels, each a product over parameters.
#[derive(Clone, Debug)]
pub struct ParzenEstimator {
    /// Share of each kernel; the last is the one over the whole space.
    pub weights: Vec<f64>,
    /// The kernels of each parameter.
    pub densities: Vec<Density>,
}

/// The kernels of one parameter, one for each weight.
#[derive(Clone, Debug)]
pub enum Density {
    /// Truncated normal ones.
    Range {
        /// What they cover.
        range: Range,
        /// Their places.
        kernels: Kernels,
    },
    /// Probabilities of the choices, `[kernels][choices]`.
    Choice(Vec<Vec<f64>>),
}

/// Places of normal kernels, on the scale on which a draw is uniform.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernels {
    /// Means.
    pub mus: Vec<f64>,
    /// Standard deviations.
    pub sigmas: Vec<f64>,
}

impl ParzenEstimator {
    /// The estimator of these observations, oldest first; each has one value per domain.
    pub fn new(domains: &[&Domain], observations: &[&[f64]]) -> ParzenEstimator {
        let mut weights = observation_weights(observations.len());
        weights.push(PRIOR_WEIGHT);
        let total: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= total);
        let density = |(at, domain): (usize, &&Domain)| {
            let values: Vec<f64> = observations.iter().map(|values| values[at]).collect();
            Density::new(domain, &values)
        };
        ParzenEstimator {
            weights,
            densities: domains.iter().enumerate().map(density).collect(),
        }
    }

    /// A draw.
    pub fn sample(&self, rng: &mut Rng) -> Vec<f64> {
        let kernel = pick(&self.weights, rng.uniform());
        self.densities
            .iter()
            .map(|density| density.sample(kernel, rng))
            .collect()
    }

    /// Logarithm of the density at a point; for whole numbers, stepped ranges and choices, of the probability.
    pub fn log_density(&self, point: &[f64]) -> f64 {
        let of_kernel = |(kernel, weight): (usize, &f64)| {
            let product: f64 = self
                .densities
                .iter()
                .zip(point)
                .map(|(density, &value)| density.log_density(kernel, value))
                .sum();
            weight.ln() + product
        };
        log_sum_exp(
            &self
                .weights
                .iter()
                .enumerate()
                .map(of_kernel)
                .collect::<Vec<f64>>(),
        )
    }
}

/// Weights of so many observations, oldest first.
fn observation_weights(count: usize) -> Vec<f64> {
    let ramp = count.saturating_sub(FULL_WEIGHTS);
    let first = 1.0 / count.max(1) as f64;
    let slope = |at: usize| match ramp {
        1 => first,
        _ => first + (1.0 - first) * at as f64 / (ramp - 1) as f64,
    };
    (0..count)
        .map(|at| if at < ramp { slope(at) } else { 1.0 })
        .collect()
}

/// The first place where the running sum of `shares` passes `uniform`.
fn pick(shares: &[f64], uniform: f64) -> usize {
    let mut sum = 0.0;
    let passed = shares.iter().position(|share| {
        sum += share;
        sum > uniform
    });
    passed.unwrap_or(shares.len() - 1)
}

pub(super) fn log_sum_exp(logs: &[f64]) -> f64 {
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    logs.iter().map(|log| (log - largest).exp()).sum::<f64>().ln() + largest
}

impl Density {
    fn new(domain: &Domain, values: &[f64]) -> Density {
        match domain {
            Domain::Choice(choices) => Density::Choice(choice_kernels(choices.len(), values)),
            Domain::Range(range) => Density::Range {
                range: *range,
                kernels: Kernels::new(range, values),
            },
        }
    }

    fn sample(&self, kernel: usize, rng: &mut Rng) -> f64 {
        match self {
            Density::Choice(kernels) => pick(&kernels[kernel], rng.uniform()) as f64,
            Density::Range { range, kernels } => {
                // Away from 0, where a quantile has no place.
                let quantile = rng.uniform().max(f64::EPSILON);
                range.unscaled(kernels.normal(range, kernel).at(quantile))
            }
        }
    }

    fn log_density(&self, kernel: usize, value: f64) -> f64 {
        match self {
            Density::Choice(kernels) => kernels[kernel][value as usize].ln(),
            Density::Range { range, kernels } => {
                let normal = kernels.normal(range, kernel);
                match range.step {
                    None => normal.log_pdf(range.scaled(value)),
                    Some(step) => {
                        normal.log_mass(range.scaled(value - step / 2.0), range.scaled(value + step / 2.0))
                    }
                }
            }
        }
    }
}

/// Each observation's choice, and a little of all others.
fn choice_kernels(choices: usize, values: &[f64]) -> Vec<Vec<f64>> {
    let kernels = values.len() + 1;
    let even = PRIOR_WEIGHT / kernels as f64;
    let kernel = |chosen: Option<usize>| -> Vec<f64> {
        let total = even * choices as f64 + f64::from(u8::from(chosen.is_some()));
        (0..choices)
            .map(|choice| (even + f64::from(u8::from(chosen == Some(choice)))) / total)
            .collect()
    };
    let observed = values.iter().map(|&value| kernel(Some(value as usize)));
    observed.chain([kernel(None)]).collect()
}

impl Kernels {
    /// A kernel around each value, as wide as the way to its further neighbour, and one over the whole range.
    fn new(range: &Range, values: &[f64]) -> Kernels {
        let [low, high] = range.ends();
        let mut mus: Vec<f64> = values.iter().map(|&value| range.scaled(value)).collect();
        let mut order: Vec<usize> = (0..mus.len()).collect();
        order.sort_by(|&a, &b| mus[a].total_cmp(&mus[b]));
        let widest = high - low;
        let narrowest = widest / NARROWEST.min(2.0 + mus.len() as f64);
        let mut sigmas = vec![0.0; mus.len()];
        for (rank, &at) in order.iter().enumerate() {
            let below = rank.checked_sub(1).map(|rank| mus[at] - mus[order[rank]]);
            let above = order.get(rank + 1).map(|&next| mus[next] - mus[at]);
            // The ends of the range count as neighbours only where an observation is alone.
            let width = match (below, above) {
                (Some(below), Some(above)) => below.max(above),
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => (mus[at] - low).max(high - mus[at]),
            };
            sigmas[at] = width.max(narrowest).min(widest);
        }
        mus.push(0.5 * (low + high));
        sigmas.push(widest);
        Kernels { mus, sigmas }
    }

    fn normal(&self, range: &Range, kernel: usize) -> TruncatedNormal {
        let [low, high] = range.ends();
        TruncatedNormal {
            mu: self.mus[kernel],
            sigma: self.sigmas[kernel],
            low,
            high,
        }
    }
}
