//! `gradus evaluate`: how good a packaged model is on labelled data.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use gradus_data::{Column, Split, TargetKind, read_columns};
use gradus_evaluate::bootstrap::{BootstrapOptions, Method};
use gradus_evaluate::html::{HtmlReport, LearningCurves, TaskFigures, TaskPage};
use gradus_evaluate::language_model::{LanguageModel, PerplexityOptions};
use gradus_evaluate::metrics::MetricName;
use gradus_evaluate::{
    Estimate, EvaluateOptions, Evaluation, Predictor, RequestedMetrics, RowContext, SliceColumn, SliceTable,
    TaskEvaluation, evaluate, evaluate_task, groups_of_column, weights_of_column,
};
use gradus_package::Package;

use super::Global;
use super::evaluate_tasks::{self, TaskArgs};
use super::generation_args::WeightsName;
use super::output::{self, Table, with_interval};
use super::task_figures;
use super::unseen::{Scored, UnseenArgs, Wanted};

/// Score a model on labelled data (a classifier's accuracy, precision, recall, F1 with 95 % intervals, and the confusion
/// matrix; a regression's errors and R²; F1 of labels), or a language model on text (perplexity and bits per byte) or on
/// questions (accuracy, exact match, F1, BLEU, ROUGE, chrF).
///
/// Examples: gradus evaluate runs/my/model --data data/fashion-mnist-sample --report report.html,
/// gradus evaluate runs/titanic --data titanic.csv --slices Sex,Age --cluster Family,
/// gradus evaluate smollm2.gguf --text chapter.txt,
/// and gradus evaluate smollm2.gguf --tasks questions.jsonl --shots 3 --shots-from examples.jsonl
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A package, or a training run's folder; with --text or --tasks also a Hugging Face folder or a GGUF file.
    model: PathBuf,
    /// Labelled data: a folder of IDX files, of pictures by class, a CSV or a Parquet file.
    #[arg(long, value_name = "PATH", required_unless_present_any = ["text", "tasks"])]
    data: Option<PathBuf>,
    /// Text that a language model is to predict: its perplexity and bits per byte.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "report"])]
    text: Option<PathBuf>,
    /// Tokens that a language model reads at once; the second half of each window is scored.
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(4..))]
    window: u32,
    /// How a language model's weights are held: as in the file, or widened to f32.
    #[arg(long, value_enum, default_value_t = WeightsName::Stored)]
    weights: WeightsName,
    /// The part of the data to score on, where the folder holds several or the recipe's [data.split] made it.
    #[arg(long, value_enum, default_value_t = SplitName::Test)]
    split: SplitName,
    #[command(flatten)]
    unseen: UnseenArgs,
    /// Resamples behind each interval; 0 leaves the intervals out.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    bootstrap: usize,
    /// How the ends of the intervals are read off the resamples.
    #[arg(long, value_enum, default_value_t = IntervalName::Percentile)]
    interval: IntervalName,
    /// Columns of a table whose values divide the rows: each part is scored alone, the worst first.
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    slices: Vec<String>,
    /// A column of a table whose rows of one value belong together, such as a patient's: they are resampled together.
    #[arg(long, value_name = "COLUMN")]
    cluster: Option<String>,
    /// Metrics to compute beside the usual ones, such as roc_auc,mcc or macro_f1 of classes and mape of numbers; another
    /// name than these is answered with all that the model's task has.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', conflicts_with_all = ["text", "tasks"])]
    metrics: Vec<String>,
    /// A column of a table that says what each row weighs in the metrics that --metrics names.
    #[arg(long, value_name = "COLUMN", requires = "metrics")]
    sample_weight: Option<String>,
    /// Also write a report for people: one HTML file.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    tasks: TaskArgs,
}

/// Parts of a data set, as flags name them.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum SplitName {
    /// What the model was trained on.
    Train,
    /// What chose the best checkpoint.
    Validation,
    /// What training never saw.
    Test,
}

/// Kinds of bootstrap intervals, as flags name them.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum IntervalName {
    /// Quantiles of the resamples: covers best in our simulations.
    Percentile,
    /// Quantiles mirrored at the value.
    Basic,
    /// Bias-corrected and accelerated quantiles.
    Bca,
}

impl IntervalName {
    /// The method as the library names it.
    pub(crate) fn method(self) -> Method {
        match self {
            IntervalName::Percentile => Method::Percentile,
            IntervalName::Basic => Method::Basic,
            IntervalName::Bca => Method::Bca,
        }
    }
}

impl SplitName {
    /// The part as the library names it.
    pub(crate) fn split(self) -> Split {
        match self {
            SplitName::Train => Split::Train,
            SplitName::Validation => Split::Validation,
            SplitName::Test => Split::Test,
        }
    }
}

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    if !args.tasks.tasks.is_empty() {
        return score_tasks(args, global);
    }
    match (&args.text, &args.data) {
        (Some(text), _) => score_text(args, text, global),
        (None, Some(data)) => score_samples(args, data, global),
        (None, None) => bail!("give --data, --text or --tasks"),
    }
}

