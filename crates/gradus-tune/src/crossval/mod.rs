//! Cross-validation: a recipe trained on each of several folds and measured on the rows that fold left out.
//!
//! Everything that learns from data learns from a fold's training rows alone: the preparation is fitted anew for each,
//! and what a recipe holds out for validation is held out of them. A fold is a training of its own, with a seed of its
//! own only from repetition to repetition, so the result is a function of recipe, data, division and seed: how many
//! folds are trained side by side, and how often the work was interrupted, changes nothing in it.
//!
//! A finished fold is a file in the result's folder, and is never trained again; one that was interrupted goes on from
//! its last checkpoint.

mod division;
mod fold;
mod interval;
mod predictions;
mod store;
mod summary;

pub use division::Division;
pub use fold::{FoldId, FoldResult};
pub use interval::{MeanInterval, student_t_quantile};
pub use summary::{Crossval, MetricSummary};

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gradus_data::Unprepared;
use gradus_data::split::{Fold, Folds, ScarceClass};
use gradus_train::Recipe;

use crate::{Error, Result};
use fold::{Training, train_fold};
use store::Store;

/// How a recipe is cross-validated, and where the result goes.
#[derive(Clone, Debug)]
pub struct CrossvalOptions {
    /// The result's folder; made if need be. One that holds an unfinished cross-validation of the same recipe, data and
    /// division goes on.
    pub folder: PathBuf,
    /// How rows are divided into folds.
    pub division: Division,
    /// How often all folds are made and trained anew, each time with another seed; at least 1. Divisions without chance
    /// (along time, leaving one out) differ only in the seed of training.
    pub repeats: usize,
    /// The seed of the division. Default of the command: the recipe's `data.seed`.
    pub seed: u64,
    /// Folds trained side by side; at least 1. It changes nothing in the result.
    pub jobs: usize,
    /// Whether the folds' run folders, with their packages, are kept. Default of the command: no.
    pub keep_models: bool,
    /// Raised to have all trainings checkpoint and stop.
    pub stop: Arc<AtomicBool>,
}

/// What happens in a cross-validation, for whoever watches.
#[derive(Debug)]
pub enum CrossvalEvent<'a> {
    /// The rows are divided.
    Divided {
        /// Folds to train, those that are finished included.
        folds: usize,
        /// Folds that were finished before.
        finished: usize,
        /// A class that is too small to be in every fold.
        scarce: Option<ScarceClass>,
    },
    /// A fold's training begins.
    Started(FoldId),
    /// A fold is trained, measured and on the disk.
    Finished(&'a FoldResult),
}

