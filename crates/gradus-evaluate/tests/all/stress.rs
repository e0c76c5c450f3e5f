//! Disturbed inputs and what they do to a model: attacks and blur against PyTorch and SciPy (`golden/make_stress.py`), the
//! rest against its definition.

use std::collections::BTreeMap;

use crate::support::{contents, dataset, dataset_with_labels};
use gradus_data::{
    ColumnTransform, Dataset, Features, ImagePreprocessing, Preprocessing, Samples, TablePreprocessing,
    Transform,
};
use gradus_evaluate::html::StressPage;
use gradus_evaluate::stress::{InputUnit, StressOptions, StressReport, StressTest, disturbed_inputs, stress};
use gradus_evaluate::{Error, Predictor};
use gradus_nn::ModelConfig;
use gradus_package::{Lineage, Manifest, Package, Signature, TensorSpec};
use gradus_tensor::{DType, Tensor};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    shape: [usize; 3],
    mean: Vec<f64>,
    std: Vec<f64>,
    num_classes: usize,
    hidden_size: usize,
    weights: BTreeMap<String, Weight>,
    pixels: Vec<u8>,
    labels: Vec<i64>,
    classes: Vec<i64>,
    epsilon: f64,
    steps: usize,
    step_size: f64,
    fgsm: Attacked,
    pgd: Attacked,
    blur: Vec<Blurred>,
}

#[derive(Deserialize)]
struct Weight {
    shape: Vec<usize>,
    values: Vec<f32>,
}

#[derive(Deserialize)]
struct Attacked {
    pictures: Vec<Vec<f32>>,
    classes: Vec<i64>,
}

#[derive(Deserialize)]
struct Blurred {
    sigma: f64,
    pictures: Vec<Vec<f32>>,
}

fn golden() -> Case {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/stress.json");
    let golden: Golden = serde_json::from_str(&std::fs::read_to_string(path).expect("a valid fixture"))
        .expect("a valid fixture");
    golden.cases.into_iter().next().expect("one case")
}

/// A multilayer perceptron made ready.
fn predictor(
    config: Value,
    weights: &[(String, Tensor)],
    preprocessing: Preprocessing,
    classes: usize,
) -> Predictor {
    let config: ModelConfig = serde_json::from_value(config).expect("a valid fixture");
    let spec = |name: &str, shape: &[usize]| TensorSpec {
        name: name.into(),
        dtype: DType::F32,
        shape: [None]
            .into_iter()
            .chain(shape.iter().copied().map(Some))
            .collect(),
    };
    let signature = Signature {
        inputs: vec![spec("input", &preprocessing.sample_shape())],
        outputs: vec![spec("logits", &[classes])],
        labels: names(classes),
    };
    let manifest = Manifest::new(
        "classification",
        signature,
        preprocessing,
        Lineage::by_this_build(),
    );
    let model = config.load(weights).expect("a valid fixture");
    Predictor::from_parts(model, manifest).expect("a valid fixture")
}

fn names(classes: usize) -> Vec<String> {
    (0..classes).map(|class| format!("class {class}")).collect()
}

impl Case {
    fn predictor(&self) -> Predictor {
        let weights: Vec<(String, Tensor)> = self
            .weights
            .iter()
            .map(|(name, weight)| {
                let tensor = Tensor::from_vec(weight.values.clone(), &weight.shape).expect("a valid fixture");
                (name.clone(), tensor)
            })
            .collect();
        let config = json!({"model_type": "mlp", "input_shape": self.shape, "hidden_sizes": [self.hidden_size],
            "num_classes": self.num_classes, "activation": "tanh"});
        predictor(
            config,
            &weights,
            Preprocessing::Image(self.preprocessing()),
            self.num_classes,
        )
    }

    fn preprocessing(&self) -> ImagePreprocessing {
        ImagePreprocessing {
            shape: self.shape,
            scale: 1.0 / 255.0,
            mean: self.mean.clone(),
            std: self.std.clone(),
        }
    }

    fn dataset(&self) -> Dataset {
        let features = Features::U8 {
            pixels: self.pixels.clone(),
            affine: self.preprocessing().affine(),
        };
        let samples =
            Samples::new(features, self.shape.to_vec(), self.labels.len()).expect("a valid fixture");
        Dataset::new(samples, self.labels.clone(), names(self.num_classes)).expect("a valid fixture")
    }

