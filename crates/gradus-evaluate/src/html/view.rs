//! What the template sees: texts and markup, nothing left to compute.

use serde::Serialize;

use super::curve_chart::{self, Place};
use super::history::{Curve, CurvePanel};
use super::metrics_view::MetricsView;
use super::page::{Fact, HtmlReport};
use super::score_panels::{self, ScorePanel};
use super::{class_chart, format, picture};
use crate::bootstrap::{BootstrapOptions, Method};
use crate::metrics::{ConfusionMatrix, Normalization};
use crate::{ClassRow, Estimate, Evaluation, Result, Sample, Slice, SliceTable, WorstError};

/// Classes up to which the confusion matrix is shown as a table; beyond it, only the most frequent confusions.
const MAX_TABLE_CLASSES: usize = 30;

/// Cells coloured more strongly than this have light text: from here it has the better contrast on both colours.
const STRONG_HEAT: f64 = 0.75;

/// Frequent confusions listed.
const CONFUSIONS: usize = 8;

/// Classes listed with each worst error.
const GUESSES: usize = 3;

#[derive(Serialize)]
pub(super) struct View {
    title: String,
    data: String,
    verdict: String,
    weakness: Option<String>,
    tiles: Vec<Tile>,
    panels: Vec<Panel>,
    matrix: Option<Matrix>,
    confusions: Vec<Confusion>,
    class_chart: String,
    class_chart_note: Option<String>,
    classes: Vec<ClassView>,
    averages: Vec<ClassView>,
    scores: Vec<ScorePanel>,
    scored: Option<String>,
    metrics: Option<MetricsView>,
    slices: Vec<SliceView>,
    worst: Vec<ErrorView>,
    columns: Vec<String>,
    model: Vec<Fact>,
    lineage: Vec<Fact>,
    compression: Vec<Vec<Fact>>,
    recipe: Option<String>,
    note: String,
}

