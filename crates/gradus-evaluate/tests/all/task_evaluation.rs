//! Figures of regressions and of labels are scikit-learn's (golden/task_metrics.json).
#![cfg(test)]

use gradus_data::{
    ColumnTransform, Dataset, Features, Preprocessing, Samples, TablePreprocessing, TargetEncoding,
    TargetKind, TargetScale, Targets, Transform, ValueColumn,
};
use gradus_evaluate::{
    Error, EvaluateOptions, Predictor, TaskEvaluation, evaluate, evaluate_multilabel, evaluate_regression,
    evaluate_task,
};
use gradus_nn::{ModelConfig, Module};
use gradus_package::{Lineage, Manifest, Signature, TensorSpec};
use gradus_tensor::{DType, Tensor};
use serde_json::{Value, json};

const TOLERANCE: f64 = 1e-12;

fn cases(task: &str) -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/task_metrics.json");
    let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    golden[task].as_array().unwrap().clone()
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    serde_json::from_value(value.clone()).unwrap()
}

fn names(width: usize) -> Vec<String> {
    (0..width).map(|at| format!("y{at}")).collect()
}

/// A model that passes its inputs through.
fn identity(targets: Option<TargetEncoding>, width: usize) -> Predictor {
    let config: ModelConfig = serde_json::from_value(json!({
        "model_type": "mlp", "input_shape": [width], "hidden_sizes": [], "num_classes": width,
    }))
    .unwrap();
    let model = config.build(0).unwrap();
    let diagonal = (0..width * width)
        .map(|at| f32::from(u8::from(at % (width + 1) == 0)))
        .collect();
    let state = [
        (
            "layers.0.weight".to_owned(),
            Tensor::from_vec::<f32>(diagonal, [width, width]).unwrap(),
        ),
        ("layers.0.bias".to_owned(), Tensor::zeros([width], DType::F32)),
    ];
    model.load_state_dict(&state).unwrap();
    let column = |at: usize| ColumnTransform {
        name: format!("x{at}"),
        transform: Transform::Numeric {
            mean: 0.0,
            std: 1.0,
            fill: 0.0,
        },
    };
    let preprocessing = Preprocessing::Table(TablePreprocessing {
        label: "y0".to_owned(),
        columns: (0..width).map(column).collect(),
        targets,
    });
    let spec = |name: &str| TensorSpec {
        name: name.to_owned(),
        dtype: DType::F32,
        shape: vec![None, Some(width)],
    };
    let signature = Signature {
        inputs: vec![spec("input")],
        outputs: vec![spec("output")],
        labels: names(width),
    };
    let task = preprocessing.target_kind().name();
    let manifest = Manifest::new(task, signature, preprocessing, Lineage::by_this_build());
    Predictor::from_parts(model, manifest).unwrap()
}

fn regression(width: usize) -> Predictor {
    let column = |name| ValueColumn {
        name,
        mean: 0.0,
        std: 1.0,
    };
    let columns = names(width).into_iter().map(column).collect();
    identity(Some(TargetEncoding::Values { columns }), width)
}

fn multilabel(width: usize) -> Predictor {
    identity(
        Some(TargetEncoding::Labels {
            columns: names(width),
        }),
        width,
    )
}

fn samples(inputs: &[Vec<f64>]) -> Samples {
    let values = inputs.iter().flatten().map(|&value| value as f32).collect();
    Samples::new(Features::F32(values), vec![inputs[0].len()], inputs.len()).unwrap()
}

fn numbers(case: &Value) -> Dataset {
    let (truth, predicted) = (rows(&case["truth"]), rows(&case["predicted"]));
    let targets = Targets::Values {
        values: truth.concat(),
        scales: vec![TargetScale::IDENTITY; truth[0].len()],
        names: names(truth[0].len()),
    };
    Dataset::with_targets(samples(&predicted), targets).unwrap()
}

fn flags(case: &Value) -> Dataset {
    let (truth, logits) = (rows(&case["truth"]), rows(&case["logits"]));
    let targets = Targets::Labels {
        flags: truth.concat().into_iter().map(|flag| flag as u8).collect(),
        names: names(truth[0].len()),
    };
    Dataset::with_targets(samples(&logits), targets).unwrap()
}

fn assert_close(got: f64, case: &Value, name: &str) {
    let expected = case[name].as_f64().unwrap();
    assert!(
        (got - expected).abs() <= TOLERANCE * expected.abs().max(1.0),
        "{name}: {got} instead of {expected} of {case}"
    );
}

fn without_intervals() -> EvaluateOptions {
    EvaluateOptions {
        bootstrap: None,
        ..EvaluateOptions::default()
    }
}

