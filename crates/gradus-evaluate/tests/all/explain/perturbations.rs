//! Occlusion, Shapley values and permutation importance.

use gradus_evaluate::explain::{
    Features, KernelShap, Occlusion, PermutationOptions, Questions, kernel_shap, occlusion,
    permutation_importance,
};

use super::golden::{Golden, assert_close, explained, numbers_of};

#[test]
fn occlusion_by_windows_and_by_groups_is_captums() {
    let golden = Golden::open();
    for case in golden.of_kind("occlusion") {
        let (model, rows) = (golden.model(case), golden.numbers(case, "x"));
        let model = explained(&golden, case, &*model);
        let targets = numbers_of(&case["targets"]);
        let questions = Questions {
            rows: &rows,
            targets: &targets,
        };
        let pair = |name: &str| -> [usize; 2] { numbers_of(&case[name]).try_into().unwrap() };
        let parts = Occlusion::Window {
            shape: golden.row_shape(case).try_into().unwrap(),
            size: pair("size"),
            stride: pair("stride"),
        };
        let fill = vec![case["fill"].as_f64().unwrap() as f32; model.row_len()];
        let found = occlusion(&model, &questions, &fill, &parts).unwrap();
        assert_close(
            "occlusion",
            &found.values,
            &golden.numbers(case, "occlusion"),
            1e-4,
        );
    }
    for case in golden.of_kind("ablation") {
        let (model, rows) = (golden.model(case), golden.numbers(case, "x"));
        let model = explained(&golden, case, &*model);
        let targets = numbers_of(&case["targets"]);
        let questions = Questions {
            rows: &rows,
            targets: &targets,
        };
        let features = Features::new(numbers_of(&case["groups"]));
        let zeros = vec![0.0; model.row_len()];
        let found = occlusion(&model, &questions, &zeros, &Occlusion::Features(&features)).unwrap();
        let shown: Vec<f32> = found
            .values
            .chunks_exact(features.len())
            .flat_map(|row| features.spread(row))
            .collect();
        assert_close("ablation", &shown, &golden.numbers(case, "ablation"), 1e-4);
    }
}

#[test]
fn shapley_values_of_few_features_are_exact() {
    let golden = Golden::open();
    for case in golden.of_kind("shap") {
        let (model, rows) = (golden.model(case), golden.numbers(case, "x"));
        let model = explained(&golden, case, &*model);
        let targets = numbers_of(&case["targets"]);
        let questions = Questions {
            rows: &rows,
            targets: &targets,
        };
        let features = Features::inputs(model.row_len());
        let background = golden.numbers(case, "background");
        let options = KernelShap::default();
        let found = kernel_shap(&model, &questions, &background, &features, &options).unwrap();
        assert_close("shap", &found.values, &golden.numbers(case, "shap"), 2e-6);
        let deltas = found.convergence_deltas().unwrap();
        assert!(deltas.iter().all(|delta| delta.abs() < 1e-5), "{deltas:?}");
    }
}

/// Over seeds, ours are as near to the exact values as the `shap` package's, from as many coalitions.
#[test]
fn sampled_shapley_values_err_no_more_than_shaps_own() {
    let golden = Golden::open();
    for case in golden.of_kind("sampled-shap") {
        let (model, rows) = (golden.model(case), golden.numbers(case, "x"));
        let model = explained(&golden, case, &*model);
        let targets = numbers_of(&case["targets"]);
        let questions = Questions {
            rows: &rows,
            targets: &targets,
        };
        let features = Features::inputs(model.row_len());
        let (exact, theirs) = (golden.numbers(case, "exact"), golden.numbers(case, "error"));
        let background = golden.numbers(case, "background");
        let mut squares = vec![0.0f64; targets.len()];
        let seeds = 12;
        for seed in 0..seeds {
            let options = KernelShap {
                coalitions: Some(case["coalitions"].as_u64().unwrap() as usize),
                seed,
            };
            let found = kernel_shap(&model, &questions, &background, &features, &options).unwrap();
            for (at, (got, exact)) in found.values.iter().zip(&exact).enumerate() {
                squares[at / features.len()] += f64::from(got - exact).powi(2);
            }
        }
        for (square, theirs) in squares.iter().zip(theirs) {
            let ours = (square / (seeds as usize * features.len()) as f64).sqrt();
            assert!(ours < 1.25 * f64::from(theirs), "ours {ours}, theirs {theirs}");
        }
    }
}

#[test]
fn permutation_importance_is_scikit_learns_within_its_noise() {
    let golden = Golden::open();
    for case in golden.of_kind("permutation") {
        let (model, rows) = (golden.model(case), golden.numbers(case, "x"));
        let labels = golden.numbers(case, "labels");
        let model = explained(&golden, case, &*model);
        let features = Features::inputs(model.row_len());
        let repeats = case["repeats"].as_u64().unwrap() as usize;
        let options = PermutationOptions { repeats, seed: 9 };
        let accuracy = |outputs: &[f32]| {
            let classes = outputs.len() / labels.len();
            let right = outputs.chunks_exact(classes).zip(&labels).filter(|(row, label)| {
                let largest = (0..classes).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
                largest as f32 == **label
            });
            Ok(right.count() as f64 / labels.len() as f64)
        };
        let found = permutation_importance(&model, &rows, &features, &options, &accuracy).unwrap();
        assert!((found.score - case["score"].as_f64().unwrap()).abs() < 1e-12);
        let (mean, std) = (golden.numbers(case, "mean"), golden.numbers(case, "std"));
        for (at, got) in found.features.iter().enumerate() {
            let error = f64::from(std[at]) * (2.0 / repeats as f64).sqrt();
            let difference = (got.mean - f64::from(mean[at])).abs();
            assert!(
                difference < 4.0 * error + 1e-9,
                "{at}: {} expected {} ± {error}",
                got.mean,
                mean[at]
            );
            assert!(
                (got.std / f64::from(std[at]) - 1.0).abs() < 0.3,
                "{at}: {} expected {}",
                got.std,
                std[at]
            );
        }
    }
}
