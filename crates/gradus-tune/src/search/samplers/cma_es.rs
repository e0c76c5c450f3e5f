//! Evolution of a normal distribution.

use super::super::space::Domain;
use super::super::trial::{History, Trial};
use super::eigen::{Eigen, identity};
use gradus_tensor::Rng;

/// Keeps this stream apart from the others of a seed.
const STREAM: u64 = 3;

/// The first standard deviation, as a share of each parameter's range.
const FIRST_SIGMA: f64 = 1.0 / 6.0;

/// Draws outside the space before one is moved to its edge.
const MOST_DRAWS: usize = 100;

/// Guards divisions by lengths and roots of eigenvalues.
const TINY: f64 = 1e-8;

/// The covariance matrix adaptation evolution strategy, on points of any dimension.
///
/// Hansen, *The CMA Evolution Strategy: A Tutorial* (2016), with negative weights; as the `cmaes` package has it. Numbers of
/// equations in the code are the tutorial's.
#[derive(Clone, Debug)]
pub struct CmaEs {
    /// Mean of the distribution.
    pub mean: Vec<f64>,
    /// Overall step size.
    pub sigma: f64,
    /// Shape of the distribution, `[dimensions][dimensions]`.
    pub covariance: Vec<Vec<f64>>,
    /// Points in a generation.
    pub population: usize,
    weights: Vec<f64>,
    parents: usize,
    mu_eff: f64,
    rates: Rates,
    path_sigma: Vec<f64>,
    path_c: Vec<f64>,
    generation: i32,
}

/// Learning rates.
#[derive(Clone, Copy, Debug)]
struct Rates {
    /// Of the rank-one and the rank-many update.
    c1: f64,
    cmu: f64,
    /// Of the paths.
    c_sigma: f64,
    cc: f64,
    /// Damping of the step size.
    d_sigma: f64,
    /// Length of a standard normal vector.
    chi: f64,
}

impl CmaEs {
    /// The distribution around `mean` before anything is known.
    pub fn new(mean: Vec<f64>, sigma: f64) -> CmaEs {
        let n = mean.len();
        let d = n as f64;
        let population = 4 + (3.0 * d.ln()).floor() as usize; // (48)
        let parents = population / 2;
        let raw: Vec<f64> =
            (0..population) // (49)
                .map(|rank| ((population as f64 + 1.0) / 2.0).ln() - (rank as f64 + 1.0).ln())
                .collect();
        let mass = |part: &[f64]| {
            let sum: f64 = part.iter().sum();
            sum * sum / part.iter().map(|weight| weight * weight).sum::<f64>()
        };
        let (mu_eff, mu_eff_minus) = (mass(&raw[..parents]), mass(&raw[parents..]));
        let rates = Rates::new(d, mu_eff);
        let Rates { c1, cmu, .. } = rates;
        let least = (1.0 + c1 / cmu) // (50) to (52)
            .min(1.0 + 2.0 * mu_eff_minus / (mu_eff + 2.0))
            .min((1.0 - c1 - cmu) / (d * cmu));
        let total = |sign: f64| -> f64 { raw.iter().map(|weight| (sign * weight).max(0.0)).sum() };
        let (positive, negative) = (total(1.0), total(-1.0));
        let weight = |weight: &f64| match *weight >= 0.0 {
            true => weight / positive, // (53)
            false => weight * least / negative,
        };
        CmaEs {
            weights: raw.iter().map(weight).collect(),
            covariance: identity(n),
            path_sigma: vec![0.0; n],
            path_c: vec![0.0; n],
            generation: 0,
            mean,
            sigma,
            population,
            parents,
            mu_eff,
            rates,
        }
    }

    /// Moves the distribution after a generation; `points` come best first.
    pub fn tell(&mut self, points: &[Vec<f64>]) {
        let n = self.mean.len();
        let Rates {
            c1,
            cmu,
            c_sigma,
            cc,
            d_sigma,
            chi,
        } = self.rates;
        self.generation += 1;
        let steps: Vec<Vec<f64>> = points
            .iter()
            .map(|point| {
                point
                    .iter()
                    .zip(&self.mean)
                    .map(|(x, mean)| (x - mean) / self.sigma)
                    .collect()
            })
            .collect();
        let inverse_root = Eigen::of(&self.covariance).with_values(|value| 1.0 / root(value));
        let mut mean_step = vec![0.0; n]; // (41)
        for (step, weight) in steps.iter().zip(&self.weights).take(self.parents) {
            mean_step
                .iter_mut()
                .zip(step)
                .for_each(|(sum, y)| *sum += weight * y);
        }
        for (mean, y) in self.mean.iter_mut().zip(&mean_step) {
            *mean += self.sigma * y;
        }
        let white = product(&inverse_root, &mean_step);
        let push = (c_sigma * (2.0 - c_sigma) * self.mu_eff).sqrt();
        blend(&mut self.path_sigma, 1.0 - c_sigma, push, &white); // (43)
        let length = norm(&self.path_sigma);
        self.sigma *= ((c_sigma / d_sigma) * (length / chi - 1.0)).exp(); // (44)
        let grown = 1.0 - (1.0 - c_sigma).powi(2 * (self.generation + 1));
        let stalls = length / grown.sqrt() >= (1.4 + 2.0 / (n as f64 + 1.0)) * chi;
        let heaviside = if stalls { 0.0 } else { 1.0 };
        let push = heaviside * (cc * (2.0 - cc) * self.mu_eff).sqrt();
        blend(&mut self.path_c, 1.0 - cc, push, &mean_step); // (45)
        let rank_weights: Vec<f64> = self // (46)
            .weights
            .iter()
            .zip(&steps)
            .map(|(&weight, step)| match weight >= 0.0 {
                true => weight,
                false => weight * n as f64 / (norm(&product(&inverse_root, step)).powi(2) + TINY),
            })
            .collect();
        let lost = (1.0 - heaviside) * cc * (2.0 - cc);
        let keep = 1.0 + c1 * lost - c1 - cmu * self.weights.iter().sum::<f64>();
        for row in 0..n {
            for column in 0..n {
                let many: f64 = rank_weights
                    .iter()
                    .zip(&steps)
                    .map(|(weight, y)| weight * y[row] * y[column])
                    .sum();
                let one = self.path_c[row] * self.path_c[column];
                self.covariance[row][column] = keep * self.covariance[row][column] + c1 * one + cmu * many; // (47)
            }
        }
    }

