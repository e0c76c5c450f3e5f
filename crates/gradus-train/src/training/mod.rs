//! The training loop: from a recipe to a run folder with checkpoints, logs and, at the end, a package.
//!
//! A run is deterministic: the same recipe gives the same bytes of weights and of `metrics.jsonl`, whatever the number
//! of threads, and however often it was stopped or killed and resumed. Everything that decides a step is in the last
//! checkpoint or is a pure function of the seed and the step: the order of an epoch's samples, what dropout drops, the
//! learning rate. Times go only into TensorBoard's events, which are not part of that promise.
//!
//! The library never prints. An [`Observer`] sees what happens; a flag asks the run to checkpoint and stop.

mod checkpoints;
mod language_model;
mod log;
mod metrics;
mod objective;
mod observer;
mod packaged;
mod peak;
mod progress;
mod run;
mod setup;
mod stepper;
mod stop;
mod supervised;

pub use metrics::Metric;
pub use objective::Cost;
pub use observer::{EvaluationRecord, Event, Observer, Plan, SampleUnit, Silent, StepReport};
pub use packaged::{FinalEvaluation, Packaged};
pub use peak::product_peak;
pub use stop::StopReason;
pub use supervised::TrainingData;

pub(crate) use stepper::{Limits, Stepper};
pub(crate) use supervised::count_correct;

use crate::recipe::{Recipe, Task};
use crate::{Error, Result};
use objective::Objective;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use supervised::Supervised;

/// Where a run lives and how it begins.
#[derive(Clone, Debug)]
pub struct TrainOptions {
    /// The run folder; made if need be.
    pub folder: PathBuf,
    /// Whether to go on with the run that is there. A folder without one starts a new run.
    pub resume: bool,
    /// Raised, by a signal handler for one, to have the run checkpoint after the current step and stop.
    pub stop: Arc<AtomicBool>,
    /// What is left in the folder at the end.
    pub leave: Leave,
}

/// What a run leaves in its folder when it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leave {
    /// The package, measured, besides checkpoints and logs.
    #[default]
    Package,
    /// Checkpoints and logs: for one of many trainings of which the best is to be found.
    Checkpoints,
}

impl TrainOptions {
    /// A new run in `folder` that nobody will stop.
    pub fn new(folder: impl Into<PathBuf>) -> TrainOptions {
        TrainOptions {
            folder: folder.into(),
            resume: false,
            stop: Arc::default(),
            leave: Leave::Package,
        }
    }

    /// As [`TrainOptions::new`], going on with the run that is there.
    pub fn resume(folder: impl Into<PathBuf>) -> TrainOptions {
        TrainOptions {
            resume: true,
            ..TrainOptions::new(folder)
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Why.
    pub reason: StopReason,
    /// Optimiser steps taken.
    pub step: u64,
    /// Best monitored value and the step it was measured at, once there was an evaluation.
    pub best: Option<(f64, u64)>,
    /// The package and its figures; `None` for an interrupted run, and where none was to be left.
    pub package: Option<Packaged>,
}

/// Trains the recipe's model in a run folder and writes its package there, or goes on with the run that is there.
///
/// Resuming a run that had ended trains no further and writes its package again, to the same bytes.
///
/// # Errors
/// [`Error::RunExists`] for a folder that holds a run, unless it is to be resumed;
/// [`Error::RecipeChanged`] and [`Error::DataChanged`] for one
/// that began otherwise; [`Error::Diverged`] when the loss or a weight is no number any more;
/// and whatever reading data and writing files can end in.
pub fn train(recipe: &Recipe, options: &TrainOptions, observer: &mut dyn Observer) -> Result<Outcome> {
    setup::refuse_existing(options)?;
    match &recipe.task {
        Task::Supervised(task) => {
            let objective = Supervised::new(task, recipe, TrainingData::load(recipe)?)?;
            learn(objective, recipe, options, observer)
        }
        Task::LanguageModel(task) => {
            let objective = language_model::pretrain(task, recipe, options, observer)?;
            learn(objective, recipe, options, observer)
        }
        Task::FineTuning(task) => learn(language_model::tune(task, recipe)?, recipe, options, observer),
    }
}

/// As [`train`], on samples that are in memory already; the recipe's `[data]` is not read.
///
/// Several runs may share the data and go on at the same time in threads of their own: each ends in the bytes it would
/// end in alone.
///
/// # Errors
/// As [`train`]; [`Error::NoSamples`] for a recipe that learns from text.
pub fn train_on(
    recipe: &Recipe,
    data: &TrainingData,
    options: &TrainOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    setup::refuse_existing(options)?;
    let task = recipe.task.supervised().ok_or(Error::NoSamples)?;
    let objective = Supervised::new(task, recipe, data.clone())?;
    learn(objective, recipe, options, observer)
}

/// Runs an objective to its end or to an interruption.
fn learn<O: Objective>(
    objective: O,
    recipe: &Recipe,
    options: &TrainOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    let mut run = setup::prepare(objective, recipe, options)?;
    observer.on_event(&Event::Started(&run.plan));
    let reason = match run.progress.finished {
        Some(reason) => reason,
        None => run.train(observer)?,
    };
    let mut outcome = Outcome {
        reason,
        step: run.progress.step,
        best: run.progress.best.map(|best| (best.value.0, best.step)),
        package: None,
    };
    if reason == StopReason::Interrupted || options.leave == Leave::Checkpoints {
        return Ok(outcome);
    }
    run.choose_weights()?;
    let package = run.objective.package(recipe, run.folder.model_folder())?;
    observer.on_event(&Event::Packaged {
        path: &package.folder,
    });
    outcome.package = Some(package);
    Ok(outcome)
}

/// Whether a folder holds a run, finished or not.
pub fn is_run(folder: &Path) -> bool {
    setup::is_run(folder)
}
