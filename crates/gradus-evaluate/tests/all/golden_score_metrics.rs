//! Areas, curves and thresholds of two classes against scikit-learn's (`golden/make_score_metrics.py`).
#![cfg(test)]

use gradus_evaluate::metrics::{
    Average, BestThreshold, Binning, LabelSet, RocCurve, accuracy, average_precision, best_threshold,
    calibration_curve, f1, precision_recall_curve, roc_auc, roc_curve,
};
use serde::Deserialize;

use crate::metric_cases::{Comparison, cases, scaled, weights};

type Curve = Vec<Vec<Option<f64>>>;

#[derive(Deserialize)]
struct Case {
    kind: String,
    truth: Vec<i64>,
    scale: f64,
    scores: Vec<i64>,
    weights: Option<Vec<i64>>,
    bins: usize,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    roc_auc: Option<f64>,
    average_precision: Option<f64>,
    roc: Option<Curve>,
    roc_without_intermediate: Option<Curve>,
    precision_recall: Option<Curve>,
    calibration: [Curve; 2],
    best_accuracy: [f64; 2],
    best_f1: [f64; 2],
}

fn check_curve(found: &mut Comparison, name: &str, got: [&[f64]; 3], want: &Curve) {
    for (got, want) in got.into_iter().zip(want) {
        found.numbers(name, got, want);
    }
}

fn check_roc(found: &mut Comparison, name: &str, curve: &RocCurve, want: &Curve) {
    assert_eq!(curve.thresholds[0], f64::INFINITY, "{name}");
    let columns = [
        &curve.false_positive_rates[..],
        &curve.true_positive_rates,
        &curve.thresholds[1..],
    ];
    check_curve(found, name, columns, want);
}

fn check_best(found: &mut Comparison, name: &str, got: BestThreshold, want: [f64; 2]) {
    found.number(name, got.threshold, Some(want[0]));
    found.number(name, got.value, Some(want[1]));
}

#[test]
fn areas_curves_and_thresholds_equal_scikit_learn() {
    let mut found = Comparison::default();
    for (at, case) in cases::<Case>("score_metrics.json").iter().enumerate() {
        let name = format!("case {at} ({})", case.kind);
        let (scores, weights) = (scaled(&case.scores, case.scale), weights(&case.weights));
        let (truth, scores, weights, expected) =
            (&case.truth, &scores[..], weights.as_deref(), &case.expected);
        found.answer(
            &format!("{name}: AUC"),
            roc_auc(truth, scores, weights),
            expected.roc_auc,
        );
        found.answer(
            &format!("{name}: AP"),
            average_precision(truth, scores, weights),
            expected.average_precision,
        );
        match (roc_curve(truth, scores, weights), &expected.roc) {
            (Ok(curve), Some(want)) => {
                check_roc(&mut found, &format!("{name}: ROC"), &curve, want);
                let short = expected.roc_without_intermediate.as_ref().unwrap();
                check_roc(
                    &mut found,
                    &format!("{name}: short ROC"),
                    &curve.without_intermediate(),
                    short,
                );
            }
            (Err(_), None) => (),
            (got, want) => panic!("{name}: ROC is {got:?}, expected {want:?}"),
        }
        let curve = precision_recall_curve(truth, scores, weights).unwrap();
        let columns = [&curve.precision[..], &curve.recall, &curve.thresholds];
        let want = expected.precision_recall.as_ref().unwrap();
        check_curve(
            &mut found,
            &format!("{name}: precision and recall"),
            columns,
            want,
        );
        for (binning, want) in [Binning::Uniform(case.bins), Binning::Quantile(case.bins)]
            .into_iter()
            .zip(&expected.calibration)
        {
            let bins = calibration_curve(truth, scores, binning, None).unwrap();
            let observed: Vec<f64> = bins.iter().map(|bin| bin.observed).collect();
            let predicted: Vec<f64> = bins.iter().map(|bin| bin.predicted).collect();
            let columns = [&observed[..], &predicted, &[]];
            check_curve(
                &mut found,
                &format!("{name}: {binning:?} calibration"),
                columns,
                want,
            );
        }
        let best = best_threshold(truth, scores, weights, accuracy).unwrap();
        check_best(
            &mut found,
            &format!("{name}: best accuracy"),
            best,
            expected.best_accuracy,
        );
        let best = best_threshold(truth, scores, weights, |counts| {
            f1(counts, Average::Binary, LabelSet::Known)
        });
        check_best(
            &mut found,
            &format!("{name}: best F1"),
            best.unwrap(),
            expected.best_f1,
        );
    }
    found.finish(200 * 20);
}
