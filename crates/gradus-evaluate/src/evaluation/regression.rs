//! Scoring a regression: errors in the targets' units.

use std::time::Instant;

use gradus_data::{Dataset, TargetKind, Targets};
use gradus_package::MetricValue;
use serde::{Deserialize, Serialize};

use super::requested::requested;
use super::slices::{self, Better};
use super::task::{Figures, estimates};
use super::{EvaluateOptions, RequestedMetrics, SliceTable, check_names};
use crate::bootstrap::BootstrapOptions;
use crate::metrics::Answers;
use crate::metrics::regression::{
    RegressionSamples, SortedErrors, explained_variance_per_output, mean_absolute_error_per_output,
    mean_absolute_percentage_error_per_output, mean_squared_error_per_output,
    median_absolute_error_per_output, r2_of_any, root_mean_squared_error_per_output,
};
use crate::{Error, Estimate, Predictor, Result};

/// How good a regression is on one data set. Of several outputs each figure is the mean over them, as scikit-learn
/// averages by default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegressionEvaluation {
    /// Number of samples.
    pub n: u64,
    /// Mean squared error, in the square of the unit.
    pub mse: Estimate,
    /// Its root, output by output, in the unit.
    pub rmse: Estimate,
    /// Mean absolute error, in the unit.
    pub mae: Estimate,
    /// Coefficient of determination: 1 is perfect, 0 as good as the mean. 0 where the truth never changes and the
    /// model errs, 1 where it does not err either.
    pub r2: Estimate,
    /// Mean absolute percentage error, as a share; huge where a true value is 0.
    pub mape: Estimate,
    /// Median absolute error, in the unit: what half of the samples stay below.
    pub median_absolute_error: Estimate,
    /// R² of predictions that are forgiven a constant error.
    pub explained_variance: Estimate,
    /// The figures of each output.
    pub outputs: Vec<OutputRow>,
    /// The metrics that were asked for by name.
    #[serde(flatten)]
    pub requested: RequestedMetrics,
    /// Scores of parts of the data, one table for each column they were divided by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<SliceTable>,
    /// How the intervals were drawn; `None` when there are none.
    pub bootstrap: Option<BootstrapOptions>,
    /// SHA-256 fingerprint of the data set.
    pub dataset_sha256: String,
    /// Seconds that the predictions took.
    pub predict_seconds: f64,
}

/// One output of a regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputRow {
    /// Its name.
    pub name: String,
    /// Mean squared error.
    pub mse: f64,
    /// Its root.
    pub rmse: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Coefficient of determination.
    pub r2: f64,
    /// Mean absolute percentage error, as a share.
    pub mape: f64,
    /// Median absolute error.
    pub median_absolute_error: f64,
    /// R² of predictions that are forgiven a constant error.
    pub explained_variance: f64,
    /// (true, predicted) of some samples, evenly spread over the data, for charts; not part of the JSON form.
    #[serde(skip)]
    pub points: Vec<[f64; 2]>,
}

/// Scores a regression on a data set that was prepared by the model's own preprocessing, in the targets' units.
///
/// # Errors
/// [`Error::Task`] for a model or a data set of another task, [`Error::LabelNames`] when the data set names other
/// targets, and those of [`Predictor::predict_samples`].
pub fn evaluate_regression(
    predictor: &Predictor,
    dataset: &Dataset,
    options: &EvaluateOptions,
) -> Result<RegressionEvaluation> {
    predictor.require(TargetKind::Regression)?;
    let Targets::Values { values: truth, .. } = dataset.targets() else {
        return Err(Error::Task {
            found: dataset.targets().kind().name().to_owned(),
            expected: TargetKind::Regression.name(),
        });
    };
    check_names(predictor, dataset)?;
    let start = Instant::now();
    let predictions = predictor.predict_samples(dataset.samples(), options.batch_size)?;
    let predict_seconds = start.elapsed().as_secs_f64();
    let predicted: Vec<f64> = (0..predictions.len())
        .flat_map(|index| predictor.answer(&predictions, index))
        .collect();
    let names = dataset.label_names();
    let answers = Answers::Values {
        truth,
        predicted: &predicted,
        outputs: names.len(),
    };
    let samples = RegressionSamples::new(truth, &predicted, names.len(), None)?;
    let (
        [
            mse,
            rmse,
            mae,
            r2,
            mape,
            median_absolute_error,
            explained_variance,
        ],
        bootstrap,
    ) = scored(&samples, names.len(), options)?;
    let slices = slices::tables(options, predictions.len(), Better::Lower, |rows, part| {
        let pick = |values: &[f64]| -> Vec<f64> {
            let row = |&row: &usize| values[row * names.len()..][..names.len()].iter().copied();
            rows.iter().flat_map(row).collect()
        };
        let samples = RegressionSamples::new(&pick(truth), &pick(&predicted), names.len(), None)?;
        let ([_, rmse, mae, r2, ..], _) = scored(&samples, names.len(), part)?;
        Ok(slices::named(["rmse", "mae", "r2"], [rmse, mae, r2]))
    })?;
    Ok(RegressionEvaluation {
        n: predictions.len() as u64,
        mse,
        rmse,
        mae,
        r2,
        mape,
        median_absolute_error,
        explained_variance,
        outputs: output_rows(names, [truth, &predicted], &samples),
        requested: requested(&answers, options)?,
        slices,
        bootstrap,
        dataset_sha256: dataset.fingerprint().to_owned(),
        predict_seconds,
    })
}

