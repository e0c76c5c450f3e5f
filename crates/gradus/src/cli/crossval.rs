//! `gradus crossval`: a recipe trained and measured on several divisions of its data.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use gradus_data::TargetKind;
use gradus_train::recipe::{Recipe, TableRecipe};
use gradus_tune::crossval::{Crossval, CrossvalEvent, CrossvalOptions, Division, FoldResult, crossval};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Global;
use super::new::tell_dropped;
use super::output::{self, Table};
use super::train::stop_flag;

/// Train a recipe on several divisions of its data, and measure each time on the rows left out: how well such a model
/// predicts new rows, and how sure that is.
///
/// Preparation is fitted to each fold's training rows alone. Ctrl-C saves and stops; the same command goes on. The
/// interval of the mean is that of Nadeau and Bengio (2003), as folds share most of their training rows.
///
/// Examples: gradus crossval my.toml --folds 5 --repeats 3 --jobs 2
/// and gradus crossval --data titanic.csv --label survived
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The recipe. Without one, give --data and --label.
    #[arg(required_unless_present = "data", conflicts_with = "data")]
    recipe: Option<PathBuf>,
    /// A CSV or Parquet file to make a recipe for, as `gradus new table` does.
    #[arg(long, value_name = "FILE", requires = "label")]
    data: Option<PathBuf>,
    /// The column of --data that holds the class.
    #[arg(long, value_name = "COLUMN", requires = "data")]
    label: Option<String>,
    /// Override one key of the recipe, such as train.epochs=20; may be given again.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Number of folds.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..))]
    folds: u32,
    /// Keep the shares of the classes, or of each label, in each fold; without --group that is the default for classes.
    #[arg(long, conflicts_with_all = ["random", "time", "leave_one_out"])]
    stratify: bool,
    /// Divide by chance alone.
    #[arg(long, conflicts_with_all = ["group", "time", "leave_one_out"])]
    random: bool,
    /// Keep rows together that have the same value in this column, which is then no input.
    #[arg(long, value_name = "COLUMN", conflicts_with_all = ["time", "leave_one_out"])]
    group: Option<String>,
    /// Test each fold on what came after all it was trained on, by this column of numbers or dates, which is then no
    /// input.
    #[arg(long, value_name = "COLUMN", conflicts_with = "leave_one_out")]
    time: Option<String>,
    /// What of the past a fold along --time is trained on.
    #[arg(long, value_enum, default_value_t = WindowName::Expanding, requires = "time")]
    window: WindowName,
    /// Rows left out between training and test rows of a fold along --time.
    #[arg(long, value_name = "ROWS", default_value_t = 0, requires = "time")]
    gap: usize,
    /// Test each row alone: as many trainings as rows.
    #[arg(long)]
    leave_one_out: bool,
    /// Do it all again this often with other seeds.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
    /// The seed of the folds. Default: the recipe's data.seed.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Folds trained side by side; the result does not depend on it.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Keep the folds' runs with their models.
    #[arg(long)]
    keep_models: bool,
    /// The result's folder. Default: runs/ and the recipe's or the data's name with -crossval.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What of the past is trained on.
#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum WindowName {
    /// All of it.
    Expanding,
    /// As much as the first fold has.
    Sliding,
}

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    let recipe = read_recipe(args)?;
    let options = options(args, &recipe)?;
    let mut watcher = Watcher::new();
    let Some(result) = crossval(&recipe, &options, &mut |event| watcher.on_event(event))? else {
        return output::line("stopped; the same command goes on");
    };
    watcher.bar.finish_and_clear();
    if global.json {
        return output::json(&result);
    }
    output::write(report(&result, &options.folder).as_bytes())
}

fn read_recipe(args: &Args) -> anyhow::Result<Recipe> {
    let (Some(data), Some(label)) = (&args.data, &args.label) else {
        let path = args
            .recipe
            .as_ref()
            .context("give a recipe, or --data and --label")?;
        return Ok(Recipe::load(path, &args.overrides)?);
    };
    let dividing: Vec<String> = args.group.iter().chain(&args.time).cloned().collect();
    let recipe = TableRecipe::new(data, label, &dividing)?;
    tell_dropped(&recipe);
    Ok(Recipe::parse(&recipe.text, &args.overrides)?)
}

fn options(args: &Args, recipe: &Recipe) -> anyhow::Result<CrossvalOptions> {
    let Some(task) = recipe.task.supervised() else {
        bail!("the recipe learns from text; only labelled samples can be divided into folds");
    };
    let named = args.recipe.as_ref().or(args.data.as_ref());
    let stem = named.and_then(|path| path.file_stem()).unwrap_or("run".as_ref());
    let folder = args
        .out
        .clone()
        .unwrap_or_else(|| Path::new("runs").join(format!("{}-crossval", stem.to_string_lossy())));
    Ok(CrossvalOptions {
        folder,
        division: division(args, task.data.task)?,
        repeats: args.repeats as usize,
        seed: args.seed.unwrap_or(task.data.seed),
        jobs: usize::from(args.jobs),
        keep_models: args.keep_models,
        stop: stop_flag()?,
    })
}

