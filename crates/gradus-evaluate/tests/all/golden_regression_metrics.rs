//! Errors of numbers against scikit-learn's (`golden/make_regression_metrics.py`).
#![cfg(test)]

use gradus_evaluate::Result;
use gradus_evaluate::metrics::regression::{
    OutputAverage, RegressionSamples, explained_variance, explained_variance_per_output, mean_absolute_error,
    mean_absolute_error_per_output, mean_absolute_percentage_error,
    mean_absolute_percentage_error_per_output, mean_squared_error, mean_squared_error_per_output,
    median_absolute_error, median_absolute_error_per_output, pinball_loss, pinball_loss_per_output, r2,
    r2_per_output, root_mean_squared_error, root_mean_squared_error_per_output,
};
use serde::Deserialize;

use crate::metric_cases::{Comparison, cases, scaled, weights};

/// Raw values, then averages.
type Answers = (Vec<Option<f64>>, Vec<Option<f64>>);

#[derive(Deserialize)]
struct Case {
    kind: String,
    outputs: usize,
    scale: f64,
    truth: Vec<i64>,
    predicted: Vec<i64>,
    weights: Option<Vec<i64>>,
    output_weights: Vec<f64>,
    alpha: f64,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    mean_squared_error: Answers,
    root_mean_squared_error: Answers,
    mean_absolute_error: Answers,
    mean_absolute_percentage_error: Answers,
    median_absolute_error: Answers,
    pinball_loss: Answers,
    r2: Answers,
    explained_variance: Answers,
}

impl Case {
    fn check(
        &self,
        found: &mut Comparison,
        name: &str,
        raw: Result<Vec<f64>>,
        average: impl Fn(OutputAverage<'_>) -> Result<f64>,
        (raw_wanted, averages_wanted): &Answers,
    ) {
        match raw {
            Ok(raw) => found.numbers(name, &raw, raw_wanted),
            Err(_) => assert!(raw_wanted.iter().all(Option::is_none), "{name}"),
        }
        let averages = [
            OutputAverage::Uniform,
            OutputAverage::Weights(&self.output_weights),
            OutputAverage::Variance,
        ];
        for (kind, &want) in averages.into_iter().zip(averages_wanted) {
            found.answer(&format!("{name}, {kind:?}"), average(kind), want);
        }
    }
}

#[test]
fn errors_of_numbers_equal_scikit_learn() {
    let mut found = Comparison::default();
    for (at, case) in cases::<Case>("regression_metrics.json").iter().enumerate() {
        let name = |metric: &str| format!("case {at} ({}): {metric}", case.kind);
        let (truth, predicted) = (
            scaled(&case.truth, case.scale),
            scaled(&case.predicted, case.scale),
        );
        let weights = weights(&case.weights);
        let samples = RegressionSamples::new(&truth, &predicted, case.outputs, weights.as_deref()).unwrap();
        let (samples, expected, alpha) = (&samples, &case.expected, case.alpha);
        macro_rules! check {
            ($metric:ident, $per_output:ident) => {
                case.check(
                    &mut found,
                    &name(stringify!($metric)),
                    Ok($per_output(samples)),
                    |average| $metric(samples, average),
                    &expected.$metric,
                )
            };
        }
        check!(mean_squared_error, mean_squared_error_per_output);
        check!(root_mean_squared_error, root_mean_squared_error_per_output);
        check!(mean_absolute_error, mean_absolute_error_per_output);
        check!(
            mean_absolute_percentage_error,
            mean_absolute_percentage_error_per_output
        );
        check!(median_absolute_error, median_absolute_error_per_output);
        check!(explained_variance, explained_variance_per_output);
        let average = |average: OutputAverage<'_>| pinball_loss(samples, alpha, average);
        let raw = pinball_loss_per_output(samples, alpha);
        case.check(&mut found, &name("pinball"), raw, average, &expected.pinball_loss);
        let average = |average: OutputAverage<'_>| r2(samples, average);
        case.check(
            &mut found,
            &name("R²"),
            r2_per_output(samples),
            average,
            &expected.r2,
        );
    }
    found.finish(200 * 24);
}
