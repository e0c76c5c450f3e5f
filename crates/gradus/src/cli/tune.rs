//! `gradus tune`: many trainings of one recipe, and the settings of the best.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use gradus_train::monitor::Direction;
use gradus_tune::Error;
use gradus_tune::search::{
    self, Importance, Pruner, RecipeTemplate, Sampler, SearchEvent, SearchOptions, Settings, Space, State,
    Study, Trial,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::Global;
use super::output::{self, Table};
use super::train::stop_flag;

/// Trials in the table at the end.
const LISTED: usize = 5;

/// Search for the settings of a recipe that train the best model. The study is on the disk: the same command goes on
/// with it after a stop or a kill, and with more --trials after its end.
///
/// Example: gradus tune my.toml --space space.toml --trials 50 --pruner asha, where space.toml has lines such as
/// train.learning_rate = { low = 1e-4, high = 1e-1, log = true } and train.batch_size = { choices = [32, 64, 128] }
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The recipe; what the space does not name stays as it says.
    recipe: PathBuf,
    /// What varies: a TOML file with keys of the recipe, each with low and high (log, step, points) or choices.
    #[arg(long, value_name = "FILE")]
    space: PathBuf,
    /// Trials in all, those of earlier runs of the same study included.
    #[arg(long, value_name = "N", default_value_t = 100)]
    trials: u64,
    /// Which settings are tried.
    #[arg(long, value_enum, default_value_t = SamplerName::Tpe)]
    sampler: SamplerName,
    /// Which trials are stopped before their end.
    #[arg(long, value_enum, default_value_t = PrunerName::Median)]
    pruner: PrunerName,
    /// Trials at once. With one, a seed always gives the same search.
    #[arg(long, value_name = "N", default_value = "1")]
    jobs: NonZeroUsize,
    /// The study's file. Default: study.db in the folder of --out.
    #[arg(long, value_name = "FILE")]
    study: Option<PathBuf>,
    /// Seeds everything that is drawn.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// What is made better: validation_accuracy, validation_loss, train_loss, ... Default: what train.monitor names.
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,
    /// Which way the metric is better. Default: known for losses, errors, accuracies and the like.
    #[arg(long, value_enum)]
    direction: Option<DirectionName>,
    /// Override one key of the recipe for all trials, such as train.epochs=5; may be given again.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Folder of the study, the best recipe (best.toml) and the report (report.html). Default: runs/ and the recipe's
    /// name with -tune.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum SamplerName {
    /// Every combination.
    Grid,
    /// Independent draws.
    Random,
    /// A scrambled Sobol sequence.
    Sobol,
    /// A tree-structured Parzen estimator.
    Tpe,
    /// Covariance matrix adaptation.
    Cmaes,
}

#[derive(Clone, Copy, ValueEnum)]
enum PrunerName {
    /// No trial.
    None,
    /// Those below the median.
    Median,
    /// Asynchronous successive halving.
    Asha,
    /// Several successive halvings side by side.
    Hyperband,
}

#[derive(Clone, Copy, ValueEnum)]
enum DirectionName {
    Minimize,
    Maximize,
}

impl From<SamplerName> for Sampler {
    fn from(name: SamplerName) -> Sampler {
        match name {
            SamplerName::Grid => Sampler::Grid,
            SamplerName::Random => Sampler::Random,
            SamplerName::Sobol => Sampler::Sobol,
            SamplerName::Tpe => Sampler::Tpe,
            SamplerName::Cmaes => Sampler::CmaEs,
        }
    }
}

impl From<PrunerName> for Pruner {
    fn from(name: PrunerName) -> Pruner {
        match name {
            PrunerName::None => Pruner::None,
            PrunerName::Median => Pruner::Median,
            PrunerName::Asha => Pruner::Asha,
            PrunerName::Hyperband => Pruner::Hyperband,
        }
    }
}