/// How well a language model answers questions.
fn score_tasks(args: &Args, global: Global) -> anyhow::Result<()> {
    let run = evaluate_tasks::Run {
        model: &LanguageModel::open(&args.model, args.weights.into())?,
        title: model_title(&args.model),
        bootstrap: bootstrap(args),
        report: args.report.as_deref(),
        json: global.json,
    };
    evaluate_tasks::run(&args.tasks, &run)
}

/// How intervals are drawn, if they are.
fn bootstrap(args: &Args) -> Option<BootstrapOptions> {
    (args.bootstrap > 0).then(|| BootstrapOptions {
        resamples: args.bootstrap,
        method: args.interval.method(),
        ..Default::default()
    })
}

/// How well a language model predicts a text.
fn score_text(args: &Args, text: &Path, global: Global) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(text).with_context(|| format!("cannot read {}", text.display()))?;
    let model = LanguageModel::open(&args.model, args.weights.into())?;
    let options = PerplexityOptions {
        context: args.window as usize,
    };
    let bar = indicatif::ProgressBar::new(0);
    let scored = model.perplexity(&text, &options, &mut |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    if global.json {
        return output::json(&scored);
    }
    output::write(
        format!(
            "perplexity {:.4} ({:.4} nats a token, {:.4} bits a byte) on {} tokens\n",
            scored.perplexity,
            scored.loss,
            scored.bits_per_byte,
            output::grouped(scored.tokens as u64)
        )
        .as_bytes(),
    )
}

fn score_samples(args: &Args, data: &Path, global: Global) -> anyhow::Result<()> {
    let folder = model_folder(&args.model);
    let predictor = Predictor::open(&folder)?;
    let metrics = args
        .metrics
        .iter()
        .map(|name| MetricName::of_task(name, predictor.task().into()))
        .collect::<Result<_, _>>()?;
    let wanted = Wanted {
        data,
        split: args.split.split(),
        unseen: args.unseen,
    };
    let Scored { dataset, rows } = wanted.rows_for(&Package::open(&folder)?)?;
    let options = EvaluateOptions {
        bootstrap: bootstrap(args),
        metrics,
        rows: row_context(args, data, rows.as_deref())?,
        ..EvaluateOptions::default()
    };
    if predictor.task() != TargetKind::Classification {
        let evaluation = evaluate_task(&predictor, &dataset, &options)?;
        if let Some(path) = &args.report {
            write_task_report(path, &folder, data, &evaluation)?;
        }
        return match global.json {
            true => output::json(&evaluation),
            false => output::write(task_figures::summary(&evaluation).as_bytes()),
        };
    }
    let evaluation = evaluate(&predictor, &dataset, &options)?;
    if let Some(path) = &args.report {
        write_report(path, &folder, data, &evaluation)?;
    }
    if global.json {
        return output::json(&evaluation);
    }
    output::write(summary(&evaluation).as_bytes())
}

/// The columns that rows are divided and grouped by, at the rows that are scored.
fn row_context(args: &Args, data: &Path, rows: Option<&[usize]>) -> anyhow::Result<RowContext> {
    let scored = |column: &Column| rows.map_or_else(|| column.clone(), |rows| column.select(rows));
    let slices = match args.slices.as_slice() {
        [] => Vec::new(),
        names => {
            let table = read_columns(data, names)?;
            let columns = names.iter().filter_map(|name| table.column(name));
            columns
                .map(|column| SliceColumn::of_column(&scored(column)))
                .collect()
        }
    };
    let groups = match &args.cluster {
        Some(name) => Some(groups_of_column(&scored(&read_column(data, name)?))),
        None => None,
    };
    let weights = match &args.sample_weight {
        Some(name) => Some(weights_of_column(&scored(&read_column(data, name)?))?),
        None => None,
    };
    Ok(RowContext {
        slices,
        groups,
        weights,
    })
}

/// One column of a table.
pub(crate) fn read_column(data: &Path, name: &str) -> anyhow::Result<Column> {
    let table = read_columns(data, &[name.to_owned()])?;
    let column = table.columns().first().cloned();
    column.with_context(|| format!("{} has no column `{name}`", data.display()))
}

/// The package that a path names: itself, or the one at the end of a run.
pub(crate) fn model_folder(path: &Path) -> PathBuf {
    let in_run = path.join("model");
    if !gradus_package::is_package(path) && gradus_package::is_package(&in_run) {
        return in_run;
    }
    path.to_owned()
}