    /// Attacks as the golden file describes them.
    fn options(&self) -> StressOptions {
        StressOptions {
            epsilons: vec![self.epsilon],
            steps: self.steps,
            step_size: Some(self.step_size),
            restarts: 0,
            ..StressOptions::default()
        }
    }
}

/// Largest difference of two lists of pictures, in parts of the range from black to white.
fn distance(got: &[f32], expected: &[Vec<f32>]) -> f32 {
    let expected = expected.concat();
    assert_eq!(got.len(), expected.len());
    got.iter()
        .zip(&expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
        / 255.0
}

fn classes_of(predictor: &Predictor, case: &Case, pixels: &[f32]) -> Vec<i64> {
    let affine = case.preprocessing().affine();
    let plane = case.shape[1] * case.shape[2];
    let shape = [&[case.labels.len()], case.shape.as_slice()].concat();
    let inputs = pixels.iter().enumerate().map(|(at, pixel)| {
        let channel = at / plane % case.shape[0];
        pixel * affine.scale[channel] + affine.shift[channel]
    });
    let inputs = Tensor::from_vec(inputs.collect::<Vec<f32>>(), shape).expect("a valid fixture");
    let logits = predictor
        .predict_batch(&inputs)
        .expect("a valid fixture")
        .to_vec::<f32>()
        .expect("f32");
    gradus_evaluate::Predictions::new(logits, case.num_classes)
        .expect("finite")
        .classes()
}

#[test]
fn attacks_and_blur_agree_with_pytorch_and_scipy() {
    let case = golden();
    let (predictor, dataset, options) = (case.predictor(), case.dataset(), case.options());
    let every: Vec<usize> = (0..case.labels.len()).collect();
    let disturbed =
        |test, severity| disturbed_inputs(&predictor, &dataset, &every, (test, severity), &options).unwrap();
    let clean: Vec<f32> = case.pixels.iter().map(|&pixel| f32::from(pixel)).collect();
    assert_eq!(classes_of(&predictor, &case, &clean), case.classes);
    for (test, expected) in [(StressTest::Fgsm, &case.fgsm), (StressTest::Pgd, &case.pgd)] {
        let pictures = disturbed(test, case.epsilon);
        let distance = distance(&pictures, &expected.pictures);
        assert!(distance <= 1e-4, "{test:?}: pictures differ by {distance}");
        assert_eq!(
            classes_of(&predictor, &case, &pictures),
            expected.classes,
            "{test:?}"
        );
    }
    assert!(case.blur.len() >= 3);
    for blurred in &case.blur {
        let distance = distance(&disturbed(StressTest::Blur, blurred.sigma), &blurred.pictures);
        assert!(
            distance <= 1e-6,
            "blur {}: pictures differ by {distance}",
            blurred.sigma
        );
    }
}

#[test]
fn accuracy_under_attack_is_that_of_the_attacked_pictures() {
    let case = golden();
    let options = StressOptions {
        tests: Some(vec![StressTest::Pgd, StressTest::Fgsm]),
        batch_size: 7,
        ..case.options()
    };
    let report = stress(&case.predictor(), &case.dataset(), &options, &mut |_, _| {}).unwrap();
    let accuracy = |classes: &[i64]| {
        let right = classes.iter().zip(&case.labels).filter(|(a, b)| a == b);
        right.count() as f64 / case.labels.len() as f64
    };
    assert_eq!(report.clean.accuracy, accuracy(&case.classes));
    let [fgsm, pgd] = report.tests.as_slice() else {
        panic!("{report:?}")
    };
    assert_eq!(fgsm.severities[0].score.accuracy, accuracy(&case.fgsm.classes));
    assert_eq!(pgd.severities[0].score.accuracy, accuracy(&case.pgd.classes));
    assert_eq!(pgd.severities[0].flat_gradients, Some(0));
}

#[test]
fn disturbed_pixels_stay_in_range_and_in_the_ball() {
    let case = golden();
    let options = StressOptions {
        restarts: 3,
        ..case.options()
    };
    let every: Vec<usize> = (0..case.labels.len()).collect();
    let (predictor, dataset) = (case.predictor(), case.dataset());
    for test in StressTest::ALL {
        let pixels = disturbed_inputs(&predictor, &dataset, &every, (test, 0.3), &options).unwrap();
        assert!(
            pixels.iter().all(|pixel| (0.0..=255.0).contains(pixel)),
            "{test:?}"
        );
        if test.is_attack() {
            let moved = pixels
                .iter()
                .zip(&case.pixels)
                .map(|(a, &b)| (a - f32::from(b)).abs());
            assert!(moved.fold(0.0, f32::max) <= 0.3 * 255.0 + 1e-4, "{test:?}");
        }
    }
}

#[test]
fn more_starts_never_help_the_model() {
    let case = golden();
    let accuracy = |restarts| {
        let options = StressOptions {
            tests: Some(vec![StressTest::Pgd]),
            epsilons: vec![0.05],
            steps: 2,
            restarts,
            seed: 5,
            ..StressOptions::default()
        };
        let report = stress(&case.predictor(), &case.dataset(), &options, &mut |_, _| {}).unwrap();
        report.tests[0].severities[0].score.accuracy
    };
    let found: Vec<f64> = [1, 2, 4, 8].map(accuracy).into();
    assert!(found.windows(2).all(|pair| pair[1] <= pair[0]), "{found:?}");
}

/// Same report but for last bits of confidences.
fn assert_same(got: &StressReport, expected: &StressReport) {
    assert_eq!(got.tests.len(), expected.tests.len());
    for (got, expected) in got.tests.iter().zip(&expected.tests) {
        for (got, expected) in got.severities.iter().zip(&expected.severities) {
            assert_eq!(got.severity, expected.severity);
            assert_eq!(got.score.accuracy, expected.score.accuracy);
            assert_eq!(got.score.unchanged, expected.score.unchanged);
            assert!((got.score.mean_confidence - expected.score.mean_confidence).abs() < 1e-6);
        }
    }
}

#[test]
fn the_seed_decides_and_neither_batches_nor_threads_do() {
    let case = golden();
    let run = |seed, batch_size, threads| {
        gradus_kernels::pool::set_threads(threads);
        let options = StressOptions {
            seed,
            batch_size,
            ..StressOptions::default()
        };
        stress(&case.predictor(), &case.dataset(), &options, &mut |_, _| {}).unwrap()
    };
    let first = run(1, 24, 1);
    assert_eq!(run(1, 24, 2), first, "not a bit depends on the threads");
    assert_same(&run(1, 5, 2), &first);
    let other = run(2, 24, 2);
    assert_ne!(
        other.tests[0].severities, first.tests[0].severities,
        "noise follows the seed"
    );
}

#[test]
fn a_report_survives_json_without_its_pictures() {
    let case = golden();
    let report = stress(
        &case.predictor(),
        &case.dataset(),
        &StressOptions::default(),
        &mut |_, _| {},
    )
    .unwrap();
    assert!(!report.examples.is_empty());
    assert_eq!(report.examples[0].views.len(), 1 + StressTest::ALL.len());
    let text = serde_json::to_string(&report).unwrap();
    let read: StressReport = serde_json::from_str(&text).unwrap();
    assert_eq!(
        read,
        StressReport {
            examples: Vec::new(),
            ..report
        }
    );
}

#[test]
fn progress_counts_every_batch() {
    let case = golden();
    let options = StressOptions {
        tests: Some(vec![StressTest::Noise, StressTest::Fgsm]),
        batch_size: 10,
        ..StressOptions::default()
    };
    let mut seen = Vec::new();
    stress(&case.predictor(), &case.dataset(), &options, &mut |done, all| {
        seen.push((done, all))
    })
    .unwrap();
    let expected: Vec<(usize, usize)> = (1..=24).map(|done| (done, 24)).collect();
    assert_eq!(seen, expected, "3 batches at 5 severities of noise and 3 of FGSM");
}

/// Two numeric columns and a category in front of a linear model that looks at the first column alone.
fn table() -> (Predictor, Dataset) {
    let numeric = |name: &str, mean: f64, std: f64, fill: f64| ColumnTransform {
        name: name.into(),
        transform: Transform::Numeric { mean, std, fill },
    };
    let columns = vec![
        numeric("age", 30.0, 10.0, 35.0),
        ColumnTransform {
            name: "colour".into(),
            transform: Transform::Categorical {
                values: vec!["blue".into(), "red".into()],
            },
        },
        numeric("fare", 0.0, 1.0, 4.0),
    ];
    let table = TablePreprocessing {
        label: "survived".into(),
        targets: Default::default(),
        columns,
    };
    let weights = vec![
        (
            "layers.0.weight".to_owned(),
            Tensor::from_vec(vec![-1.0f32, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], [2, 4])
                .expect("a valid fixture"),
        ),
        (
            "layers.0.bias".to_owned(),
            Tensor::from_vec(vec![0.0f32, 0.0], [2]).expect("a valid fixture"),
        ),
    ];
    let config = json!({"model_type": "mlp", "input_shape": [4], "hidden_sizes": [], "num_classes": 2,
        "activation": "relu"});
    let predictor = predictor(config, &weights, Preprocessing::Table(table), 2);
    let rows = (0..40).flat_map(|row| {
        let age = 0.1 * (row as f32 - 19.5);
        [
            age,
            f32::from(u8::from(row % 2 == 0)),
            f32::from(u8::from(row % 2 == 1)),
            3.0 * row as f32,
        ]
    });
    let samples = Samples::new(Features::F32(rows.collect()), vec![4], 40).expect("a valid fixture");
    let labels = (0..40).map(|row| i64::from(row >= 20)).collect();
    (
        predictor,
        Dataset::new(samples, labels, names(2)).expect("a valid fixture"),
    )
}

#[test]
fn tables_move_by_deviations_and_lose_cells_as_training_would_fill_them() {
    let (predictor, dataset) = table();
    let options = StressOptions::default();
    let every: Vec<usize> = (0..40).collect();
    let disturbed =
        |test, severity| disturbed_inputs(&predictor, &dataset, &every, (test, severity), &options).unwrap();
    // The deviation of 40 equal steps of 0.1 is 0.1 · sqrt((40² − 1) / 12).
    let deviation = 0.1 * (1599.0f32 / 12.0).sqrt();
    let Features::F32(clean) = dataset.samples().features() else {
        panic!("rows are numbers")
    };
    let attacked = disturbed(StressTest::Fgsm, 0.5);
    for (row, (clean, attacked)) in clean.chunks(4).zip(attacked.chunks(4)).enumerate() {
        let towards = if row >= 20 { -1.0 } else { 1.0 };
        assert!(
            (attacked[0] - clean[0] - towards * 0.5 * deviation).abs() < 1e-5,
            "row {row}"
        );
        assert_eq!(
            attacked[1..],
            clean[1..],
            "row {row}: nothing that the model ignores moves"
        );
    }
    let lost = disturbed(StressTest::Missing, 1.0);
    assert!(
        lost.chunks(4).all(|row| row == [0.5, 0.0, 0.0, 4.0]),
        "all cells are filled"
    );
    let noisy = disturbed(StressTest::Noise, 1.0);
    for (clean, noisy) in clean.chunks(4).zip(noisy.chunks(4)) {
        assert_eq!(noisy[1..3], clean[1..3], "categories carry no noise");
        assert!(noisy[0] != clean[0] && noisy[3] != clean[3]);
    }
    let report = stress(&predictor, &dataset, &options, &mut |_, _| {}).unwrap();
    assert_eq!((report.unit, report.clean.accuracy), (InputUnit::Deviations, 1.0));
    assert!(report.examples.is_empty());
    let tests: Vec<StressTest> = report.tests.iter().map(|test| test.test).collect();
    assert_eq!(
        tests,
        [
            StressTest::Noise,
            StressTest::Missing,
            StressTest::Fgsm,
            StressTest::Pgd
        ]
    );
}

#[test]
fn what_cannot_be_done_is_refused_with_the_reason() {
    let (predictor, rows) = table();
    let refuse = |options: StressOptions| stress(&predictor, &rows, &options, &mut |_, _| {}).unwrap_err();
    let default = StressOptions::default;
    let blur = refuse(StressOptions {
        tests: Some(vec![StressTest::Blur]),
        ..default()
    });
    assert!(matches!(blur, Error::StressTest { test: "blur" }), "{blur}");
    for epsilon in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        let error = refuse(StressOptions {
            epsilons: vec![epsilon],
            ..default()
        });
        assert!(
            matches!(
                error,
                Error::StressOption {
                    option: "epsilon",
                    ..
                }
            ),
            "{error}"
        );
    }
    let steps = refuse(StressOptions {
        steps: 0,
        ..default()
    });
    assert!(
        matches!(steps, Error::StressOption { option: "steps", .. }),
        "{steps}"
    );
    assert!(matches!(
        refuse(StressOptions {
            batch_size: 0,
            ..default()
        }),
        Error::BatchSize
    ));

    let folder = tempfile::tempdir().unwrap();
    Package::save(folder.path().join("model"), &contents()).unwrap();
    let pictures = Predictor::open(folder.path().join("model")).unwrap();
    let other_names = dataset_with_labels(["a", "b", "c"]);
    let error = stress(&pictures, &other_names, &default(), &mut |_, _| {}).unwrap_err();
    assert!(matches!(error, Error::LabelNames { .. }), "{error}");
    let options = StressOptions {
        epsilons: vec![1.5],
        ..default()
    };
    let error = stress(&pictures, &dataset(), &options, &mut |_, _| {}).unwrap_err();
    assert!(matches!(error, Error::StressOption { .. }), "{error}");
}