/// Cross-validates a recipe, or goes on with what is in the folder.
///
/// Returns `None` when `options.stop` was raised before all folds were finished.
///
/// # Errors
/// [`Error::CrossvalChanged`] for a folder with another cross-validation, [`Error::HeldOutFile`] for a recipe that names
/// a file of validation data, whatever division and training can end in, and [`Error::Files`].
pub fn crossval(
    recipe: &Recipe,
    options: &CrossvalOptions,
    observe: &mut (dyn FnMut(&CrossvalEvent<'_>) + Send),
) -> Result<Option<Crossval>> {
    let plan = Plan::new(recipe, options)?;
    let _lock = plan.store.lock()?;
    plan.store.check_identity(&plan.identity()?)?;
    let ids = plan.ids();
    let mut results: Vec<Option<FoldResult>> =
        ids.iter().map(|&id| plan.store.read(id)).collect::<Result<_>>()?;
    observe(&CrossvalEvent::Divided {
        folds: ids.len(),
        finished: results.iter().flatten().count(),
        scarce: plan.folds.first().and_then(Folds::scarce_class),
    });
    let waiting: Vec<usize> = (0..ids.len()).filter(|&index| results[index].is_none()).collect();
    plan.train_all(&ids, &waiting, &mut results, observe)?;
    let results: Option<Vec<FoldResult>> = results.into_iter().collect();
    results.map(|results| plan.finish(results)).transpose()
}

/// A cross-validation that is ready to start.
struct Plan<'a> {
    recipe: &'a Recipe,
    options: &'a CrossvalOptions,
    samples: Unprepared,
    /// The folds of each repetition.
    folds: Vec<Folds>,
    store: Store,
}

impl<'a> Plan<'a> {
    fn new(recipe: &'a Recipe, options: &'a CrossvalOptions) -> Result<Plan<'a>> {
        let task = recipe.task.supervised().ok_or(gradus_train::Error::NoSamples)?;
        if let Some(path) = &task.data.validation {
            let path = path.clone();
            return Err(Error::HeldOutFile { path });
        }
        let config = options.division.without_dividing_columns(&task.data);
        let samples = Unprepared::read(&config, recipe.folder())?;
        let repeats = 0..options.repeats.max(1);
        let folds = repeats
            .map(|repeat| options.division.divide(&samples, options.seed, repeat))
            .collect::<Result<_>>()?;
        let store = Store::create(&options.folder)?;
        Ok(Plan {
            recipe,
            options,
            samples,
            folds,
            store,
        })
    }

    fn ids(&self) -> Vec<FoldId> {
        let of_repeat =
            |(repeat, folds): (usize, &Folds)| (0..folds.len()).map(move |fold| FoldId { repeat, fold });
        self.folds.iter().enumerate().flat_map(of_repeat).collect()
    }

    /// What must not change while a cross-validation is being finished.
    fn identity(&self) -> Result<store::Identity> {
        Ok(store::Identity {
            recipe: self.recipe.to_portable_toml()?,
            division: self.options.division.clone(),
            repeats: self.folds.len(),
            seed: self.options.seed,
            data_sha256: self.samples.fingerprint()?,
        })
    }

    /// Trains the folds that wait, several side by side; each puts its result in its place.
    fn train_all(
        &self,
        ids: &[FoldId],
        waiting: &[usize],
        results: &mut [Option<FoldResult>],
        observe: &mut (dyn FnMut(&CrossvalEvent<'_>) + Send),
    ) -> Result<()> {
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        let shared = Mutex::new((results, observe));
        let failures = Mutex::new(Vec::new());
        let tell = |event: &CrossvalEvent<'_>| {
            let mut guard = shared.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            (guard.1)(event);
        };
        let work = || {
            while let Some(&index) = waiting.get(next.fetch_add(1, Ordering::Relaxed)) {
                if failed.load(Ordering::Relaxed) || self.options.stop.load(Ordering::Relaxed) {
                    return;
                }
                tell(&CrossvalEvent::Started(ids[index]));
                match self.train(ids[index]) {
                    Ok(Some(result)) => {
                        tell(&CrossvalEvent::Finished(&result));
                        let mut guard = shared.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                        guard.0[index] = Some(result);
                    }
                    Ok(None) => return,
                    Err(error) => {
                        failed.store(true, Ordering::Relaxed);
                        let mut failures = failures.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                        failures.push((index, error));
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            let others = 1..self.options.jobs.clamp(1, waiting.len().max(1));
            others.for_each(|_| {
                scope.spawn(work);
            });
            work();
        });
        let mut failures = failures
            .into_inner()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        failures.sort_by_key(|(index, _)| *index);
        failures
            .into_iter()
            .next()
            .map_or(Ok(()), |(_, error)| Err(error))
    }

    fn train(&self, id: FoldId) -> Result<Option<FoldResult>> {
        let Fold { train, test } = self.folds[id.repeat].get(id.fold);
        let training = Training {
            recipe: self.recipe,
            samples: &self.samples,
            store: &self.store,
            stop: self.options.stop.clone(),
            keep: self.options.keep_models,
        };
        train_fold(&training, id, train, test)
    }

    /// Sums up, and writes what the folds predicted as one file.
    fn finish(&self, results: Vec<FoldResult>) -> Result<Crossval> {
        let predictions = self.store.join_predictions(&self.ids())?;
        let crossval = Crossval::new(&self.options.division, results, predictions);
        self.store.write_summary(&crossval)?;
        Ok(crossval)
    }
}
