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
    let columns: Vec<Column> = (0..names.len())
        .map(|output| Column::of(truth, &predicted, [output, names.len()]))
        .collect();
    let ([mse, rmse, mae, r2], bootstrap) = scored(&columns, options)?;
    let slices = slices::tables(options, predictions.len(), Better::Lower, |rows, part| {
        let columns: Vec<Column> = columns.iter().map(|column| column.select(rows)).collect();
        let ([_, rmse, mae, r2], _) = scored(&columns, part)?;
        Ok(slices::named(["rmse", "mae", "r2"], [rmse, mae, r2]))
    })?;
    let every = vec![1.0; predictions.len()];
    let rows = names.iter().zip(&columns);
    Ok(RegressionEvaluation {
        n: predictions.len() as u64,
        mse,
        rmse,
        mae,
        r2,
        outputs: rows
            .map(|(name, column)| OutputRow {
                points: column.points(),
                ..column.errors(&every).row(name)
            })
            .collect(),
        requested: requested(&answers, options)?,
        slices,
        bootstrap,
        dataset_sha256: dataset.fingerprint().to_owned(),
        predict_seconds,
    })
}

/// Mean squared error, its root, mean absolute error and R², each the mean over the outputs.
fn scored(
    columns: &[Column],
    options: &EvaluateOptions,
) -> Result<([Estimate; 4], Option<BootstrapOptions>)> {
    let samples = columns.first().map_or(0, |column| column.truth.len());
    estimates([samples, columns.len()], options, |weights, out| {
        let errors: Vec<Errors> = columns.iter().map(|column| column.errors(weights)).collect();
        let mean = |figure: fn(&Errors) -> f64| errors.iter().map(figure).sum::<f64>() / errors.len() as f64;
        out.copy_from_slice(&[
            mean(Errors::mse),
            mean(Errors::rmse),
            mean(Errors::mae),
            mean(Errors::r2),
        ]);
    })
}

/// Samples of each output that are drawn in charts.
const MAX_POINTS: usize = 800;

/// One output: the truth, and what the model says is too little.
struct Column {
    truth: Vec<f64>,
    errors: Vec<f64>,
}

/// The errors of one output, summed up.
struct Errors {
    rows: f64,
    squares: f64,
    absolute: f64,
    /// Squared distances of the truth from its mean.
    spread: f64,
}

impl Column {
    /// The samples at `rows`.
    fn select(&self, rows: &[usize]) -> Column {
        Column {
            truth: rows.iter().map(|&row| self.truth[row]).collect(),
            errors: rows.iter().map(|&row| self.errors[row]).collect(),
        }
    }

    /// (true, predicted) of at most [`MAX_POINTS`] samples.
    fn points(&self) -> Vec<[f64; 2]> {
        let step = self.truth.len().div_ceil(MAX_POINTS).max(1);
        let samples = self.truth.iter().zip(&self.errors).step_by(step);
        samples.map(|(&truth, &error)| [truth, truth - error]).collect()
    }

    /// Column `output` of `[n, outputs]`.
    fn of(truth: &[f64], predicted: &[f64], [output, outputs]: [usize; 2]) -> Column {
        let column =
            |values: &[f64]| -> Vec<f64> { values.iter().skip(output).step_by(outputs).copied().collect() };
        let (truth, predicted) = (column(truth), column(predicted));
        let errors = truth
            .iter()
            .zip(&predicted)
            .map(|(truth, predicted)| truth - predicted);
        Column {
            errors: errors.collect(),
            truth,
        }
    }

    /// Of rows that count as often as their weight says.
    fn errors(&self, weights: &[f64]) -> Errors {
        let sum =
            |of: &dyn Fn(usize) -> f64| (0..weights.len()).map(|row| weights[row] * of(row)).sum::<f64>();
        let rows: f64 = weights.iter().sum();
        let mean = sum(&|row| self.truth[row]) / rows;
        Errors {
            rows,
            squares: sum(&|row| self.errors[row].powi(2)),
            absolute: sum(&|row| self.errors[row].abs()),
            spread: sum(&|row| (self.truth[row] - mean).powi(2)),
        }
    }
}

impl Errors {
    fn mse(&self) -> f64 {
        self.squares / self.rows
    }

    fn rmse(&self) -> f64 {
        self.mse().sqrt()
    }

    fn mae(&self) -> f64 {
        self.absolute / self.rows
    }

    fn r2(&self) -> f64 {
        match (self.spread == 0.0, self.squares == 0.0) {
            (false, _) => 1.0 - self.squares / self.spread,
            (true, true) => 1.0,
            (true, false) => 0.0,
        }
    }

    fn row(&self, name: &str) -> OutputRow {
        OutputRow {
            name: name.to_owned(),
            mse: self.mse(),
            rmse: self.rmse(),
            mae: self.mae(),
            r2: self.r2(),
            points: Vec::new(),
        }
    }
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
