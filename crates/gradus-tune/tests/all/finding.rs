//! Samplers on functions whose best point is known.

use gradus_train::exact::ExactF64;
use gradus_train::monitor::Direction;
use gradus_tune::search::{History, Sampler, Space, State, Trial};

const SPACE: &str = "
a.x = { low = -2.0, high = 2.0 }
a.y = { low = -2.0, high = 2.0 }
a.z = { low = 1e-3, high = 1e3, log = true }
";

/// The smallest value that a sampler finds of a function of three numbers.
fn smallest(sampler: Sampler, seed: u64, count: u64, function: fn(&[f64]) -> f64) -> f64 {
    let space = Space::parse(SPACE).unwrap();
    let mut trials: Vec<Trial> = Vec::new();
    for number in 0..count {
        let history = History {
            space: &space,
            direction: Direction::Minimize,
            seed,
            trials: &trials,
        };
        let point = sampler.suggest(&history, number).unwrap();
        if number % 40 == 39 {
            let again = sampler.suggest(&history, number).unwrap();
            assert_eq!(point, again, "the same history gives the same point");
        }
        let value = ExactF64(function(&point));
        trials.push(Trial {
            state: State::Complete { value },
            ..Trial::new(number, point)
        });
    }
    let values = trials.iter().filter_map(Trial::value);
    values.fold(f64::INFINITY, f64::min)
}

fn sphere(point: &[f64]) -> f64 {
    (point[0] - 0.7).powi(2) + (point[1] + 0.4).powi(2) + (point[2].log10() - 0.5).powi(2)
}

fn rosenbrock(point: &[f64]) -> f64 {
    let (x, y) = (point[0], point[1]);
    (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2) + point[2].log10().powi(2)
}

/// The middle one of three searches.
fn median(sampler: Sampler, count: u64, function: fn(&[f64]) -> f64) -> f64 {
    let mut found: Vec<f64> = (0..3)
        .map(|seed| smallest(sampler, seed, count, function))
        .collect();
    found.sort_by(f64::total_cmp);
    found[1]
}

#[test]
fn what_learns_from_trials_finds_better_points_than_chance() {
    let chance = median(Sampler::Random, 120, sphere);
    for sampler in [Sampler::Tpe, Sampler::CmaEs] {
        let found = median(sampler, 120, sphere);
        assert!(found < chance / 4.0, "{sampler:?}: {found}, by chance {chance}");
    }
}

#[test]
fn cma_es_comes_to_the_bottom_of_a_bowl_and_of_a_bent_valley() {
    assert!(median(Sampler::CmaEs, 300, sphere) < 1e-6);
    assert!(median(Sampler::CmaEs, 900, rosenbrock) < 1e-4);
}
