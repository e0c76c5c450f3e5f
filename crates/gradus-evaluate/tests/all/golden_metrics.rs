//! Metrics against scikit-learn's, from `golden/metrics.json` (`golden/make_metrics.py` writes it).

use gradus_evaluate::metrics::{
    Average, ClassCounts, ConfusionMatrix, LabelSet, ZeroDivision, accuracy, f1, f1_per_class, log_loss,
    precision, precision_per_class, recall, recall_per_class,
};
use serde::Deserialize;

/// Largest relative difference accepted: a few roundings of f64.
const TOLERANCE: f64 = 1e-14;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    num_classes: usize,
    truth: Vec<i64>,
    predicted: Vec<i64>,
    probabilities: Option<Vec<Vec<f64>>>,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    accuracy: f64,
    precision: Vec<f64>,
    recall: Vec<f64>,
    f1: Vec<f64>,
    support: Vec<f64>,
    confusion: Vec<Vec<u64>>,
    #[serde(rename = "macro")]
    macro_average: Averaged,
    micro: Averaged,
    weighted: Averaged,
    log_loss: Option<f64>,
}

#[derive(Deserialize)]
struct Averaged {
    precision: f64,
    recall: f64,
    f1: f64,
}

fn golden() -> Golden {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/metrics.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("a valid fixture")).expect("a valid fixture")
}

fn check(case: &str, what: &str, got: f64, expected: f64) {
    let difference = (got - expected).abs();
    assert!(
        difference <= TOLERANCE * expected.abs().max(1.0),
        "{case}: {what} is {got}, scikit-learn has {expected}"
    );
}

fn check_each(case: &str, what: &str, got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len(), "{case}: {what}");
    for (class, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        check(case, &format!("{what} of class {class}"), got, expected);
    }
}

fn check_averages(case: &str, counts: &ClassCounts, average: Average, expected: &Averaged) {
    let known = LabelSet::Known;
    check(
        case,
        &format!("{average:?} precision"),
        precision(counts, average, known),
        expected.precision,
    );
    check(
        case,
        &format!("{average:?} recall"),
        recall(counts, average, known),
        expected.recall,
    );
    check(
        case,
        &format!("{average:?} F1"),
        f1(counts, average, known),
        expected.f1,
    );
}

#[test]
fn every_metric_equals_scikit_learn() {
    let golden = golden();
    assert!(golden.cases.len() >= 40, "only {} cases", golden.cases.len());
    for Case {
        name,
        num_classes,
        truth,
        predicted,
        expected,
        ..
    } in &golden.cases
    {
        let matrix = ConfusionMatrix::from_labels(truth, predicted, *num_classes).unwrap();
        let counts = matrix.class_counts();
        assert_eq!(matrix.counts(), expected.confusion.concat(), "{name}");
        let support: Vec<f64> = counts.support().iter().map(|&count| count as f64).collect();
        assert_eq!(support, expected.support, "{name}");
        check(name, "accuracy", accuracy(&counts), expected.accuracy);
        check_each(
            name,
            "precision",
            &precision_per_class(&counts, ZeroDivision::Zero),
            &expected.precision,
        );
        check_each(
            name,
            "recall",
            &recall_per_class(&counts, ZeroDivision::Zero),
            &expected.recall,
        );
        check_each(
            name,
            "F1",
            &f1_per_class(&counts, ZeroDivision::Zero),
            &expected.f1,
        );
        check_averages(name, &counts, Average::Macro, &expected.macro_average);
        check_averages(name, &counts, Average::Micro, &expected.micro);
        check_averages(name, &counts, Average::Weighted, &expected.weighted);
    }
}

#[test]
fn log_loss_equals_scikit_learn() {
    let golden = golden();
    let mut compared = 0;
    for case in &golden.cases {
        let Some(probabilities) = &case.probabilities else {
            continue;
        };
        let found = log_loss(&case.truth, &probabilities.concat(), case.num_classes, None).unwrap();
        check(&case.name, "log-loss", found, case.expected.log_loss.unwrap());
        compared += 1;
    }
    assert!(compared >= 5, "only {compared} cases have probabilities");
}