fn division(args: &Args, task: TargetKind) -> anyhow::Result<Division> {
    let has_classes = task == TargetKind::Classification;
    let folds = args.folds as usize;
    if args.stratify && task == TargetKind::Regression {
        bail!("--stratify keeps the shares of classes or labels, and this recipe learns none");
    }
    if args.stratify && args.group.is_some() && task == TargetKind::Multilabel {
        bail!("labels are not stratified within --group; give one of --stratify and --group");
    }
    Ok(match (&args.group, &args.time) {
        (Some(column), _) => Division::Group {
            folds,
            column: column.clone(),
            stratify: args.stratify,
        },
        (None, Some(column)) => Division::Time {
            folds,
            column: column.clone(),
            sliding: args.window == WindowName::Sliding,
            gap: args.gap,
        },
        (None, None) if args.leave_one_out => Division::LeaveOneOut,
        (None, None) if (has_classes || args.stratify) && !args.random => Division::Stratified { folds },
        (None, None) => Division::Random { folds },
    })
}

/// A bar that counts folds on a terminal, and a line for each elsewhere.
struct Watcher {
    bar: ProgressBar,
    is_terminal: bool,
}

/// With more folds than this a line for each, or a row of the table, is too much to read.
const FOLDS_LISTED: usize = 50;

impl Watcher {
    fn new() -> Watcher {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:28.cyan/dim} {pos}/{len} folds  {msg}  {eta} left");
        bar.set_style(
            style
                .expect("bug: the progress template is valid")
                .progress_chars("━━─"),
        );
        let is_terminal = !bar.is_hidden();
        Watcher { bar, is_terminal }
    }

    fn on_event(&mut self, event: &CrossvalEvent<'_>) {
        match event {
            CrossvalEvent::Divided {
                folds,
                finished,
                scarce,
            } => {
                self.bar.set_length(*folds as u64);
                self.bar.set_position(*finished as u64);
                if let Some(scarce) = scarce {
                    output::say(format_args!(
                        "warning: a class has {} rows, fewer than there are folds",
                        scarce.rows
                    ));
                }
                if *finished > 0 {
                    output::say(format_args!("{finished} of {folds} folds are finished already"));
                }
            }
            CrossvalEvent::Started(_) => (),
            CrossvalEvent::Finished(fold) => {
                self.bar.inc(1);
                let text = describe(fold);
                if self.is_terminal {
                    self.bar.set_message(text);
                } else if self
                    .bar
                    .length()
                    .is_some_and(|folds| folds <= FOLDS_LISTED as u64)
                {
                    output::say(format_args!("{text}"));
                }
            }
        }
    }
}

fn describe(fold: &FoldResult) -> String {
    let first = fold.metrics.first();
    let figure = first.map_or(String::new(), |metric| {
        format!(" {} {:.4}", metric.name.replace('_', " "), metric.value)
    });
    format!(
        "repetition {} fold {}:{figure}",
        fold.id.repeat + 1,
        fold.id.fold + 1
    )
}

fn report(result: &Crossval, folder: &Path) -> String {
    let names: Vec<String> = result
        .metrics
        .iter()
        .map(|metric| metric.name.replace('_', " "))
        .collect();
    let heading = ["fold", "train", "test"]
        .into_iter()
        .chain(names.iter().map(String::as_str));
    let mut folds = Table::new(&heading.collect::<Vec<_>>());
    for (index, fold) in result.folds.iter().enumerate() {
        let name = format!("{}.{}", fold.id.repeat + 1, fold.id.fold + 1);
        let rows = [fold.train_rows + fold.validation_rows, fold.test_rows];
        let values = result
            .metrics
            .iter()
            .filter_map(|metric| metric.values.get(index));
        folds.row(
            [name]
                .into_iter()
                .chain(rows.map(|rows| output::grouped(rows as u64)))
                .chain(values.map(|value| format!("{value:.4}"))),
        );
    }
    let mut means = Table::new(&["measure", "mean ± 95 %", "std", "without correction"]);
    for (metric, name) in result.metrics.iter().zip(names) {
        let interval = &metric.interval;
        means.row([
            name,
            format!("{:.4} ± {:.4}", interval.mean, interval.corrected_half_width),
            format!("{:.4}", interval.std),
            format!("± {:.4}", interval.half_width),
        ]);
    }
    let listed = if result.folds.len() <= FOLDS_LISTED {
        format!("{folds}\n")
    } else {
        String::new()
    };
    let (division, predictions) = (result.division.describe(), result.predictions.display());
    format!(
        "{listed}{means}\n{division}\npredictions  {predictions}\nresult       {}\n",
        folder.display()
    )
}
