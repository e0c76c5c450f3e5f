//! Temperatures against SciPy's, from `golden/calibration.json` (`golden/make_calibration.py` writes it), and packages that
//! carry one.

use crate::support::{contents, dataset};
use gradus_evaluate::calibration::{Reliability, calibrate, fit_temperature};
use gradus_evaluate::html::CalibrationPage;
use gradus_evaluate::{Error, EvaluateOptions, Predictions, Predictor, evaluate};
use gradus_package::{CalibrationMethod, MetricValue, Package};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    num_classes: usize,
    logits: Vec<f32>,
    labels: Vec<i64>,
    temperature: f64,
    loss_before: f64,
    loss_after: f64,
    ece_before: f64,
    ece_after: f64,
}

fn golden() -> Golden {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/calibration.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("a valid fixture")).expect("a valid fixture")
}

fn assert_close(case: &str, what: &str, got: f64, expected: f64, tolerance: f64) {
    let difference = (got - expected).abs();
    assert!(
        difference <= tolerance * expected.abs().max(1e-3),
        "{case}: {what} is {got}, SciPy has {expected}"
    );
}

#[test]
fn temperatures_are_those_of_scipy() {
    let golden = golden();
    assert!(golden.cases.len() >= 8, "only {} cases", golden.cases.len());
    for case in golden.cases {
        let name = &case.name;
        let predictions = Predictions::new(case.logits, case.num_classes).unwrap();
        let fit = fit_temperature(&predictions, &case.labels).unwrap();
        assert_close(name, "the temperature", fit.temperature, case.temperature, 1e-6);
        assert_close(name, "the loss before", fit.loss_before, case.loss_before, 1e-12);
        assert_close(name, "the loss after", fit.loss_after, case.loss_after, 1e-12);
        assert!(
            fit.loss_after <= case.loss_after * (1.0 + 1e-14),
            "{name}: SciPy found a better one"
        );

        let before = Reliability::new(&predictions, &case.labels).unwrap();
        assert_close(
            name,
            "the calibration error before",
            before.expected_calibration_error,
            case.ece_before,
            1e-9,
        );
        assert_close(
            name,
            "the log-loss before",
            before.log_loss,
            case.loss_before,
            1e-12,
        );
        let classes = predictions.classes();
        let scaled = predictions.with_temperature(fit.temperature);
        assert_eq!(
            scaled.classes(),
            classes,
            "{name}: a temperature changes no class"
        );
        let after = Reliability::new(&scaled, &case.labels).unwrap();
        assert_close(
            name,
            "the calibration error after",
            after.expected_calibration_error,
            case.ece_after,
            1e-5,
        );
        assert_close(name, "the log-loss after", after.log_loss, case.loss_after, 1e-12);
        assert_eq!(after.accuracy, before.accuracy, "{name}");
        assert_eq!(
            after.bins.iter().map(|bin| bin.count).sum::<u64>(),
            case.labels.len() as u64
        );
    }
}

#[test]
fn data_without_a_best_temperature_are_refused() {
    let fit = |logits: &[f32], labels: &[i64]| {
        fit_temperature(&Predictions::new(logits.to_vec(), 2).unwrap(), labels).unwrap_err()
    };
    let all_right = fit(&[2.0, 0.0, 0.0, 1.0], &[0, 1]);
    assert!(
        matches!(all_right, Error::NoTemperature { end: 0.01 }),
        "{all_right}"
    );
    let all_wrong = fit(&[2.0, 0.0, 0.0, 1.0], &[1, 0]);
    assert!(
        matches!(all_wrong, Error::NoTemperature { end: 100.0 }),
        "{all_wrong}"
    );
    let no_opinion = fit(&[3.0, 3.0, -1.0, -1.0], &[1, 0]);
    assert!(matches!(no_opinion, Error::NoTemperature { .. }), "{no_opinion}");
    let too_few = fit(&[2.0, 0.0, 0.0, 1.0], &[0]);
    assert!(matches!(too_few, Error::LengthMismatch { .. }), "{too_few}");
    let no_class = fit(&[2.0, 0.0, 0.0, 1.0], &[0, 2]);
    assert!(
        matches!(
            no_class,
            Error::LabelOutOfRange {
                index: 1,
                label: 2,
                ..
            }
        ),
        "{no_class}"
    );
    let huge = fit_temperature(
        &Predictions::new(vec![3e38, 0.0, -3e38, 1.0], 2).unwrap(),
        &[1, 0],
    );
    assert!(huge.is_err(), "the loss is not a number");
}