/// A figure that matters.
#[derive(Serialize)]
pub(super) struct Tile {
    pub(super) name: &'static str,
    pub(super) value: String,
    /// Something small below, such as an interval.
    pub(super) note: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Panel {
    title: &'static str,
    names: Vec<String>,
    wide: bool,
    smoothed: bool,
    svg: String,
}

#[derive(Serialize)]
struct Matrix {
    labels: Vec<String>,
    rows: Vec<MatrixRow>,
    counts_only: bool,
}

#[derive(Serialize)]
struct MatrixRow {
    label: String,
    cells: Vec<Cell>,
}

#[derive(Serialize)]
struct Cell {
    count: String,
    share: String,
    /// How strongly the cell is coloured, from 0 to 1.
    heat: String,
    class: &'static str,
}

#[derive(Serialize)]
struct Confusion {
    truth: String,
    predicted: String,
    count: String,
    share: String,
}

#[derive(Serialize)]
struct ClassView {
    label: String,
    precision: Figure,
    recall: Figure,
    f1: Figure,
    support: String,
}

#[derive(Serialize)]
pub(super) struct Figure {
    value: String,
    interval: Option<String>,
}

#[derive(Serialize)]
pub(super) struct SliceView {
    column: String,
    names: Vec<String>,
    rows: Vec<SliceRow>,
}

#[derive(Serialize)]
struct SliceRow {
    value: String,
    samples: String,
    figures: Vec<Figure>,
}

#[derive(Serialize)]
struct ErrorView {
    index: String,
    label: String,
    predicted: String,
    loss: String,
    guesses: Vec<Guess>,
    picture: Option<String>,
    row: Vec<String>,
}

#[derive(Serialize)]
struct Guess {
    label: String,
    probability: String,
    width: String,
    right: bool,
}

impl View {
    pub(super) fn new(report: &HtmlReport<'_>) -> Result<Self> {
        let evaluation = report.evaluation;
        let classes = &evaluation.report.classes;
        let (class_chart, class_chart_note) = chart_of_classes(classes)?;
        let confusions = frequent_confusions(&evaluation.confusion, classes);
        Ok(Self {
            title: report.title.clone(),
            data: report.data.clone(),
            verdict: verdict(evaluation),
            weakness: weakness(classes, &confusions),
            tiles: tiles(evaluation),
            panels: panels(&report.curves.panels)?,
            matrix: matrix(&evaluation.confusion, classes),
            confusions,
            class_chart,
            class_chart_note,
            classes: classes.iter().map(class_view).collect(),
            averages: averages(evaluation),
            scores: score_panels::of(evaluation)?,
            scored: score_panels::note(evaluation),
            metrics: MetricsView::of(&evaluation.requested),
            slices: evaluation.slices.iter().map(slice_view).collect(),
            worst: evaluation
                .worst_errors
                .iter()
                .map(|e| error_view(e, classes))
                .collect::<Result<_>>()?,
            columns: columns(&evaluation.worst_errors),
            model: report.model.clone(),
            lineage: lineage(report),
            compression: report.compression.clone(),
            recipe: report.recipe.clone(),
            note: note(evaluation),
        })
    }
}

fn verdict(evaluation: &Evaluation) -> String {
    let correct = evaluation.confusion.class_counts().correct();
    format!(
        "{} of {} samples are right.",
        format::count(correct),
        format::count(evaluation.n)
    )
}

/// The weakest class that occurs, and what it is taken for.
fn weakness(classes: &[ClassRow], confusions: &[Confusion]) -> Option<String> {
    let occurring = classes.iter().filter(|class| class.support > 0);
    let weakest = occurring.min_by(|a, b| a.f1.value.total_cmp(&b.f1.value))?;
    let start = format!(
        "The weakest class is “{}” (F1 {:.3})",
        weakest.label, weakest.f1.value
    );
    let Confusion {
        truth,
        predicted,
        share,
        ..
    } = confusions.first()?;
    Some(format!(
        "{start}; the most frequent confusion is “{truth}” taken for “{predicted}” ({share} of its samples)."
    ))
}

fn tiles(evaluation: &Evaluation) -> Vec<Tile> {
    let averages = &evaluation.report.macro_average;
    let share = |name, estimate: Estimate| Tile {
        name,
        value: format::percent(estimate.value),
        note: estimate
            .interval
            .map(|i| format!("{} – {}", format::percent(i.lower), format::percent(i.upper))),
    };
    vec![
        share("Accuracy", evaluation.report.accuracy),
        share("Macro precision", averages.precision),
        share("Macro recall", averages.recall),
        share("Macro F1", averages.f1),
        Tile {
            name: "Log-loss",
            value: format!("{:.4}", evaluation.log_loss),
            note: evaluation
                .log_loss_interval
                .map(|interval| format!("{:.4} – {:.4}", interval.lower, interval.upper)),
        },
    ]
}

/// Panels in pairs; of an odd number the first takes a row of its own.
pub(super) fn panels(panels: &[CurvePanel]) -> Result<Vec<Panel>> {
    let view = |(index, panel): (usize, &CurvePanel)| {
        let is_alone = index == 0 && !panels.len().is_multiple_of(2);
        let names = panel.curves.iter().map(Curve::label);
        Ok(Panel {
            title: panel.title,
            // A curve named like its panel needs no legend.
            names: names
                .filter(|name| !name.eq_ignore_ascii_case(panel.title))
                .collect(),
            wide: is_alone,
            smoothed: curve_chart::is_smoothed(panel),
            svg: curve_chart::draw(panel, if is_alone { Place::Full } else { Place::Half })?,
        })
    };
    panels.iter().enumerate().map(view).collect()
}

fn matrix(confusion: &ConfusionMatrix, classes: &[ClassRow]) -> Option<Matrix> {
    let num_classes = confusion.num_classes();
    if num_classes > MAX_TABLE_CLASSES {
        return None;
    }
    let shares = confusion.normalized(Normalization::True);
    let is_error = |at: usize| at / num_classes != at % num_classes;
    let errors = shares.iter().enumerate().filter(|(at, _)| is_error(*at));
    let top_error = errors.map(|(_, &share)| share).fold(0.0, f64::max);
    let cell = |at: usize| {
        let (count, share) = (confusion.counts()[at], shares[at]);
        // Errors are rare in a good model: on the scale of the diagonal they would all look alike.
        let heat = if is_error(at) && top_error > 0.0 {
            0.85 * share / top_error
        } else {
            share
        };
        let class = match (count, is_error(at), heat > STRONG_HEAT) {
            (0, _, _) => "none",
            (_, false, true) => "hit strong",
            (_, false, false) => "hit",
            (_, true, true) => "miss strong",
            (_, true, false) => "miss",
        };
        Cell {
            count: format::count(count),
            share: format::percent(share),
            heat: format!("{heat:.3}"),
            class,
        }
    };
    let row = |(truth, class): (usize, &ClassRow)| MatrixRow {
        label: class.label.clone(),
        cells: (truth * num_classes..(truth + 1) * num_classes)
            .map(cell)
            .collect(),
    };
    Some(Matrix {
        labels: classes.iter().map(|class| class.label.clone()).collect(),
        rows: classes.iter().enumerate().map(row).collect(),
        counts_only: num_classes > 12,
    })
}

/// The fullest cells off the diagonal.
fn frequent_confusions(confusion: &ConfusionMatrix, classes: &[ClassRow]) -> Vec<Confusion> {
    let num_classes = confusion.num_classes();
    let counts = confusion.counts();
    let wrong = |at: &usize| at / num_classes != at % num_classes && counts[*at] > 0;
    let mut cells: Vec<usize> = (0..counts.len()).filter(wrong).collect();
    cells.sort_by_key(|&at| std::cmp::Reverse(counts[at]));
    let describe = |at: usize| {
        let (truth, predicted) = (&classes[at / num_classes], &classes[at % num_classes]);
        Confusion {
            truth: truth.label.clone(),
            predicted: predicted.label.clone(),
            count: format::count(counts[at]),
            share: format::percent(counts[at] as f64 / truth.support.max(1) as f64),
        }
    };
    cells.into_iter().take(CONFUSIONS).map(describe).collect()
}

/// The chart, and a note when it leaves classes out.
fn chart_of_classes(classes: &[ClassRow]) -> Result<(String, Option<String>)> {
    let mut rows: Vec<&ClassRow> = classes.iter().collect();
    if rows.len() <= class_chart::MAX_ROWS {
        return Ok((class_chart::draw(&rows)?, None));
    }
    rows.sort_by(|a, b| a.f1.value.total_cmp(&b.f1.value));
    rows.truncate(class_chart::MAX_ROWS);
    let note = format!("The {} weakest of {} classes.", rows.len(), classes.len());
    Ok((class_chart::draw(&rows)?, Some(note)))
}

fn figure(estimate: Estimate) -> Figure {
    Figure {
        value: format!("{:.3}", estimate.value),
        interval: estimate
            .interval
            .map(|interval| format!("{:.3} – {:.3}", interval.lower, interval.upper)),
    }
}

fn class_view(class: &ClassRow) -> ClassView {
    ClassView {
        label: class.label.clone(),
        precision: figure(class.precision),
        recall: figure(class.recall),
        f1: figure(class.f1),
        support: format::count(class.support),
    }
}

fn averages(evaluation: &Evaluation) -> Vec<ClassView> {
    let report = &evaluation.report;
    let averages = [
        ("Macro average", &report.macro_average),
        ("Weighted average", &report.weighted_average),
    ];
    let view = |(label, averages): (&str, &crate::Averages)| ClassView {
        label: label.to_owned(),
        precision: figure(averages.precision),
        recall: figure(averages.recall),
        f1: figure(averages.f1),
        support: format::count(evaluation.n),
    };
    averages.map(view).into()
}

pub(super) fn slice_view(table: &SliceTable) -> SliceView {
    let names = table
        .slices
        .first()
        .map(|slice| slice.figures.as_slice())
        .unwrap_or_default();
    let row = |slice: &Slice| SliceRow {
        value: slice.value.clone(),
        samples: format::count(slice.n),
        figures: slice.figures.iter().map(|named| figure(named.estimate)).collect(),
    };
    SliceView {
        column: table.column.clone(),
        names: names.iter().map(|figure| metric_title(&figure.name)).collect(),
        rows: table.slices.iter().map(row).collect(),
    }
}

/// `Macro F1` of `macro_f1`.
fn metric_title(name: &str) -> String {
    let words = name.replace('_', " ").replace("f1", "F1");
    let mut letters = words.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn error_view(error: &WorstError, classes: &[ClassRow]) -> Result<ErrorView> {
    let name = |class: usize| classes[class].label.clone();
    let mut order: Vec<usize> = (0..error.probabilities.len()).collect();
    order.sort_by(|&a, &b| error.probabilities[b].total_cmp(&error.probabilities[a]));
    let mut shown: Vec<usize> = order.into_iter().take(GUESSES).collect();
    if !shown.contains(&error.label) {
        shown.pop();
        shown.push(error.label);
    }
    let guess = |class: usize| Guess {
        label: name(class),
        probability: format::probability(error.probabilities[class]),
        width: format!("{:.1}", 100.0 * error.probabilities[class]),
        right: class == error.label,
    };
    Ok(ErrorView {
        index: format::count(error.index as u64),
        label: name(error.label),
        predicted: name(error.predicted),
        loss: format!("{:.2}", error.loss),
        guesses: shown.into_iter().map(guess).collect(),
        picture: match &error.sample {
            Some(Sample::Picture(picture)) => Some(picture::data_uri(picture)?),
            Some(Sample::Row(_)) | None => None,
        },
        row: match &error.sample {
            Some(Sample::Row(row)) => row.iter().map(|column| column.value.clone()).collect(),
            Some(Sample::Picture(_)) | None => Vec::new(),
        },
    })
}

/// Column names, when the worst errors are rows of a table.
fn columns(errors: &[WorstError]) -> Vec<String> {
    match errors.first().and_then(|error| error.sample.as_ref()) {
        Some(Sample::Row(row)) => row.iter().map(|column| column.name.clone()).collect(),
        Some(Sample::Picture(_)) | None => Vec::new(),
    }
}

fn lineage(report: &HtmlReport<'_>) -> Vec<Fact> {
    let mut facts = report.lineage.clone();
    facts.push(Fact::new(
        "evaluation data (SHA-256)",
        report.evaluation.dataset_sha256.as_str(),
    ));
    if let Some(seconds) = report.evaluation.predict_seconds.filter(|seconds| *seconds > 0.0) {
        let rate = (report.evaluation.n as f64 / seconds).round() as u64;
        facts.push(Fact::new(
            "prediction speed",
            format!("{} samples/s", format::count(rate)),
        ));
    }
    facts
}

/// How the intervals were drawn, in words; `groups` says how many groups were resampled whole, if any.
pub(super) fn resampling_note(options: Option<&BootstrapOptions>, groups: Option<u64>) -> String {
    let Some(options) = options else {
        return "No intervals were drawn.".to_owned();
    };
    let percent = (options.confidence * 1e4).round() / 1e2;
    format!(
        "Ranges are {percent}\u{202f}% bootstrap intervals ({}) from {} resamples{} (seed {}): how far the figure would \
         move with other samples of the same kind.",
        match options.method {
            Method::Percentile => "percentile",
            Method::Basic => "basic",
            Method::Bca => "BCa",
        },
        format::count(options.resamples as u64),
        match groups {
            Some(groups) => format!(" of {} groups of samples", format::count(groups)),
            None => String::new(),
        },
        options.seed
    )
}

fn note(evaluation: &Evaluation) -> String {
    let ranges = resampling_note(evaluation.report.bootstrap.as_ref(), evaluation.groups);
    let Some(options) = &evaluation.report.bootstrap else {
        return ranges;
    };
    if evaluation.confusion.class_counts().correct() < evaluation.n {
        return ranges;
    }
    let percent = (options.confidence * 1e4).round() / 1e2;
    // Resamples of samples that are all right are all right too. The exact bound is Clopper and Pearson's for no
    // error in n: the rate at which n samples without one have the probability 1 − confidence.
    let bound = 1.0 - (1.0 - options.confidence).powf(1.0 / evaluation.n as f64);
    format!(
        "{ranges} As no sample is wrong, they cannot show how rare errors are; at {percent}\u{202f}% confidence, up to \
         {} of such samples may be.",
        format::percent(bound)
    )
}
