//! Intervals over folds, against SciPy.

use gradus_tune::crossval::{MeanInterval, student_t_quantile};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    /// Probability, degrees of freedom, quantile.
    quantiles: Vec<[f64; 3]>,
    intervals: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    values: Vec<f64>,
    test_share: f64,
    mean: f64,
    std: f64,
    half_width: f64,
    corrected_half_width: f64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../../../golden/intervals.json")).unwrap()
}

fn assert_close(found: f64, expected: f64, what: &str) {
    assert!(
        (found - expected).abs() <= 1e-10 * expected.abs().max(1e-3),
        "{what}: {found}, SciPy has {expected}"
    );
}

#[test]
fn quantiles_of_students_t_are_scipys() {
    for [probability, degrees, expected] in golden().quantiles {
        let found = student_t_quantile(probability, degrees);
        assert_close(found, expected, &format!("t({probability}, {degrees})"));
    }
}

#[test]
fn intervals_over_folds_are_scipys_with_and_without_the_correction() {
    for case in golden().intervals {
        let found = MeanInterval::new(&case.values, case.test_share).unwrap();
        assert_close(found.mean, case.mean, "mean");
        assert_close(found.std, case.std, "std");
        assert_close(found.half_width, case.half_width, "half width");
        assert_close(
            found.corrected_half_width,
            case.corrected_half_width,
            "corrected half width",
        );
    }
    assert_eq!(MeanInterval::new(&[0.5], 0.25), None);
}