impl From<DirectionName> for Direction {
    fn from(name: DirectionName) -> Direction {
        match name {
            DirectionName::Minimize => Direction::Minimize,
            DirectionName::Maximize => Direction::Maximize,
        }
    }
}

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    let template = RecipeTemplate::new(&args.recipe, args.overrides.clone());
    let space = Space::load(&args.space)?;
    let settings = settings(args, &template, &space)?;
    template.check(&space)?;
    let out = args.out.clone().unwrap_or_else(|| default_out(&args.recipe));
    let path = args.study.clone().unwrap_or_else(|| out.join("study.db"));
    let study = Study::open(&path, space, settings)?;
    share_threads(args.jobs, global);
    let options = SearchOptions {
        trials: args.trials,
        jobs: args.jobs,
        folder: out.join("trials"),
        stop: stop_flag()?,
    };
    let mut display = Display::new(&study, args.trials);
    let study = search::search(&template, study, &options, &mut |study, event| {
        display.on_event(study, event)
    })?;
    display.bar.finish_and_clear();
    if study.trials().iter().any(|trial| !trial.is_finished()) {
        return output::line("stopped; the same command goes on");
    }
    conclude(&template, &study, &out, global)
}

fn settings(args: &Args, template: &RecipeTemplate, space: &Space) -> anyhow::Result<Settings> {
    let recipe = template.base()?;
    let named = || format!("validation_{}", recipe.train.monitor.name());
    let metric = args.metric.clone().unwrap_or_else(named);
    let direction = match args.direction {
        Some(direction) => direction.into(),
        None => search::known_direction(&metric).ok_or_else(|| Error::UnknownDirection {
            metric: metric.clone(),
        })?,
    };
    Ok(Settings {
        recipe: recipe.to_portable_toml()?,
        space: space.describe(),
        sampler: args.sampler.into(),
        pruner: args.pruner.into(),
        metric,
        direction,
        seed: args.seed,
    })
}

fn default_out(recipe: &Path) -> PathBuf {
    let mut name = recipe.file_stem().unwrap_or("recipe".as_ref()).to_owned();
    name.push("-tune");
    Path::new("runs").join(name)
}

/// Several trainings at once leave each fewer threads to wait for.
fn share_threads(jobs: NonZeroUsize, global: Global) {
    if global.threads.is_none() && jobs.get() > 1 {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        gradus_kernels::pool::set_threads((cores / jobs.get()).max(1));
    }
}

/// A line for each trial that ends, and on a terminal a bar with what is being trained.
struct Display {
    bar: ProgressBar,
    is_terminal: bool,
    widths: Vec<usize>,
}

impl Display {
    fn new(study: &Study, trials: u64) -> Display {
        let bar = ProgressBar::with_draw_target(Some(trials), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:28.cyan/dim} {pos}/{len}  {msg}  {eta} left")
            .expect("bug: the progress template is valid");
        bar.set_style(style.progress_chars("━━─"));
        let display = Display {
            is_terminal: !bar.is_hidden(),
            widths: study
                .space()
                .parameters()
                .iter()
                .map(|parameter| parameter.key.chars().count().max(9))
                .collect(),
            bar,
        };
        let finished = study.history().finished().count();
        if !study.trials().is_empty() {
            let left = study.trials().len() - finished;
            display.say(&format!(
                "going on with {finished} finished trials and {left} that were being trained"
            ));
        }
        display.bar.set_position(finished as u64);
        display.heading(study);
        display
    }

    fn say(&self, line: &str) {
        if self.is_terminal {
            self.bar.println(line);
        } else {
            output::say(line);
        }
    }

    fn heading(&self, study: &Study) {
        let keys = study
            .space()
            .parameters()
            .iter()
            .map(|parameter| parameter.key.clone());
        let metric = &study.settings().metric;
        self.say(&format!(
            "trial  {metric:>19}  {}  steps  seconds",
            self.cells(keys.collect())
        ));
    }

    fn cells(&self, texts: Vec<String>) -> String {
        let cells = texts.iter().zip(&self.widths);
        let padded: Vec<String> = cells.map(|(text, &width)| format!("{text:>width$}")).collect();
        padded.join("  ")
    }

    fn on_event(&mut self, study: &Study, event: &SearchEvent<'_>) {
        match event {
            SearchEvent::Finished { trial, is_best } => {
                self.bar.inc(1);
                self.finished(study, trial, *is_best);
            }
            SearchEvent::Measured(trial) => {
                if let Some((index, value)) = trial.last() {
                    self.bar
                        .set_message(format!("trial {}, measurement {index}: {value:.4}", trial.number));
                }
            }
            SearchEvent::Began(_) => {}
            // New kinds of event are for observers that know them.
            _ => {}
        }
    }

