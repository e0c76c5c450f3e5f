//! The page of a regression or of a model of labels.

use gradus_package::Package;
use serde::Serialize;

use super::history::LearningCurves;
use super::metrics_view::MetricsView;
use super::page::{self, Fact};
use super::view::{self, Panel, SliceView, Tile};
use super::{facts, format, scatter_chart};
use crate::{Estimate, MultilabelEvaluation, OutputRow, RegressionEvaluation, Result};

/// Outputs that have charts; a table has all of them.
const MAX_CHARTS: usize = 6;

/// What a page is about.
#[derive(Clone, Copy, Debug)]
pub enum TaskFigures<'a> {
    /// Numbers.
    Regression(&'a RegressionEvaluation),
    /// Labels of which several apply.
    Multilabel(&'a MultilabelEvaluation),
}

/// An evaluation of a regression or of a model of labels, for people.
#[derive(Clone, Debug)]
pub struct TaskPage<'a> {
    /// Name of the model, for the heading.
    pub title: String,
    /// Where the samples come from, such as a path and a split.
    pub data: String,
    /// The evaluation.
    pub figures: TaskFigures<'a>,
    /// Learning curves of the run that trained the model.
    pub curves: LearningCurves,
    /// Architecture and size.
    pub model: Vec<Fact>,
    /// Recipe, seed, parent and fingerprints.
    pub lineage: Vec<Fact>,
    /// The recipe as text, shown folded.
    pub recipe: Option<String>,
}

#[derive(Serialize)]
struct View {
    title: String,
    data: String,
    verdict: String,
    tiles: Vec<Tile>,
    note: String,
    panels: Vec<Panel>,
    charts: Vec<Chart>,
    charted: Option<String>,
    heading: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<Row>,
    metrics: Option<MetricsView>,
    slices: Vec<SliceView>,
    model: Vec<Fact>,
    lineage: Vec<Fact>,
    recipe: Option<String>,
}

#[derive(Serialize)]
struct Chart {
    title: String,
    axes: &'static str,
    svg: String,
}

#[derive(Serialize)]
struct Row {
    label: String,
    cells: Vec<String>,
}

impl<'a> TaskPage<'a> {
    /// A page about an evaluation of a package's model.
    pub fn new(
        title: impl Into<String>,
        data: impl Into<String>,
        package: &Package,
        figures: TaskFigures<'a>,
    ) -> Self {
        let facts = facts::of_package(package);
        Self {
            title: title.into(),
            data: data.into(),
            figures,
            curves: LearningCurves::default(),
            model: facts.model,
            lineage: facts.lineage,
            recipe: package.manifest().lineage.recipe.clone(),
        }
    }

    /// Adds the learning curves of the run that trained the model.
    pub fn with_curves(mut self, curves: LearningCurves) -> Self {
        self.curves = curves;
        self
    }

    /// The page.
    ///
    /// # Errors
    /// [`Error::Chart`](crate::Error::Chart) or [`Error::Template`](crate::Error::Template) when a part cannot be made;
    /// neither is expected of an evaluation that this crate made.
    pub fn render(&self) -> Result<String> {
        let mut view = match self.figures {
            TaskFigures::Regression(evaluation) => of_regression(evaluation)?,
            TaskFigures::Multilabel(evaluation) => of_labels(evaluation),
        };
        view.title.clone_from(&self.title);
        view.data.clone_from(&self.data);
        view.panels = view::panels(&self.curves.panels)?;
        view.model.clone_from(&self.model);
        view.recipe.clone_from(&self.recipe);
        view.lineage.splice(0..0, self.lineage.iter().cloned());
        page::render("task.html", &view)
    }
}

/// What both kinds leave for [`TaskPage::render`] to fill in.
fn empty(sha256: &str) -> View {
    View {
        title: String::new(),
        data: String::new(),
        verdict: String::new(),
        tiles: Vec::new(),
        note: String::new(),
        panels: Vec::new(),
        charts: Vec::new(),
        charted: None,
        heading: "",
        columns: Vec::new(),
        rows: Vec::new(),
        metrics: None,
        slices: Vec::new(),
        model: Vec::new(),
        lineage: vec![Fact::new("evaluation data (SHA-256)", sha256)],
        recipe: None,
    }
}

