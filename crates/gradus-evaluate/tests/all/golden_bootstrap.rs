//! Bootstrap intervals against SciPy's, from `golden/bootstrap.json` (`golden/make_bootstrap.py` writes it).

use std::collections::BTreeMap;

use gradus_evaluate::bootstrap::{
    BootstrapOptions, Interval, Jackknife, Method, Resampling, RowSample, acceleration, bias_correction,
    intervals, row_intervals,
};
use gradus_evaluate::metrics::{Average, ConfusionMatrix, LabelSet, accuracy, f1};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Largest difference accepted where nothing is random.
const EXACT: f64 = 1e-12;

/// Resamples drawn here, and by SciPy.
const MANY: usize = 100_000;

/// Standard errors that two runs of [`MANY`] resamples may differ by. The 2.5 % quantile of a normal statistic has a
/// standard deviation of 0.0084 of them, the difference of two 0.012; BCa adds that of its bias correction.
const RANDOM: f64 = 0.06;

const METHODS: [Method; 3] = [Method::Percentile, Method::Basic, Method::Bca];

type Ends = BTreeMap<String, [f64; 2]>;

#[derive(Deserialize)]
struct Exact {
    name: String,
    value: f64,
    resampled: Vec<f64>,
    jackknife: Vec<Vec<f64>>,
    bias_correction: f64,
    acceleration: f64,
    intervals: Ends,
}

#[derive(Deserialize)]
struct Many {
    standard_error: f64,
    intervals: Ends,
}

#[derive(Deserialize)]
struct Matrix {
    name: String,
    num_classes: usize,
    counts: Vec<u64>,
    rows: BTreeMap<String, Many>,
    stratified: BTreeMap<String, Many>,
}

#[derive(Deserialize)]
struct Rows {
    name: String,
    values: Vec<f64>,
    mean: Many,
    spread: Many,
}

fn cases<T: DeserializeOwned>(kind: &str) -> Vec<T> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/bootstrap.json");
    let text = std::fs::read_to_string(path).expect("a valid fixture");
    let golden: serde_json::Value = serde_json::from_str(&text).expect("a valid fixture");
    let all = golden["cases"].as_array().expect("a valid fixture");
    let of_kind = all.iter().filter(|case| case["kind"] == kind);
    let read = |case: &serde_json::Value| serde_json::from_value(case.clone()).expect("a valid fixture");
    of_kind.map(read).collect()
}

fn check(what: &str, found: Interval, ends: &Ends, method: Method, tolerance: f64) {
    let [lower, upper] = ends[method.name()];
    let off = (found.lower - lower).abs().max((found.upper - upper).abs());
    assert!(
        off <= tolerance,
        "{what}, {}: {found:?}, SciPy has [{lower}, {upper}]; off by {off}, {tolerance} accepted",
        method.name()
    );
}

#[test]
fn given_resamples_the_intervals_are_those_of_scipy() {
    for case in cases::<Exact>("exact") {
        let correction = bias_correction(&case.resampled, case.value);
        assert!(
            (correction - case.bias_correction).abs() <= EXACT,
            "{}: {correction}",
            case.name
        );
        let strata = case.jackknife.iter().map(|values| {
            let mut jackknife = Jackknife::default();
            values
                .iter()
                .for_each(|value| jackknife.add(value - case.value, 1));
            jackknife
        });
        let found = acceleration(strata);
        assert!(
            (found - case.acceleration).abs() <= EXACT,
            "{}: {found}",
            case.name
        );
        for method in METHODS {
            let interval = method.interval(&mut case.resampled.clone(), case.value, found, 0.95);
            check(&case.name, interval, &case.intervals, method, EXACT);
        }
    }
}

#[test]
fn resampled_counts_give_the_intervals_of_resampled_rows() {
    for case in cases::<Matrix>("matrix") {
        let rows: u64 = case.counts.iter().sum();
        let matrix = ConfusionMatrix::from_counts(case.counts, case.num_classes).expect("a valid fixture");
        for (resampling, expected) in [
            (Resampling::Rows, &case.rows),
            (Resampling::Stratified, &case.stratified),
        ] {
            for method in METHODS {
                let options = BootstrapOptions {
                    resamples: MANY,
                    method,
                    resampling,
                    ..Default::default()
                };
                let found = intervals(&matrix, &options, 2, |counts, out| {
                    out[0] = accuracy(counts);
                    out[1] = f1(counts, Average::Macro, LabelSet::Known);
                })
                .expect("a valid fixture");
                // Accuracy moves in steps of one row, and either neighbour may be the quantile.
                for (metric, found, step) in [
                    ("accuracy", found[0], 1.0 / rows as f64),
                    ("macro_f1", found[1], 0.0),
                ] {
                    let expected = &expected[metric];
                    let what = format!("{} ({metric}, {resampling:?})", case.name);
                    let tolerance = RANDOM * expected.standard_error + step;
                    check(&what, found, &expected.intervals, method, tolerance);
                }
            }
        }
    }
}

#[test]
fn resampled_rows_give_the_intervals_of_scipy() {
    for case in cases::<Rows>("rows") {
        let sample = RowSample::new(case.values.len()).expect("a valid fixture");
        for method in METHODS {
            let options = BootstrapOptions {
                resamples: MANY,
                method,
                ..Default::default()
            };
            let found = row_intervals(&sample, &options, 2, |weights, out| {
                let mean_of = |value: &dyn Fn(f64) -> f64| {
                    let sum: f64 = weights.iter().zip(&case.values).map(|(w, &v)| w * value(v)).sum();
                    sum / weights.iter().sum::<f64>()
                };
                let mean = mean_of(&|value| value);
                out[0] = mean;
                out[1] = mean_of(&|value| (value - mean).powi(2)).sqrt();
            })
            .expect("a valid fixture");
            for (metric, found, expected) in
                [("mean", found[0], &case.mean), ("spread", found[1], &case.spread)]
            {
                let found = found.expect("a defined statistic");
                let what = format!("{} ({metric})", case.name);
                check(
                    &what,
                    found,
                    &expected.intervals,
                    method,
                    RANDOM * expected.standard_error,
                );
            }
        }
    }
}
