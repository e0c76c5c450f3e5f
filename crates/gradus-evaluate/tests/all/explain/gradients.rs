//! Saliency, integrated gradients and SmoothGrad.

use gradus_evaluate::explain::{
    IntegratedGradients, Quadrature, Questions, SmoothGrad, integrated_gradients, saliency, smooth_grad,
};

use super::golden::{Golden, assert_close, explained, numbers_of};

/// What the issue asks for; the answers agree far better.
const TOLERANCE: f32 = 1e-4;

#[test]
fn saliency_and_integrated_gradients_are_captums() {
    let golden = Golden::open();
    for case in golden.of_kind("gradients") {
        let model = golden.model(case);
        let model = explained(&golden, case, &*model);
        let (rows, targets) = (golden.numbers(case, "x"), numbers_of(&case["targets"]));
        let questions = Questions {
            rows: &rows,
            targets: &targets,
        };
        let found = saliency(&model, &questions).unwrap();
        assert_close(
            "saliency",
            &found.values,
            &golden.numbers(case, "saliency"),
            TOLERANCE,
        );
        let zeros = vec![0.0; model.row_len()];
        let trapezoid = IntegratedGradients {
            steps: 20,
            rule: Quadrature::RiemannTrapezoid,
            ..IntegratedGradients::default()
        };
        for (name, baseline, options) in [
            ("ig", &zeros, IntegratedGradients::default()),
            ("ig_trapezoid", &zeros, trapezoid),
            (
                "ig_baseline",
                &golden.numbers(case, "baseline"),
                IntegratedGradients::default(),
            ),
        ] {
            let found = integrated_gradients(&model, &questions, baseline, &options).unwrap();
            assert_close(name, &found.values, &golden.numbers(case, name), TOLERANCE);
        }
    }
}

#[test]
fn the_batch_size_changes_no_attribution() {
    let golden = Golden::open();
    for case in golden.of_kind("gradients") {
        let (model, rows) = (golden.model(case), golden.numbers(case, "x"));
        let targets = numbers_of(&case["targets"]);
        let questions = Questions {
            rows: &rows,
            targets: &targets,
        };
        let with = |batch| {
            let model = explained(&golden, case, &*model).with_batch_rows(batch);
            let zeros = vec![0.0; model.row_len()];
            integrated_gradients(&model, &questions, &zeros, &IntegratedGradients::default())
                .unwrap()
                .values
        };
        let whole = with(1000);
        for batch in [1, 7, 64] {
            assert_close("ig", &with(batch), &whole, 1e-5);
        }
    }
}

#[test]
fn integrated_gradients_are_complete() {
    let golden = Golden::open();
    for case in golden.of_kind("gradients") {
        let (model, rows) = (golden.model(case), golden.numbers(case, "x"));
        let model = explained(&golden, case, &*model);
        let targets = numbers_of(&case["targets"]);
        let questions = Questions {
            rows: &rows,
            targets: &targets,
        };
        let baseline = golden.numbers(case, "baseline");
        for steps in [2, 50] {
            let options = IntegratedGradients {
                steps,
                tolerance: Some(1e-3),
                ..IntegratedGradients::default()
            };
            let found = integrated_gradients(&model, &questions, &baseline, &options).unwrap();
            let deltas = found.convergence_deltas().unwrap();
            let ends = found.scores.iter().zip(found.baseline_scores.as_ref().unwrap());
            for (delta, (score, start)) in deltas.iter().zip(ends) {
                let allowed = 1e-3 * (score - start).abs().max(1.0);
                assert!(delta.abs() <= allowed, "{}: {delta}", case["name"]);
            }
        }
    }
}

#[test]
fn refinement_agrees_with_very_many_steps() {
    let golden = Golden::open();
    for case in golden.of_kind("gradients") {
        let (model, rows) = (golden.model(case), golden.numbers(case, "x"));
        let model = explained(&golden, case, &*model);
        let targets = numbers_of(&case["targets"]);
        let questions = Questions {
            rows: &rows,
            targets: &targets,
        };
        let zeros = vec![0.0; model.row_len()];
        let options = |steps, rule, tolerance| IntegratedGradients {
            steps,
            rule,
            tolerance,
            ..IntegratedGradients::default()
        };
        let refined = options(1, Quadrature::GaussLegendre, Some(1e-4));
        let fine = options(4_000, Quadrature::RiemannMiddle, None);
        let refined = integrated_gradients(&model, &questions, &zeros, &refined).unwrap();
        let fine = integrated_gradients(&model, &questions, &zeros, &fine).unwrap();
        assert_close("refined", &refined.values, &fine.values, 1e-3);
    }
}

#[test]
fn smooth_grad_is_captums_within_its_noise() {
    let golden = Golden::open();
    for case in golden.of_kind("smoothgrad") {
        let (model, rows) = (golden.model(case), golden.numbers(case, "x"));
        let model = explained(&golden, case, &*model);
        let targets = numbers_of(&case["targets"]);
        let draws = case["draws"].as_u64().unwrap() as usize;
        let options = SmoothGrad {
            draws,
            noise: case["noise"].as_f64().unwrap(),
            seed: 5,
        };
        let questions = Questions {
            rows: &rows,
            targets: &targets,
        };
        let found = smooth_grad(&model, &questions, &options).unwrap();
        let again = smooth_grad(&model, &questions, &options).unwrap();
        assert_eq!(found, again, "the seed decides");
        let (mean, error) = (golden.numbers(case, "mean"), golden.numbers(case, "error"));
        for (at, ((got, mean), error)) in found.values.iter().zip(&mean).zip(&error).enumerate() {
            // Both means have this standard error; of 24 numbers one passes 4.5 of the difference's once in 6,000 times.
            let allowed = 4.5 * error * 2f32.sqrt() + 1e-5;
            assert!(
                (got - mean).abs() <= allowed,
                "{at}: {got}, expected {mean} ± {error}"
            );
        }
    }
}