fn of_regression(evaluation: &RegressionEvaluation) -> Result<View> {
    let number = |name, estimate: Estimate| Tile {
        name,
        value: format::significant(estimate.value),
        note: estimate.interval.map(|i| {
            format!(
                "{} – {}",
                format::significant(i.lower),
                format::significant(i.upper)
            )
        }),
    };
    let mut charts = Vec::new();
    for output in evaluation.outputs.iter().take(MAX_CHARTS) {
        charts.push(Chart {
            title: output.name.clone(),
            axes: "predicted, over true",
            svg: scatter_chart::predicted(output)?,
        });
        charts.push(Chart {
            title: format!("Errors of {}", output.name),
            axes: "predicted less true, over predicted",
            svg: scatter_chart::residuals(output)?,
        });
    }
    let row = |output: &OutputRow| Row {
        label: output.name.clone(),
        cells: [
            output.rmse,
            output.mae,
            output.mse,
            output.r2,
            output.median_absolute_error,
            output.explained_variance,
            output.mape,
        ]
        .map(format::significant)
        .into(),
    };
    let outputs = evaluation.outputs.len();
    Ok(View {
        verdict: format!(
            "Predictions of {} samples are off by {} on average.",
            format::count(evaluation.n),
            format::significant(evaluation.mae.value)
        ),
        tiles: vec![
            number("Root mean squared error", evaluation.rmse),
            number("Mean absolute error", evaluation.mae),
            number("R²", evaluation.r2),
            number("Mean squared error", evaluation.mse),
            number("Median absolute error", evaluation.median_absolute_error),
            number("Explained variance", evaluation.explained_variance),
            number("Absolute percentage error", evaluation.mape),
        ],
        note: view::resampling_note(evaluation.bootstrap.as_ref(), None),
        charts,
        charted: (outputs > MAX_CHARTS).then(|| format!("The first {MAX_CHARTS} of {outputs} outputs.")),
        heading: "Outputs",
        columns: vec![
            "Output",
            "RMSE",
            "MAE",
            "MSE",
            "R²",
            "Median error",
            "Explained variance",
            "MAPE",
        ],
        rows: evaluation.outputs.iter().map(row).collect(),
        metrics: MetricsView::of(&evaluation.requested),
        slices: evaluation.slices.iter().map(view::slice_view).collect(),
        ..empty(&evaluation.dataset_sha256)
    })
}

fn of_labels(evaluation: &MultilabelEvaluation) -> View {
    let share = |name, estimate: Estimate| Tile {
        name,
        value: format::percent(estimate.value),
        note: estimate
            .interval
            .map(|i| format!("{} – {}", format::percent(i.lower), format::percent(i.upper))),
    };
    let rows = evaluation.labels.iter().map(|label| Row {
        label: label.label.clone(),
        cells: [label.precision, label.recall, label.f1]
            .map(|share| format!("{share:.3}"))
            .into_iter()
            .chain([label.support, label.predicted].map(format::count))
            .collect(),
    });
    View {
        verdict: format!(
            "All labels of {} of {} samples are right.",
            format::count((evaluation.subset_accuracy.value * evaluation.n as f64).round() as u64),
            format::count(evaluation.n)
        ),
        tiles: vec![
            share("Micro F1", evaluation.micro_f1),
            share("Macro F1", evaluation.macro_f1),
            share("F1 of samples", evaluation.samples_f1),
            share("All labels right", evaluation.subset_accuracy),
            share("Hamming loss", evaluation.hamming_loss),
        ],
        note: view::resampling_note(evaluation.bootstrap.as_ref(), None),
        heading: "Labels",
        columns: vec![
            "Label",
            "Precision",
            "Recall",
            "F1",
            "Applies to",
            "Predicted for",
        ],
        rows: rows.collect(),
        metrics: MetricsView::of(&evaluation.requested),
        slices: evaluation.slices.iter().map(view::slice_view).collect(),
        ..empty(&evaluation.dataset_sha256)
    }
}