#[test]
fn layers_without_gradients_are_refused_by_attacks_alone() {
    let config = json!({"model_type": "mlp", "input_shape": [1, 1, 3], "hidden_sizes": [], "num_classes": 3,
        "activation": "relu", "quantization_config": {"quant_method": "gradus-int8", "bits": 8,
        "weights": "per_channel_symmetric", "activations": "dynamic_per_row"}});
    let weights = vec![
        (
            "layers.0.weight".to_owned(),
            Tensor::from_vec(vec![127i8, 0, 0, 0, 127, 0, 0, 0, 127], [3, 3]).unwrap(),
        ),
        (
            "layers.0.weight_scale".to_owned(),
            Tensor::from_vec(vec![1.0f32 / 127.0; 3], [3]).unwrap(),
        ),
        (
            "layers.0.bias".to_owned(),
            Tensor::from_vec(vec![0.0f32; 3], [3]).unwrap(),
        ),
    ];
    let preprocessing = contents().manifest.preprocessing.unwrap();
    let predictor = predictor(config, &weights, preprocessing, 3);
    let dataset = dataset_with_labels(["class 0", "class 1", "class 2"]);
    let run = |tests| {
        let options = StressOptions {
            tests: Some(tests),
            ..StressOptions::default()
        };
        stress(&predictor, &dataset, &options, &mut |_, _| {})
    };
    let error = run(vec![StressTest::Fgsm]).unwrap_err();
    assert!(matches!(error, Error::NoInputGradient { .. }), "{error}");
    assert!(error.to_string().contains("compressed from"), "{error}");
    assert!(run(vec![StressTest::Noise, StressTest::Blur]).is_ok());
    // Unasked, attacks are left out, and the report says why.
    let report = stress(&predictor, &dataset, &StressOptions::default(), &mut |_, _| {}).unwrap();
    assert!(report.tests.iter().all(|result| !result.test.is_attack()));
    assert_eq!(report.tests.len() + report.skipped.len(), StressTest::ALL.len());
    let skipped: Vec<StressTest> = report.skipped.iter().map(|skipped| skipped.test).collect();
    assert_eq!(skipped, [StressTest::Fgsm, StressTest::Pgd]);
    assert!(report.skipped[0].reason.contains("no gradients"), "{report:?}");
}

#[test]
fn the_page_draws_every_test_and_loads_nothing() {
    let folder = tempfile::tempdir().unwrap();
    Package::save(folder.path().join("model"), &contents()).unwrap();
    let package = Package::open(folder.path().join("model")).unwrap();
    let predictor = Predictor::from_package(&package).unwrap();
    let report = stress(&predictor, &dataset(), &StressOptions::default(), &mut |_, _| {}).unwrap();
    let page = StressPage::new("<b>title</b>", "a & b", &package, &report)
        .render()
        .unwrap();
    assert_eq!(
        page.matches("<svg").count(),
        StressTest::ALL.len() + 1,
        "and the reliability diagram"
    );
    assert_eq!(page.matches("<img").count(), 3 * (1 + StressTest::ALL.len()));
    assert!(page.contains("&lt;b&gt;title&lt;") && page.contains("&lt;script&gt;left&lt;"));
    for forbidden in ["<script", "http:", "https:", "url(", "<link", "NaN"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
}
