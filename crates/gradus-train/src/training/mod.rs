//! The training loop: from a recipe to a run folder with checkpoints, logs and, at the end, a package.
//!
//! A run is deterministic: the same recipe gives the same bytes of weights and of `metrics.jsonl`, whatever the number
//! of threads, and however often it was stopped or killed and resumed. Everything that decides a step is in the last
//! checkpoint or is a pure function of the seed and the step: the order of an epoch's samples, what dropout drops, the
//! learning rate. Times go only into TensorBoard's events, which are not part of that promise.
//!
//! The library never prints. An [`Observer`] sees what happens; a flag asks the run to checkpoint and stop.

mod checkpoints;
mod log;
mod observer;
mod packaging;
mod progress;
mod run;
mod setup;
mod stepper;
mod stop;
mod validation;

pub use observer::{EvaluationRecord, Event, Observer, Plan, Silent, StepReport};
pub use packaging::FinalEvaluation;
pub use stop::StopReason;

pub(crate) use stepper::{Limits, Stepper};
pub(crate) use validation::count_correct;

use crate::Result;
use crate::recipe::Recipe;
use packaging::Trained;
use setup::Prepared;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Where a run lives and how it begins.
#[derive(Clone, Debug)]
pub struct TrainOptions {
    /// The run folder; made if need be.
    pub folder: PathBuf,
    /// Whether to go on with the run that is there. A folder without one starts a new run.
    pub resume: bool,
    /// Raised, by a signal handler for one, to have the run checkpoint after the current step and stop.
    pub stop: Arc<AtomicBool>,
}

impl TrainOptions {
    /// A new run in `folder` that nobody will stop.
    pub fn new(folder: impl Into<PathBuf>) -> TrainOptions {
        TrainOptions {
            folder: folder.into(),
            resume: false,
            stop: Arc::default(),
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
    /// The package and its figures; `None` for an interrupted run.
    pub package: Option<Packaged>,
}

/// The package of a finished run.
#[derive(Clone, Debug)]
pub struct Packaged {
    /// Its folder.
    pub folder: PathBuf,
    /// Its identity.
    pub fingerprint: String,
    /// Its figures.
    pub evaluation: FinalEvaluation,
}

/// Trains the recipe's model in a run folder and writes its package there, or goes on with the run that is there.
///
/// Resuming a run that had ended trains no further and writes its package again, to the same bytes.
///
/// # Errors
/// [`Error::RunExists`](crate::Error::RunExists) for a folder that holds a run, unless it is to be resumed;
/// [`Error::RecipeChanged`](crate::Error::RecipeChanged) and [`Error::DataChanged`](crate::Error::DataChanged) for one
/// that began otherwise; [`Error::Diverged`](crate::Error::Diverged) when the loss or a weight is no number any more;
/// and whatever reading data and writing files can end in.
pub fn train(recipe: &Recipe, options: &TrainOptions, observer: &mut dyn Observer) -> Result<Outcome> {
    let Prepared {
        mut run,
        data,
        config,
    } = setup::prepare(recipe, options)?;
    observer.on_event(&Event::Started(&run.plan));
    let reason = match run.progress.finished {
        Some(reason) => reason,
        None => run.train(observer)?,
    };
    let (step, best) = (
        run.progress.step,
        run.progress.best.map(|best| (best.value.0, best.step)),
    );
    if reason == StopReason::Interrupted {
        return Ok(Outcome {
            reason,
            step,
            best,
            package: None,
        });
    }
    run.choose_weights()?;
    let folder = run.folder.model_folder();
    let trained = Trained {
        recipe,
        config: &config,
        model: run.model,
        data: &data,
    };
    let package = package(trained, folder)?;
    observer.on_event(&Event::Packaged {
        path: &package.folder,
    });
    Ok(Outcome {
        reason,
        step,
        best,
        package: Some(package),
    })
}

fn package(trained: Trained<'_>, folder: PathBuf) -> Result<Packaged> {
    let (saved, evaluation) = trained.package(&folder)?;
    Ok(Packaged {
        folder,
        fingerprint: saved.fingerprint,
        evaluation,
    })
}

/// Whether a folder holds a run, finished or not.
pub fn is_run(folder: &Path) -> bool {
    setup::is_run(folder)
}