fn summary(evaluation: &Evaluation) -> String {
    let report = &evaluation.report;
    let mut classes = Table::new(&["class", "precision", "recall", "F1", "support"]);
    for row in &report.classes {
        let figures = [row.precision, row.recall, row.f1].map(|estimate| format!("{:.4}", estimate.value));
        classes.row(
            [row.label.clone()]
                .into_iter()
                .chain(figures)
                .chain([row.support.to_string()]),
        );
    }
    let macro_average = &report.macro_average;
    let mut totals = Table::new(&["measure", "value (95 % interval)"]);
    for (name, estimate) in [
        ("accuracy", report.accuracy),
        ("macro precision", macro_average.precision),
        ("macro recall", macro_average.recall),
        ("macro F1", macro_average.f1),
    ] {
        totals.row([name.to_owned(), figure(estimate)]);
    }
    let log_loss = Estimate {
        value: evaluation.log_loss,
        interval: evaluation.log_loss_interval,
    };
    totals.row(["log-loss".to_owned(), figure(log_loss)]);
    if let Some(curves) = &evaluation.curves {
        totals.row(["ROC-AUC".to_owned(), figure(curves.roc_auc)]);
        totals.row(["average precision".to_owned(), figure(curves.average_precision)]);
    }
    let slices: String = evaluation.slices.iter().map(slice_table).collect();
    format!(
        "{classes}\n{totals}\n{}{slices}{} samples\n",
        requested_table(&evaluation.requested),
        output::grouped(evaluation.n)
    )
}

/// Parts of the data by one column, as a table.
pub(crate) fn slice_table(slices: &SliceTable) -> String {
    let figures = slices
        .slices
        .first()
        .map(|slice| slice.figures.as_slice())
        .unwrap_or_default();
    let names = figures.iter().map(|figure| figure.name.replace('_', " "));
    let heading: Vec<String> = [format!("by {}", slices.column), "samples".to_owned()]
        .into_iter()
        .chain(names)
        .collect();
    let mut table = Table::new(&heading.iter().map(String::as_str).collect::<Vec<_>>());
    for slice in &slices.slices {
        let figures = slice.figures.iter().map(|named| figure(named.estimate));
        table.row(
            [slice.value.clone(), output::grouped(slice.n)]
                .into_iter()
                .chain(figures),
        );
    }
    format!("{table}\n")
}

/// The metrics that were asked for by name, as a table; nothing when there are none.
pub(crate) fn requested_table(requested: &RequestedMetrics) -> String {
    if requested.metrics.is_empty() {
        return String::new();
    }
    let measure = match &requested.sample_weight {
        Some(column) => format!("metric, rows weighted by {column}"),
        None => "metric".to_owned(),
    };
    let mut table = Table::new(&[&measure, "value (95 % interval)"]);
    for metric in &requested.metrics {
        table.row([metric.name.clone(), figure(metric.estimate)]);
    }
    format!("{table}\n")
}

/// An estimate with its interval, if it has one.
pub(crate) fn figure(estimate: Estimate) -> String {
    match estimate.interval {
        Some(interval) => with_interval(estimate.value, interval.lower, interval.upper),
        None => format!("{:.4}", estimate.value),
    }
}

/// Writes the HTML report of an evaluation, with the learning curves when the package lies in a run's folder.
pub(crate) fn write_report(
    path: &Path,
    model: &Path,
    data: &Path,
    evaluation: &Evaluation,
) -> anyhow::Result<()> {
    let package = Package::open(model)?;
    let report = HtmlReport::new(model_title(model), data.display().to_string(), evaluation)
        .with_package(&package)
        .with_curves(learning_curves(model)?);
    write_page(path, &report.render()?)
}

/// The same for a regression or a model of labels.
fn write_task_report(
    path: &Path,
    model: &Path,
    data: &Path,
    evaluation: &TaskEvaluation,
) -> anyhow::Result<()> {
    let figures = match evaluation {
        TaskEvaluation::Classification(evaluation) => return write_report(path, model, data, evaluation),
        TaskEvaluation::Regression(evaluation) => TaskFigures::Regression(evaluation),
        TaskEvaluation::Multilabel(evaluation) => TaskFigures::Multilabel(evaluation),
    };
    let package = Package::open(model)?;
    let page = TaskPage::new(model_title(model), data.display().to_string(), &package, figures)
        .with_curves(learning_curves(model)?);
    write_page(path, &page.render()?)
}

/// Those of the run whose folder a package lies in; none elsewhere.
fn learning_curves(model: &Path) -> anyhow::Result<LearningCurves> {
    let metrics = model.with_file_name("metrics.jsonl");
    match metrics.is_file() {
        true => Ok(LearningCurves::open(&metrics)?),
        false => Ok(LearningCurves::default()),
    }
}

fn write_page(path: &Path, page: &str) -> anyhow::Result<()> {
    gradus_package::write_atomic(path, page.as_bytes())?;
    output::say(format_args!("report: {}", path.display()));
    Ok(())
}

/// What to call a model: its folder's name, or the run's where the folder is just `model`.
pub(crate) fn model_title(model: &Path) -> String {
    let absolute = std::path::absolute(model).unwrap_or_else(|_| model.to_owned());
    let names: Vec<_> = absolute
        .iter()
        .rev()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    match names.as_slice() {
        [name, run, ..] if name == "model" => run.clone(),
        [name, ..] => name.clone(),
        [] => "model".to_owned(),
    }
}
