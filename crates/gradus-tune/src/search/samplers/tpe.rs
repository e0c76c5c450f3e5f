//! The tree-structured Parzen estimator.

use super::super::trial::{History, Trial};
use super::parzen::ParzenEstimator;
use super::random;
use crate::search::space::Domain;
use gradus_tensor::Rng;

/// Keeps this stream apart from the others of a seed.
const STREAM: u64 = 2;

/// The tree-structured Parzen estimator with Optuna's defaults.
///
/// Finished trials are parted into the good tenth and the rest, each part gets a [`ParzenEstimator`] over all parameters
/// at once, and of some draws from the good one's the point is chosen whose densities are furthest apart. Trials that are
/// still trained count among the rest, so that trainings at once do not crowd.
///
/// Bergstra and others, *Algorithms for Hyper-Parameter Optimization* (2011); Watanabe, *Tree-Structured Parzen
/// Estimator: Understanding Its Algorithm Components and Their Roles for Better Empirical Performance* (2023).
#[derive(Clone, Copy, Debug)]
pub struct Tpe {
    /// Random trials before the estimator is used. Default 10.
    pub startup_trials: usize,
    /// Draws of which the best is taken. Default 24.
    pub candidates: usize,
    /// Most trials that count as good. Default 25.
    pub most_good: usize,
}

impl Default for Tpe {
    fn default() -> Tpe {
        Tpe {
            startup_trials: 10,
            candidates: 24,
            most_good: 25,
        }
    }
}

impl Tpe {
    /// The next point.
    pub fn suggest(&self, history: &History<'_>, number: u64) -> Vec<f64> {
        if history.finished().count() < self.startup_trials {
            return random::point(history, number);
        }
        let [good, rest] = self.split(history, number);
        let domains: Vec<&Domain> = history
            .space
            .parameters()
            .iter()
            .map(|parameter| &parameter.domain)
            .collect();
        let [good, rest] = [good, rest].map(|trials| {
            let points: Vec<&[f64]> = trials.iter().map(|trial| trial.point.as_slice()).collect();
            ParzenEstimator::new(&domains, &points)
        });
        let mut rng = Rng::derive(history.seed, &[STREAM, number]);
        let drawn = (0..self.candidates.max(1)).map(|_| {
            let point = good.sample(&mut rng);
            (good.log_density(&point) - rest.log_density(&point), point)
        });
        // The first of equals.
        let best = drawn.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.map_or_else(|| random::point(history, number), |(_, point)| point)
    }

    /// The good trials and the rest, each by number, without the one with this number.
    pub fn split<'a>(&self, history: &History<'a>, number: u64) -> [Vec<&'a Trial>; 2] {
        let mut ranked: Vec<&Trial> = history
            .trials
            .iter()
            .filter(|trial| trial.number != number)
            .collect();
        ranked.sort_by(|a, b| history.order(a, b));
        let finished = ranked.iter().filter(|trial| trial.is_finished()).count();
        let count = finished.div_ceil(10).min(self.most_good);
        let rest = ranked.split_off(count);
        [ranked, rest].map(|mut trials| {
            trials.sort_by_key(|trial| trial.number);
            trials
        })
    }
}
