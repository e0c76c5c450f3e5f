//! Everything between an objective and its first step: optimiser, run folder, and the checkpoint to go on from.

use super::TrainOptions;
use super::log::RunLog;
use super::objective::{Extent, Objective};
use super::observer::Plan;
use super::progress::Progress;
use super::run::Run;
use super::stepper::{Limits, Stepper};
use crate::ema::Ema;
use crate::recipe::Recipe;
use crate::schedules::{RunLength, Schedule};
use crate::settings::Problem;
use crate::{Error, Result};
use gradus_package::{Checkpoint, RunDir};
use gradus_tensor::Parameter;
use std::path::Path;
use std::time::Instant;

/// Builds and checks everything around an objective; nothing is written before all of it has worked.
pub(crate) fn prepare<'a, O: Objective>(
    objective: O,
    recipe: &'a Recipe,
    options: &TrainOptions,
) -> Result<Run<'a, O>> {
    check_monitor(&objective, recipe)?;
    let plan = plan(&objective, recipe);
    let stepper = stepper(recipe, &objective, &plan)?;
    let folder = open_folder(recipe, &options.folder)?;
    let parts = Parts {
        recipe,
        objective,
        plan,
        stepper,
        folder,
    };
    assemble(parts, options)
}

/// A folder with a run in it is only for resuming.
pub(crate) fn refuse_existing(options: &TrainOptions) -> Result<()> {
    if is_run(&options.folder) && !options.resume {
        return Err(Error::RunExists {
            path: options.folder.clone(),
        });
    }
    Ok(())
}

/// Whether a folder holds a run, finished or not.
pub(crate) fn is_run(folder: &Path) -> bool {
    folder.join("recipe.toml").is_file()
}

/// The objective must measure what the recipe watches.
fn check_monitor(objective: &impl Objective, recipe: &Recipe) -> Result<()> {
    let (monitor, known) = (recipe.train.monitor, objective.monitors());
    if known.contains(&monitor) {
        return Ok(());
    }
    let names: Vec<&str> = known.iter().map(|monitor| monitor.name()).collect();
    Problem::refuse("train.monitor", monitor.name(), &names.join(" or "))
}

fn plan(objective: &impl Objective, recipe: &Recipe) -> Plan {
    let Extent {
        unit,
        train_samples,
        validation_samples,
        batch_size,
        batches,
    } = objective.extent();
    let steps_per_epoch = batches.div_ceil(recipe.train.accumulate);
    let epochs = recipe
        .train
        .epochs
        .unwrap_or_else(|| objective.default_epochs(&recipe.train));
    let total = steps_per_epoch.saturating_mul(epochs);
    let parameters = |named: Vec<(String, Parameter)>| named.iter().map(|(_, p)| p.numel()).sum();
    Plan {
        unit,
        train_samples,
        validation_samples,
        parameters: objective.model().num_parameters(),
        trained_parameters: parameters(objective.trained()),
        batch_size,
        accumulate: recipe.train.accumulate,
        epochs,
        steps_per_epoch,
        total_steps: recipe.train.max_steps.map_or(total, |most| most.min(total)),
        memory: objective.memory(),
        cost: objective.cost(),
        resumed_at: None,
    }
}

fn stepper(recipe: &Recipe, objective: &impl Objective, plan: &Plan) -> Result<Stepper> {
    let parameters: Vec<Parameter> = objective
        .trained()
        .into_iter()
        .map(|(_, parameter)| parameter)
        .collect();
    let length = RunLength {
        steps_per_epoch: plan.steps_per_epoch,
        total_steps: plan.total_steps,
    };
    let base = recipe.learning_rate();
    let ema = recipe
        .train
        .ema_decay
        .map(|decay| Ema::new(parameters.clone(), decay))
        .transpose()?;
    let mut optimizer = recipe.optimizer.build(parameters, base);
    let schedule = Schedule::new(recipe.schedule.clone(), base, length)?;
    if schedule
        .momentum(0)
        .is_some_and(|momentum| !optimizer.set_momentum(momentum))
    {
        Problem::refuse(
            "schedule.cycle_momentum",
            "true",
            "false: this optimizer has no momentum to cycle",
        )?;
    }
    Ok(Stepper {
        optimizer,
        schedule,
        ema,
        limits: Limits::from(&recipe.train),
        seed: recipe.train.seed,
        step: 0,
    })
}

/// Opens the run that is there, if it was begun with the same recipe, or creates one.
fn open_folder(recipe: &Recipe, path: &Path) -> Result<RunDir> {
    let text = recipe.to_toml()?;
    if !is_run(path) {
        return Ok(RunDir::create(path, &text)?);
    }
    let folder = RunDir::open(path)?;
    let sections = changed_sections(&folder.recipe()?, &text);
    if sections.is_empty() {
        return Ok(folder);
    }
    Err(Error::RecipeChanged {
        path: path.to_owned(),
        sections,
    })
}

/// Names of the sections in which two recipes differ.
fn changed_sections(old: &str, new: &str) -> Vec<String> {
    let table = |text: &str| text.parse::<toml::Table>().unwrap_or_default();
    let (old, new) = (table(old), table(new));
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| format!("[{name}]"))
        .collect()
}

struct Parts<'a, O> {
    recipe: &'a Recipe,
    objective: O,
    plan: Plan,
    stepper: Stepper,
    folder: RunDir,
}

/// The run at its beginning, or at its last whole checkpoint.
fn assemble<'a, O: Objective>(parts: Parts<'a, O>, options: &TrainOptions) -> Result<Run<'a, O>> {
    let Parts {
        recipe,
        objective,
        plan,
        stepper,
        folder,
    } = parts;
    let fingerprint = objective.data_sha256().to_owned();
    let found = latest_checkpoint(&folder, &fingerprint)?;
    let positions = found.as_ref().map(|found| found.progress.logs);
    let interval = recipe.train.log_interval(plan.steps_per_epoch);
    let mut run = Run {
        config: &recipe.train,
        log: RunLog::open(&folder, &plan, interval, positions)?,
        progress: Progress::new(stepper.schedule.state(), fingerprint),
        unsaved_best: None,
        stop: options.stop.clone(),
        started: Instant::now(),
        objective,
        stepper,
        plan,
        folder,
    };
    if let Some(Found { progress, checkpoint }) = found {
        run.resume(progress, &checkpoint)?;
    }
    Ok(run)
}

/// A checkpoint to go on from.
struct Found {
    progress: Progress,
    checkpoint: Checkpoint,
}

/// The newest whole checkpoint, if it was taken on these data.
fn latest_checkpoint(folder: &RunDir, data_sha256: &str) -> Result<Option<Found>> {
    let search = folder.latest_good()?;
    for skipped in &search.skipped {
        tracing::warn!(path = %skipped.path.display(), error = %skipped.error, "skipped a damaged checkpoint");
    }
    let Some((step, checkpoint)) = search.found else {
        return Ok(None);
    };
    let progress = Progress::of_checkpoint(step, &checkpoint)?;
    if progress.data_sha256 != data_sha256 {
        let (expected, got) = (progress.data_sha256, data_sha256.to_owned());
        return Err(Error::DataChanged {
            path: folder.path().to_owned(),
            expected,
            got,
        });
    }
    Ok(Some(Found { progress, checkpoint }))
}
