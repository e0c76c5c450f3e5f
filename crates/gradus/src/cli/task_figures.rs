//! The figures of regressions and of models of labels as text, for `gradus evaluate`.

use gradus_evaluate::{Estimate, MultilabelEvaluation, RegressionEvaluation, TaskEvaluation};

use super::evaluate::{figure, requested_table, slice_table};
use super::output::{Table, grouped};

/// What people read of an evaluation; a classifier has a summary of its own.
pub(crate) fn summary(evaluation: &TaskEvaluation) -> String {
    let (tables, slices) = match evaluation {
        TaskEvaluation::Regression(evaluation) => (regression(evaluation), &evaluation.slices),
        TaskEvaluation::Multilabel(evaluation) => (multilabel(evaluation), &evaluation.slices),
        TaskEvaluation::Classification(evaluation) => (
            totals(&[("accuracy", evaluation.report.accuracy)]),
            &evaluation.slices,
        ),
    };
    let slices: String = slices.iter().map(slice_table).collect();
    let requested = requested_table(evaluation.requested());
    format!(
        "{tables}\n{requested}{slices}{} samples\n",
        grouped(evaluation.n())
    )
}

fn regression(evaluation: &RegressionEvaluation) -> String {
    let all = totals(&[
        ("RMSE", evaluation.rmse),
        ("MAE", evaluation.mae),
        ("MSE", evaluation.mse),
        ("R²", evaluation.r2),
        ("median absolute error", evaluation.median_absolute_error),
        ("explained variance", evaluation.explained_variance),
        ("MAPE", evaluation.mape),
    ]);
    if evaluation.outputs.len() == 1 {
        return all;
    }
    let mut outputs = Table::new(&["target", "RMSE", "MAE", "MSE", "R²"]);
    for row in &evaluation.outputs {
        let figures = [row.rmse, row.mae, row.mse, row.r2].map(|value| format!("{value:.4}"));
        outputs.row([row.name.clone()].into_iter().chain(figures));
    }
    format!("{outputs}\n{all}")
}

fn multilabel(evaluation: &MultilabelEvaluation) -> String {
    let mut labels = Table::new(&["label", "precision", "recall", "F1", "support"]);
    for row in &evaluation.labels {
        let figures = [row.precision, row.recall, row.f1].map(|value| format!("{value:.4}"));
        let support = row.support.to_string();
        labels.row([row.label.clone()].into_iter().chain(figures).chain([support]));
    }
    let log_loss = Estimate {
        value: evaluation.log_loss,
        interval: None,
    };
    let all = totals(&[
        ("subset accuracy", evaluation.subset_accuracy),
        ("Hamming loss", evaluation.hamming_loss),
        ("micro F1", evaluation.micro_f1),
        ("macro F1", evaluation.macro_f1),
        ("samples F1", evaluation.samples_f1),
        ("log-loss", log_loss),
    ]);
    format!("{labels}\n{all}")
}

fn totals(figures: &[(&str, Estimate)]) -> String {
    let heading = match figures.iter().any(|(_, estimate)| estimate.interval.is_some()) {
        true => "value (95 % interval)",
        false => "value",
    };
    let mut table = Table::new(&["measure", heading]);
    for (name, estimate) in figures {
        table.row([(*name).to_owned(), figure(*estimate)]);
    }
    table.to_string()
}