    /// A draw between 0 and 1 in every dimension.
    fn sample(&self, rng: &mut Rng) -> Vec<f64> {
        let spread = Eigen::of(&self.covariance).with_values(root);
        let draw = |rng: &mut Rng| -> Vec<f64> {
            let white: Vec<f64> = (0..self.mean.len()).map(|_| rng.normal()).collect();
            let step = product(&spread, &white);
            self.mean
                .iter()
                .zip(step)
                .map(|(mean, y)| mean + self.sigma * y)
                .collect()
        };
        let is_inside = |point: &Vec<f64>| point.iter().all(|x| (0.0..=1.0).contains(x));
        let inside = (0..MOST_DRAWS).map(|_| draw(rng)).find(is_inside);
        inside.unwrap_or_else(|| draw(rng).into_iter().map(|x| x.clamp(0.0, 1.0)).collect())
    }

    /// The next point. Choices have no nearer and further, so they are drawn evenly.
    ///
    /// A generation is a run of as many consecutive trials as it has points; the distribution is what all whole
    /// generations made of it.
    pub(super) fn suggest(history: &History<'_>, number: u64) -> Vec<f64> {
        let parameters = history.space.parameters();
        let axes = parameters
            .iter()
            .filter(|parameter| matches!(parameter.domain, Domain::Range(_)))
            .count();
        let mut rng = Rng::derive(history.seed, &[STREAM, number]);
        let mut ranges = match axes {
            0 => Vec::new(),
            axes => CmaEs::after(history, axes).sample(&mut rng),
        }
        .into_iter();
        parameters
            .iter()
            .map(|parameter| match &parameter.domain {
                Domain::Range(_) => parameter.domain.at(ranges.next().unwrap_or(0.5)),
                Domain::Choice(_) => parameter.domain.at(rng.uniform()),
            })
            .collect()
    }

    fn after(history: &History<'_>, axes: usize) -> CmaEs {
        let mut cma = CmaEs::new(vec![0.5; axes], FIRST_SIGMA);
        for generation in history.trials.chunks_exact(cma.population) {
            if !generation.iter().all(Trial::is_finished) {
                break;
            }
            let mut ranked: Vec<&Trial> = generation.iter().collect();
            ranked.sort_by(|a, b| history.order(a, b));
            let points: Vec<Vec<f64>> = ranked.iter().map(|trial| unit_point(history, trial)).collect();
            cma.tell(&points);
        }
        cma
    }
}

/// The ranges' part of a trial's point, on scales from 0 to 1.
fn unit_point(history: &History<'_>, trial: &Trial) -> Vec<f64> {
    let pairs = history.space.parameters().iter().zip(&trial.point);
    pairs
        .filter_map(|(parameter, &value)| match &parameter.domain {
            Domain::Range(range) => Some(range.unit(value)),
            Domain::Choice(_) => None,
        })
        .collect()
}

impl Rates {
    fn new(d: f64, mu_eff: f64) -> Rates {
        let c1 = 2.0 / ((d + 1.3).powi(2) + mu_eff);
        let cmu = (1.0 - c1 - 1e-8).min(2.0 * (mu_eff - 2.0 + 1.0 / mu_eff) / ((d + 2.0).powi(2) + mu_eff));
        let c_sigma = (mu_eff + 2.0) / (d + mu_eff + 5.0); // (55)
        Rates {
            c1,
            cmu,
            c_sigma,
            cc: (4.0 + mu_eff / d) / (d + 4.0 + 2.0 * mu_eff / d), // (56)
            d_sigma: 1.0 + 2.0 * (((mu_eff - 1.0) / (d + 1.0)).sqrt() - 1.0).max(0.0) + c_sigma,
            chi: d.sqrt() * (1.0 - 1.0 / (4.0 * d) + 1.0 / (21.0 * d * d)),
        }
    }
}

fn root(value: f64) -> f64 {
    if value < 0.0 { TINY } else { value.sqrt() }
}

fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn product(matrix: &[Vec<f64>], vector: &[f64]) -> Vec<f64> {
    let row = |row: &Vec<f64>| row.iter().zip(vector).map(|(a, b)| a * b).sum();
    matrix.iter().map(row).collect()
}

/// `path = keep · path + push · step`.
fn blend(path: &mut [f64], keep: f64, push: f64, step: &[f64]) {
    for (path, step) in path.iter_mut().zip(step) {
        *path = keep * *path + push * step;
    }
}