/// Figures of a regression.
const FIGURES: usize = 7;

/// Each figure of each output: mean squared error, its root, mean absolute error, R², percentage error, median absolute
/// error, explained variance.
fn figures(samples: &RegressionSamples, medians: Vec<f64>) -> [Vec<f64>; FIGURES] {
    [
        mean_squared_error_per_output(samples),
        root_mean_squared_error_per_output(samples),
        mean_absolute_error_per_output(samples),
        r2_of_any(samples),
        mean_absolute_percentage_error_per_output(samples),
        medians,
        explained_variance_per_output(samples),
    ]
}

/// The figures, each the mean over the outputs.
fn scored(
    samples: &RegressionSamples,
    outputs: usize,
    options: &EvaluateOptions,
) -> Result<([Estimate; FIGURES], Option<BootstrapOptions>)> {
    let errors = SortedErrors::of(samples);
    estimates([samples.samples(), outputs], options, |weights, out| {
        let medians = errors.iter().map(|errors| errors.median(Some(weights)));
        let figures = figures(&samples.weighing(Some(weights)), medians.collect());
        for (out, figure) in out.iter_mut().zip(figures) {
            *out = figure.iter().sum::<f64>() / outputs as f64;
        }
    })
}

/// Samples of each output that are drawn in charts.
const MAX_POINTS: usize = 800;

/// The figures of each output; `values` are truth and predictions, row-major.
fn output_rows(names: &[String], values: [&[f64]; 2], samples: &RegressionSamples) -> Vec<OutputRow> {
    let figures = figures(samples, median_absolute_error_per_output(samples));
    let row = |(output, name): (usize, &String)| {
        let [
            mse,
            rmse,
            mae,
            r2,
            mape,
            median_absolute_error,
            explained_variance,
        ] = std::array::from_fn(|figure| figures[figure][output]);
        OutputRow {
            name: name.clone(),
            mse,
            rmse,
            mae,
            r2,
            mape,
            median_absolute_error,
            explained_variance,
            points: points(values, [output, names.len()]),
        }
    };
    names.iter().enumerate().map(row).collect()
}

/// (true, predicted) of at most [`MAX_POINTS`] samples of an output.
fn points([truth, predicted]: [&[f64]; 2], [output, outputs]: [usize; 2]) -> Vec<[f64; 2]> {
    let step = (truth.len() / outputs).div_ceil(MAX_POINTS).max(1);
    let rows = (output..truth.len()).step_by(step * outputs);
    rows.map(|at| [truth[at], predicted[at]]).collect()
}

impl RegressionEvaluation {
    /// The main figures as a package's manifest keeps them; `split` says what the data were (`test`).
    pub fn metric_values(&self, split: &str) -> Vec<MetricValue> {
        let figures = Figures {
            split,
            n: self.n,
            confidence: self.bootstrap.map(|bootstrap| bootstrap.confidence),
        };
        figures.stored([
            ("rmse", self.rmse),
            ("mae", self.mae),
            ("mse", self.mse),
            ("r2", self.r2),
        ])
    }
}