#[test]
fn a_calibrated_package_answers_with_its_temperature_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let [plain, calibrated] = ["plain", "calibrated"].map(|name| folder.path().join(name));
    let mut contents = contents();
    contents.manifest.metrics = ["accuracy", "log_loss"]
        .map(|name| MetricValue {
            name: name.into(),
            value: 0.8,
            lower: None,
            upper: None,
            confidence: None,
            split: "test".into(),
            n: 30,
        })
        .into();
    Package::save(&plain, &contents).unwrap();
    let parent = Package::open(&plain).unwrap();
    let result = calibrate(&parent, &dataset(), "validation").unwrap();
    Package::save(&calibrated, &result.contents).unwrap();

    let child = Package::open(&calibrated).unwrap();
    assert_eq!(
        child.manifest().lineage.parent.as_deref(),
        Some(parent.fingerprint())
    );
    let kept: Vec<&str> = child
        .manifest()
        .metrics
        .iter()
        .map(|metric| metric.name.as_str())
        .collect();
    assert_eq!(kept, ["accuracy"], "the log-loss is no longer true");
    let calibration = child.manifest().calibration.as_ref().unwrap();
    assert_eq!((calibration.split.as_str(), calibration.n), ("validation", 30));
    let CalibrationMethod::Temperature { temperature } = calibration.method else {
        panic!("{calibration:?}")
    };
    assert_eq!(temperature, result.report.temperature);
    assert!(result.report.after.log_loss < result.report.before.log_loss);

    let [plain, calibrated] = [&plain, &calibrated].map(|folder| Predictor::open(folder).unwrap());
    assert_eq!(
        (plain.temperature(), calibrated.temperature()),
        (1.0, temperature)
    );
    let inputs = dataset().samples().tensor(0..30);
    let logits = plain.predict_batch(&inputs).unwrap();
    assert_eq!(
        calibrated
            .predict_batch(&inputs)
            .unwrap()
            .to_vec::<f32>()
            .unwrap(),
        logits.to_vec::<f32>().unwrap()
    );
    let expected = logits.mul_scalar(1.0 / temperature).unwrap().softmax(1).unwrap();
    let expected = expected.to_vec::<f32>().unwrap();
    let served = calibrated
        .predict_probabilities(&inputs)
        .unwrap()
        .to_vec::<f32>()
        .unwrap();
    assert_eq!(served, expected);
    let predictions = calibrated.predict_dataset(&dataset(), 7).unwrap();
    let wide = (0..30).flat_map(|row| predictions.probabilities(row));
    assert!(wide.zip(&expected).all(|(a, &b)| (a - f64::from(b)).abs() < 1e-6));
    let evaluated = evaluate(&calibrated, &dataset(), &EvaluateOptions::default()).unwrap();
    assert!((evaluated.log_loss - result.report.after.log_loss).abs() < 1e-12);

    let again = calibrate(&child, &dataset(), "validation").unwrap();
    assert!(
        (again.report.temperature - temperature).abs() < 1e-12,
        "it is found from the logits"
    );
    assert_eq!(again.report.before, result.report.after);
}

#[test]
fn a_temperature_that_cannot_divide_is_refused() {
    for temperature in [0.0, -1.0] {
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("plain");
        Package::save(&plain, &contents()).unwrap();
        let mut contents = calibrate(&Package::open(&plain).unwrap(), &dataset(), "test")
            .unwrap()
            .contents;
        let calibration = contents.manifest.calibration.as_mut().unwrap();
        calibration.method = CalibrationMethod::Temperature { temperature };
        Package::save(folder.path().join("broken"), &contents).unwrap();
        let error = Predictor::open(folder.path().join("broken")).unwrap_err();
        assert!(matches!(error, Error::Temperature { .. }), "{error}");
    }
}

#[test]
fn the_page_shows_both_diagrams_and_loads_nothing() {
    let folder = tempfile::tempdir().unwrap();
    Package::save(folder.path().join("model"), &contents()).unwrap();
    let package = Package::open(folder.path().join("model")).unwrap();
    let report = calibrate(&package, &dataset(), "validation").unwrap().report;
    let page = CalibrationPage::new("<b>title</b>", "a & b", &package, &report)
        .render()
        .unwrap();
    assert_eq!(page.matches("<svg").count(), 2);
    assert!(
        page.contains("&lt;b&gt;title&lt;")
            && !page.contains("http:")
            && !page.contains("https:")
            && !page.contains("<script")
    );
}
