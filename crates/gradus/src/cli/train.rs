//! `gradus train`: a recipe becomes a run, and the run a package.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use gradus_package::MetricValue;
use gradus_train::recipe::Recipe;
use gradus_train::training::{FinalEvaluation, Outcome, StopReason, TrainOptions, train};
use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::Global;
use super::output::{self, Table};
use super::progress::Progress;

/// Train the model that a recipe describes. Ctrl-C saves a checkpoint and stops; --resume goes on.
///
/// Example: gradus new classifier > my.toml && gradus train my.toml --set train.learning_rate=0.0005
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The recipe; `gradus new` prints one to start from.
    recipe: PathBuf,
    /// Override one key of the recipe, such as train.learning_rate=0.05; may be given again.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// The run's folder. Default: runs/ and the recipe's name.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on from the last checkpoint of an earlier run in the same folder, to the very same result.
    #[arg(long)]
    resume: bool,
}

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    let recipe = Recipe::load(&args.recipe, &args.overrides)?;
    let out = args.out.clone().unwrap_or_else(|| default_out(&args.recipe));
    run_recipe(&recipe, &out, args.resume, global)
}

/// Trains, and prints how that ended.
pub(crate) fn run_recipe(recipe: &Recipe, out: &Path, resume: bool, global: Global) -> anyhow::Result<()> {
    let outcome = train_with_progress(recipe, out, resume)?;
    if global.json {
        return output::json(&JsonOutcome::new(&outcome, out));
    }
    report(&outcome, out)
}

/// Trains with progress on standard error; SIGINT and SIGTERM checkpoint and stop.
pub(crate) fn train_with_progress(recipe: &Recipe, out: &Path, resume: bool) -> anyhow::Result<Outcome> {
    let options = TrainOptions {
        resume,
        stop: stop_flag()?,
        ..TrainOptions::new(out)
    };
    Ok(train(recipe, &options, &mut Progress::new())?)
}

/// A flag that the first SIGINT or SIGTERM raises; a second one ends the program at once.
pub(crate) fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The order matters: the shutdown looks at the flag before the same signal raises it.
        flag::register_conditional_shutdown(signal, 128 + signal, stop.clone())
            .and_then(|_| flag::register(signal, stop.clone()))
            .context("cannot listen for signals")?;
    }
    Ok(stop)
}

pub(crate) fn default_out(recipe: &Path) -> PathBuf {
    Path::new("runs").join(recipe.file_stem().unwrap_or("run".as_ref()))
}

fn report(outcome: &Outcome, out: &Path) -> anyhow::Result<()> {
    let Some(package) = &outcome.package else {
        let step = output::grouped(outcome.step);
        return output::line(&format!(
            "checkpointed after step {step}; the same command with --resume goes on"
        ));
    };
    let FinalEvaluation {
        split,
        samples,
        unit,
        metrics,
    } = &package.evaluation;
    let has_intervals = metrics.iter().any(|metric| metric.lower.is_some());
    let heading = if has_intervals {
        "value (95 % interval)"
    } else {
        "value"
    };
    let mut table = Table::new(&["measure", heading]);
    for metric in metrics {
        let value = match (metric.lower, metric.upper) {
            (Some(lower), Some(upper)) => output::with_interval(metric.value, lower, upper),
            _ => format!("{:.4}", metric.value),
        };
        table.row([metric.name.replace('_', " "), value]);
    }
    let (run, folder) = (out.display(), package.folder.display());
    let measured = match metrics.is_empty() {
        true => String::new(),
        false => format!(
            "{table}\non {} {split} {}\n",
            output::grouped(*samples),
            unit.plural()
        ),
    };
    output::write(format!("{measured}run      {run}\npackage  {folder}\n").as_bytes())
}

/// How a run ended, for programs.
#[derive(Serialize)]
struct JsonOutcome<'a> {
    reason: StopReason,
    step: u64,
    run: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<JsonPackage<'a>>,
}

#[derive(Serialize)]
struct JsonPackage<'a> {
    folder: &'a Path,
    fingerprint: &'a str,
    split: &'a str,
    metrics: &'a [MetricValue],
}

impl<'a> JsonOutcome<'a> {
    fn new(outcome: &'a Outcome, run: &'a Path) -> JsonOutcome<'a> {
        let package = outcome.package.as_ref().map(|package| JsonPackage {
            folder: &package.folder,
            fingerprint: &package.fingerprint,
            split: package.evaluation.split,
            metrics: &package.evaluation.metrics,
        });
        JsonOutcome {
            reason: outcome.reason,
            step: outcome.step,
            run,
            package,
        }
    }
}