    fn finished(&self, study: &Study, trial: &Trial, is_best: bool) {
        let value = match &trial.state {
            State::Complete { value } => format!("{:.4}", value.0),
            State::Pruned => trial.last().map_or_else(
                || "stopped".to_owned(),
                |(_, value)| format!("stopped at {value:.4}"),
            ),
            State::Failed { .. } => "failed".to_owned(),
            State::Running => String::new(),
        };
        let texts = search::setting_texts(study.space().parameters(), &trial.point);
        let mark = if is_best { "  best" } else { "" };
        self.say(&format!(
            "{:>5}  {value:>19}  {}  {:>5}  {:>7.1}{mark}",
            trial.number,
            self.cells(texts),
            trial.steps,
            trial.seconds
        ));
        if let State::Failed { reason } = &trial.state {
            self.say(&format!("       {reason}"));
        }
    }
}

/// Writes the best recipe and the report, and tells the result.
fn conclude(template: &RecipeTemplate, study: &Study, out: &Path, global: Global) -> anyhow::Result<()> {
    let best = search::best_trial(study)?;
    let recipe = search::best_recipe(template, study)?;
    let name = template
        .path()
        .file_stem()
        .unwrap_or_default()
        .display()
        .to_string();
    let page = search::report(study, &name, &recipe)?;
    std::fs::create_dir_all(out)?;
    let (best_path, report_path) = (out.join("best.toml"), out.join("report.html"));
    search::write_text(&best_path, &recipe)?;
    search::write_text(&report_path, &page)?;
    let importances = search::importances(&study.history());
    if global.json {
        return output::json(&JsonStudy {
            settings: study.settings(),
            best: json_trial(study, best),
            importances: &importances,
            best_recipe: &best_path,
            report: &report_path,
            trials: study
                .trials()
                .iter()
                .map(|trial| json_trial(study, trial))
                .collect(),
        });
    }
    let (best_path, report_path) = (best_path.display(), report_path.display());
    output::write(
        format!(
            "{}\n{}best recipe  {best_path}\nreport       {report_path}\n",
            best_table(study),
            importance_table(&importances)
        )
        .as_bytes(),
    )
}

fn best_table(study: &Study) -> Table {
    let keys = study
        .space()
        .parameters()
        .iter()
        .map(|parameter| parameter.key.as_str());
    let heading: Vec<&str> = ["trial", &study.settings().metric]
        .into_iter()
        .chain(keys)
        .collect();
    let mut table = Table::new(&heading);
    let mut complete: Vec<&Trial> = study.history().complete().collect();
    complete.sort_by(|a, b| study.history().order(a, b));
    for trial in complete.iter().take(LISTED) {
        let mut cells = vec![
            trial.number.to_string(),
            format!("{:.4}", trial.value().unwrap_or(f64::NAN)),
        ];
        cells.extend(search::setting_texts(study.space().parameters(), &trial.point));
        table.row(cells);
    }
    table
}

fn importance_table(importances: &[Importance]) -> String {
    if importances.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["setting", "importance"]);
    for importance in importances {
        table.row([
            importance.key.clone(),
            format!("{:.1} %", 100.0 * importance.share),
        ]);
    }
    format!("{table}\n")
}

/// A search, for programs.
#[derive(Serialize)]
struct JsonStudy<'a> {
    settings: &'a Settings,
    best: JsonTrial<'a>,
    importances: &'a [Importance],
    best_recipe: &'a Path,
    report: &'a Path,
    trials: Vec<JsonTrial<'a>>,
}

#[derive(Serialize)]
struct JsonTrial<'a> {
    number: u64,
    state: &'static str,
    /// Of a trial that came to its end.
    value: Option<f64>,
    settings: Vec<String>,
    measurements: Vec<f64>,
    steps: u64,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

fn json_trial<'a>(study: &Study, trial: &'a Trial) -> JsonTrial<'a> {
    let (state, reason) = match &trial.state {
        State::Running => ("running", None),
        State::Complete { .. } => ("complete", None),
        State::Pruned => ("pruned", None),
        State::Failed { reason } => ("failed", Some(reason.as_str())),
    };
    JsonTrial {
        number: trial.number,
        state,
        value: trial.value(),
        settings: study.space().overrides(&trial.point),
        measurements: trial
            .measurements
            .iter()
            .map(|measured| measured.value.0)
            .collect(),
        steps: trial.steps,
        seconds: trial.seconds,
        reason,
    }
}