#[test]
fn errors_of_numbers_are_scikit_learns() {
    let cases = cases("regression");
    for case in &cases {
        let dataset = numbers(case);
        let predictor = regression(dataset.num_classes());
        let found = evaluate_regression(&predictor, &dataset, &without_intervals()).unwrap();
        assert_close(found.mse.value, case, "mse");
        assert_close(found.rmse.value, case, "rmse");
        assert_close(found.mae.value, case, "mae");
        assert_close(found.r2.value, case, "r2");
        let expected: Vec<f64> = serde_json::from_value(case["r2_of_outputs"].clone()).unwrap();
        for (row, expected) in found.outputs.iter().zip(&expected) {
            assert!((row.r2 - expected).abs() <= TOLERANCE * expected.abs().max(1.0));
        }
        assert!(found.bootstrap.is_none() && found.mse.interval.is_none());
    }
    assert!(cases.len() >= 8);
}

#[test]
fn figures_of_labels_are_scikit_learns() {
    let cases = cases("multilabel");
    for case in &cases {
        let dataset = flags(case);
        let predictor = multilabel(dataset.num_classes());
        let found = evaluate_multilabel(&predictor, &dataset, &without_intervals()).unwrap();
        assert_close(found.subset_accuracy.value, case, "subset_accuracy");
        assert_close(found.hamming_loss.value, case, "hamming_loss");
        assert_close(found.micro_f1.value, case, "micro_f1");
        assert_close(found.macro_f1.value, case, "macro_f1");
        assert_close(found.samples_f1.value, case, "samples_f1");
        assert_close(found.log_loss, case, "log_loss");
        let of = |name: &str| -> Vec<f64> { serde_json::from_value(case[name].clone()).unwrap() };
        for (row, (precision, recall)) in found.labels.iter().zip(of("precision").iter().zip(of("recall"))) {
            assert!((row.precision - precision).abs() < TOLERANCE && (row.recall - recall).abs() < TOLERANCE);
        }
    }
    assert!(cases.len() >= 7);
}

#[test]
fn intervals_enclose_the_figures() {
    let case = &cases("regression")[6];
    let dataset = numbers(case);
    let predictor = regression(dataset.num_classes());
    let found = evaluate_task(&predictor, &dataset, &EvaluateOptions::default()).unwrap();
    let metrics = found.metric_values("test");
    assert_eq!(metrics.len(), 4);
    let case = &cases("multilabel")[5];
    let dataset = flags(case);
    let predictor = multilabel(dataset.num_classes());
    let found = evaluate_task(&predictor, &dataset, &EvaluateOptions::default()).unwrap();
    for metric in metrics
        .iter()
        .chain(&found.metric_values("test"))
        .filter(|metric| metric.name != "log_loss")
    {
        let (lower, upper) = (metric.lower.unwrap(), metric.upper.unwrap());
        assert!(lower < metric.value && metric.value < upper, "{metric:?}");
        assert_eq!(metric.confidence, Some(0.95));
    }
    let TaskEvaluation::Multilabel(found) = &found else {
        panic!("{found:?}")
    };
    let text = serde_json::to_string(found).unwrap();
    let back: TaskEvaluation = serde_json::from_str(&text).unwrap();
    assert!(matches!(back, TaskEvaluation::Multilabel(_)), "{back:?}");
}

#[test]
fn a_model_of_another_task_is_refused_by_name() {
    let dataset = numbers(&cases("regression")[0]);
    let predictor = multilabel(1);
    let options = without_intervals();
    for error in [
        evaluate(&predictor, &dataset, &options).unwrap_err(),
        evaluate_regression(&predictor, &dataset, &options).unwrap_err(),
        evaluate_multilabel(&predictor, &dataset, &options).unwrap_err(),
        regression(1).require(TargetKind::Classification).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Task { .. }), "{error}");
    }
}

#[test]
fn a_manifest_whose_targets_disagree_is_refused() {
    let refused = |change: &dyn Fn(&mut Manifest)| {
        let config: ModelConfig = serde_json::from_value(json!({
            "model_type": "mlp", "input_shape": [2], "hidden_sizes": [], "num_classes": 2,
        }))
        .unwrap();
        let mut manifest = regression(2).manifest().clone();
        change(&mut manifest);
        Predictor::from_parts(config.build(0).unwrap(), manifest).unwrap_err()
    };
    let error = refused(&|manifest| manifest.task = "classification".to_owned());
    assert!(matches!(error, Error::Signature { field: "task", .. }), "{error}");
    let error = refused(&|manifest| {
        manifest.signature.labels.push("y2".to_owned());
        manifest.signature.outputs[0].shape[1] = Some(3);
    });
    assert!(
        matches!(error, Error::Signature { field: "labels", .. }),
        "{error}"
    );
    let error = refused(&|manifest| manifest.task = "causal_lm".to_owned());
    assert!(error.to_string().contains("regression or multilabel"), "{error}");
}
