//! `golden/search.json`: what other programs answer to the same questions.

use gradus_train::exact::ExactF64;
use gradus_train::monitor::Direction;
use gradus_tune::search::pruners::{Hyperband, Median, SuccessiveHalving, Verdict};
use gradus_tune::search::samplers::{CmaEs, Density, ParzenEstimator, Sobol, Tpe};
use gradus_tune::search::{Domain, History, Measurement, Space, State, Trial, importances};
use serde_json::Value;

/// Sums of a hundred terms in another order move the last digits.
const TOLERANCE: f64 = 1e-10;

fn answers() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/search.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn space(answers: &Value) -> Space {
    Space::parse(answers["space"].as_str().unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|number| number.as_f64().unwrap_or(f64::NAN))
        .collect()
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

fn direction(case: &Value) -> Direction {
    match case["direction"].as_str().unwrap() {
        "minimize" => Direction::Minimize,
        "maximize" => Direction::Maximize,
        other => panic!("{other}"),
    }
}

fn assert_close(got: &[f64], expected: &[f64], context: &str) {
    assert_eq!(got.len(), expected.len(), "{context}");
    for (at, (got, expected)) in got.iter().zip(expected).enumerate() {
        let allowed = TOLERANCE * expected.abs().max(1.0);
        assert!(
            (got - expected).abs() <= allowed,
            "{context}, {at}: {got} instead of {expected}"
        );
    }
}

fn measure(trial: &mut Trial, value: f64) {
    let index = trial.measurements.len() as u64 + 1;
    trial.measurements.push(Measurement {
        index,
        step: index,
        value: ExactF64(value),
        is_best: false,
    });
}

fn trials(case: &Value) -> Vec<Trial> {
    let trial = |(number, value): (usize, &Value)| {
        let mut trial = Trial::new(number as u64, numbers(&value["point"]));
        let values = numbers(&value["values"]);
        values.iter().for_each(|&value| measure(&mut trial, value));
        trial.state = match value["state"].as_str().unwrap() {
            "complete" => State::Complete {
                value: ExactF64(*values.last().unwrap()),
            },
            _ => State::Pruned,
        };
        trial
    };
    case["trials"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .map(trial)
        .collect()
}

#[test]
fn parzen_estimators_are_optunas() {
    let answers = answers();
    let space = space(&answers);
    let domains: Vec<&Domain> = space
        .parameters()
        .iter()
        .map(|parameter| &parameter.domain)
        .collect();
    for case in answers["parzen"].as_array().unwrap() {
        let observations = rows(&case["observations"]);
        let context = format!("{} observations", observations.len());
        let observations: Vec<&[f64]> = observations.iter().map(Vec::as_slice).collect();
        let estimator = ParzenEstimator::new(&domains, &observations);
        assert_close(&estimator.weights, &numbers(&case["weights"]), &context);
        for (density, expected) in estimator
            .densities
            .iter()
            .zip(case["kernels"].as_array().unwrap())
        {
            let got = match density {
                Density::Choice(kernels) => kernels.clone(),
                Density::Range { kernels, .. } => vec![kernels.mus.clone(), kernels.sigmas.clone()],
            };
            assert_close(&got.concat(), &rows(expected).concat(), &context);
        }
        let got: Vec<f64> = rows(&case["points"])
            .iter()
            .map(|point| estimator.log_density(point))
            .collect();
        assert_close(&got, &numbers(&case["log_density"]), &context);
    }
}

#[test]
fn good_trials_are_those_that_optuna_takes() {
    let answers = answers();
    let space = space(&answers);
    for case in answers["split"].as_array().unwrap() {
        let trials = trials(case);
        let history = History {
            space: &space,
            direction: direction(case),
            seed: 0,
            trials: &trials,
        };
        let [good, rest] = Tpe::default().split(&history, u64::MAX);
        let got: Vec<u64> = good.iter().map(|trial| trial.number).collect();
        let expected: Vec<u64> = numbers(&case["good"])
            .iter()
            .map(|&number| number as u64)
            .collect();
        assert_eq!(got, expected, "of {} trials", trials.len());
        assert_eq!(good.len() + rest.len(), trials.len());
    }
}

fn judge(pruner: &str, history: &History<'_>, trial: &Trial) -> Verdict {
    let halving = SuccessiveHalving::default();
    match pruner {
        "median" => Verdict {
            prune: Median::default().prunes(history, trial),
            rungs: Vec::new(),
        },
        "asha" => halving.judge(history.direction, history.trials, trial),
        "asha_1_2_1" => SuccessiveHalving {
            min_resource: Some(1),
            reduction_factor: 2,
            min_early_stopping_rate: 1,
        }
        .judge(history.direction, history.trials, trial),
        "hyperband" => Hyperband {
            max_resource: Some(20),
            ..Hyperband::default()
        }
        .judge(history, trial, "golden"),
        other => panic!("{other}"),
    }
}

#[test]
fn pruners_decide_as_optunas_do() {
    let answers = answers();
    let space = space(&answers);
    for case in answers["pruners"].as_array().unwrap() {
        let pruner = case["pruner"].as_str().unwrap();
        let length = case["length"].as_u64().unwrap() as usize;
        let mut trials: Vec<Trial> = Vec::new();
        let (mut pruned, mut decisions) = (0, 0);
        for decision in case["decisions"].as_array().unwrap() {
            let number = decision[0].as_u64().unwrap() as usize;
            while trials.len() <= number {
                trials.push(Trial::new(trials.len() as u64, Vec::new()));
            }
            measure(&mut trials[number], decision[1].as_f64().unwrap_or(f64::NAN));
            let history = History {
                space: &space,
                direction: direction(case),
                seed: 0,
                trials: &trials,
            };
            let verdict = judge(pruner, &history, &trials[number]);
            decisions += 1;
            assert_eq!(
                verdict.prune,
                decision[2].as_bool().unwrap(),
                "{pruner}, trial {number}, decision {decisions}"
            );
            let trial = &mut trials[number];
            trial.rungs.extend(verdict.rungs);
            if verdict.prune {
                trial.state = State::Pruned;
                pruned += 1;
            } else if trial.measurements.len() == length {
                let value = trial.measurements[length - 1].value;
                trial.state = State::Complete { value };
            }
        }
        assert!(pruned > 10, "{pruner} was hardly tested: {pruned} of {decisions}");
    }
}

#[test]
fn importances_are_those_of_optunas_ped_anova() {
    let answers = answers();
    let space = space(&answers);
    for case in answers["importances"].as_array().unwrap() {
        let trials = trials(case);
        let history = History {
            space: &space,
            direction: direction(case),
            seed: 0,
            trials: &trials,
        };
        let got = importances(&history);
        for importance in &got {
            let expected = case["shares"][&importance.key].as_f64().unwrap();
            assert_close(&[importance.share], &[expected], &importance.key);
        }
        assert_eq!(got.len(), space.len());
    }
}

#[test]
fn cma_es_moves_as_the_cmaes_package_does() {
    for case in answers()["cma_es"].as_array().unwrap() {
        let mut cma = CmaEs::new(numbers(&case["mean"]), 1.0 / 6.0);
        for (at, generation) in case["generations"].as_array().unwrap().iter().enumerate() {
            cma.tell(&rows(&generation["points"]));
            let context = format!("{} dimensions, generation {at}", cma.mean.len());
            assert_close(&cma.mean, &numbers(&generation["mean"]), &context);
            assert_close(&[cma.sigma], &[generation["sigma"].as_f64().unwrap()], &context);
            assert_close(
                &cma.covariance.concat(),
                &rows(&generation["covariance"]).concat(),
                &context,
            );
        }
    }
}

#[test]
fn sobol_points_are_scipys() {
    let answers = answers();
    let sobol = Sobol::new(64);
    for (number, expected) in rows(&answers["sobol"]["first"]).iter().enumerate() {
        assert_eq!(&sobol.point(number as u64), expected);
    }
    assert_eq!(sobol.point(1000), numbers(&answers["sobol"]["number_1000"]));
}
