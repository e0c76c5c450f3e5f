//! Running a search: trials one after another or several at once, until there are enough.

use super::study::Study;
use super::template::RecipeTemplate;
use super::trial::{Measurement, State, Trial};
use crate::{Error, Result};
use gradus_train::exact::ExactF64;
use gradus_train::training::EvaluationRecord;
use gradus_train::{
    Error as TrainError, Event, Leave, Observer, Outcome, Recipe, StopReason, TrainOptions, TrainingData,
    train, train_on,
};
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// How long a search goes on, and where its trials are trained.
#[derive(Clone, Debug)]
pub struct SearchOptions {
    /// Trials in all, those of earlier processes included.
    pub trials: u64,
    /// Trials at once. With one, the same seed gives the same search to the last digit, however often it is stopped or
    /// killed; with more, what a trial learns from depends on which others have come how far.
    pub jobs: NonZeroUsize,
    /// Folder of the runs; each is removed when its trial ends.
    pub folder: PathBuf,
    /// Raised to have all trials checkpointed and the search stop.
    pub stop: Arc<AtomicBool>,
}

/// A moment of a search.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum SearchEvent<'a> {
    /// A trial begins, or goes on after its process was stopped.
    Began(&'a Trial),
    /// A trial was measured.
    Measured(&'a Trial),
    /// A trial has ended; the study has it so.
    Finished {
        /// The trial.
        trial: &'a Trial,
        /// Whether it is the best so far.
        is_best: bool,
    },
}

/// Goes on with a study until it has enough trials; returns it with them.
///
/// `observer` is told what happens, from whatever thread it happens in. Trials that an earlier process left unfinished come first, with their settings, from their last checkpoint.
///
/// # Errors
/// The first failure that has nothing to do with a trial's settings; the study keeps what was finished until then.
/// [`Error::NothingMeasured`] for a metric that the recipe's evaluations do not have.
pub fn search(
    template: &RecipeTemplate,
    study: Study,
    options: &SearchOptions,
    observer: &mut (dyn FnMut(&Study, &SearchEvent<'_>) + Send),
) -> Result<Study> {
    template.check(study.space())?;
    let capacity = study.settings().sampler.capacity(study.space())?;
    remove_finished(&study, &options.folder);
    let data = shared_data(template, &study)?;
    let waiting = study.trials().iter().filter(|trial| !trial.is_finished());
    let shared = Shared {
        waiting: waiting.map(|trial| trial.number).collect(),
        trials: capacity.map_or(options.trials, |capacity| capacity.min(options.trials)),
        failure: None,
        study,
        observer,
    };
    let search = Search {
        template,
        options,
        data,
        shared: Mutex::new(shared),
    };
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.get() {
            scope.spawn(|| search.work());
        }
    });
    let shared = search.shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    match shared.failure {
        Some(failure) => Err(failure),
        None => Ok(shared.study),
    }
}

/// The samples, where no setting of the space changes them.
fn shared_data(template: &RecipeTemplate, study: &Study) -> Result<Option<TrainingData>> {
    let keys = study.space().parameters();
    if keys.iter().any(|parameter| parameter.key.starts_with("data.")) {
        return Ok(None);
    }
    match TrainingData::load(&template.base()?) {
        Ok(data) => Ok(Some(data)),
        Err(TrainError::NoSamples) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

/// Runs of trials that were finished when a kill came before their folders were removed.
fn remove_finished(study: &Study, folder: &Path) {
    let finished = study.trials().iter().filter(|trial| trial.is_finished());
    finished.for_each(|trial| remove_run(&run_folder(folder, trial.number)));
}

fn run_folder(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:04}"))
}

/// A folder that stays costs room and nothing else.
fn remove_run(folder: &Path) {
    if folder.exists()
        && let Err(error) = std::fs::remove_dir_all(folder)
    {
        tracing::warn!(path = %folder.display(), %error, "cannot remove the run of a finished trial");
    }
}

struct Search<'a> {
    template: &'a RecipeTemplate,
    options: &'a SearchOptions,
    data: Option<TrainingData>,
    shared: Mutex<Shared<'a>>,
}

/// What the threads share.
struct Shared<'a> {
    study: Study,
    /// Unfinished trials of earlier processes.
    waiting: VecDeque<u64>,
    trials: u64,
    failure: Option<Error>,
    observer: &'a mut (dyn FnMut(&Study, &SearchEvent<'_>) + Send),
}

impl<'b> Search<'b> {
    fn lock(&self) -> MutexGuard<'_, Shared<'b>> {
        // A thread that panicked has already ended the search; the study on the disk is whole.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        loop {
            if self.options.stop.load(Ordering::Relaxed) {
                return;
            }
            let trial = match self.lock().next() {
                Ok(Some(trial)) => trial,
                Ok(None) => return,
                Err(error) => return self.fail(error),
            };
            if let Err(error) = self.run(trial) {
                return self.fail(error);
            }
        }
    }

    /// Ends the search; the first failure is told.
    fn fail(&self, error: Error) {
        self.options.stop.store(true, Ordering::Relaxed);
        self.lock().failure.get_or_insert(error);
    }

    fn run(&self, trial: Trial) -> Result<()> {
        let started = Instant::now();
        let number = trial.number;
        let folder = run_folder(&self.options.folder, number);
        let recipe = {
            let shared = self.lock();
            self.template.at(shared.study.space(), &trial.point)
        };
        let mut judge = Judge::new(self, number);
        let result = recipe.and_then(|recipe| {
            judge.restores_best = recipe.train.restore_best;
            self.train(&recipe, &folder, &mut judge)
        });
        let (steps, failure) = (judge.steps, judge.failure.take());
        let restores_best = judge.restores_best;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let mut shared = self.lock();
        let trial = shared.study.trials()[number as usize].clone();
        let state = match result {
            // The observer has already written that it is pruned.
            Ok(_) if trial.state == State::Pruned => State::Pruned,
            Ok(outcome) if outcome.reason == StopReason::Interrupted => return Ok(()),
            Ok(_) => State::Complete {
                value: ExactF64(trial.final_value(restores_best).unwrap_or(f64::NAN)),
            },
            Err(Error::Train(error)) if is_of_the_settings(&error) => State::Failed {
                reason: error.to_string(),
            },
            Err(error) => return Err(error),
        };
        shared.finish(Trial {
            state,
            steps: steps.max(trial.steps),
            seconds: started.elapsed().as_secs_f64(),
            ..trial
        })?;
        drop(shared);
        remove_run(&folder);
        Ok(())
    }

    fn train(&self, recipe: &Recipe, folder: &Path, judge: &mut Judge<'_, '_>) -> Result<Outcome> {
        let options = TrainOptions {
            resume: true,
            stop: judge.stop.clone(),
            leave: Leave::Checkpoints,
            ..TrainOptions::new(folder)
        };
        Ok(match &self.data {
            Some(data) => train_on(recipe, data, &options, judge)?,
            None => train(recipe, &options, judge)?,
        })
    }
}

/// Whether other settings could go better.
fn is_of_the_settings(error: &TrainError) -> bool {
    matches!(
        error,
        TrainError::Diverged(_)
            | TrainError::InvalidSettings { .. }
            | TrainError::InvalidValue { .. }
            | TrainError::OutOfMemory(_)
            | TrainError::Nn(_)
    )
}

impl Shared<'_> {
    /// The trial to train next, written down before it begins.
    fn next(&mut self) -> Result<Option<Trial>> {
        if self.failure.is_some() {
            return Ok(None);
        }
        let mut trial = match self.waiting.pop_front() {
            Some(number) => self.study.trials()[number as usize].clone(),
            None => {
                let number = self.study.trials().len() as u64;
                if number >= self.trials {
                    return Ok(None);
                }
                let sampler = self.study.settings().sampler;
                Trial::new(number, sampler.suggest(&self.study.history(), number)?)
            }
        };
        trial.attempts += 1;
        self.study.put(trial.clone())?;
        (self.observer)(&self.study, &SearchEvent::Began(&trial));
        Ok(Some(trial))
    }

    fn finish(&mut self, trial: Trial) -> Result<()> {
        let number = trial.number;
        self.study.put(trial)?;
        let best = self.study.history().best().map(|best| best.number);
        let event = SearchEvent::Finished {
            trial: &self.study.trials()[number as usize],
            is_best: best == Some(number),
        };
        (self.observer)(&self.study, &event);
        Ok(())
    }
}

/// Watches one trial's training: writes its measurements into the study, and stops it where it is to be pruned.
struct Judge<'a, 'b> {
    search: &'a Search<'b>,
    number: u64,
    stop: Arc<AtomicBool>,
    steps: u64,
    /// Steps of the whole training: what is measured there costs nothing more, so nothing is pruned there.
    total_steps: u64,
    restores_best: bool,
    failure: Option<Error>,
}

impl<'a, 'b> Judge<'a, 'b> {
    fn new(search: &'a Search<'b>, number: u64) -> Judge<'a, 'b> {
        Judge {
            search,
            number,
            stop: Arc::default(),
            steps: 0,
            total_steps: 0,
            restores_best: false,
            failure: None,
        }
    }

    fn measured(&mut self, record: &EvaluationRecord) -> Result<()> {
        let mut shared = self.search.lock();
        let mut trial = shared.study.trials()[self.number as usize].clone();
        let last = trial.measurements.last().map_or(0, |last| last.step);
        if record.step <= last {
            // Measured before a kill that came before the checkpoint.
            return Ok(());
        }
        let settings = shared.study.settings().clone();
        trial.steps = record.step;
        trial.measurements.push(Measurement {
            index: trial.measurements.len() as u64 + 1,
            step: record.step,
            value: ExactF64(value_of(record, &settings.metric)?),
            is_best: record.is_best,
        });
        let name = settings.seed.to_string();
        let verdict = settings.pruner.judge(&shared.study.history(), &trial, &name);
        trial.rungs.extend(verdict.rungs);
        let prune = verdict.prune && record.step < self.total_steps;
        if prune {
            trial.state = State::Pruned;
            self.stop.store(true, Ordering::Relaxed);
        }
        shared.study.put(trial.clone())?;
        let Shared { study, observer, .. } = &mut *shared;
        observer(study, &SearchEvent::Measured(&trial));
        Ok(())
    }
}

fn value_of(record: &EvaluationRecord, metric: &str) -> Result<f64> {
    if metric == "train_loss" {
        return Ok(record.train_loss);
    }
    let found = metric.strip_prefix("validation_").and_then(|name| {
        let mut measured = record.validation.iter();
        measured.find(|measured| measured.name == name)
    });
    found.map(|metric| metric.value).ok_or_else(|| {
        let names = record
            .validation
            .iter()
            .map(|metric| format!("validation_{}", metric.name));
        Error::NothingMeasured {
            metric: metric.to_owned(),
            known: names
                .chain(["train_loss".to_owned()])
                .collect::<Vec<_>>()
                .join(", "),
        }
    })
}

impl Observer for Judge<'_, '_> {
    fn on_event(&mut self, event: &Event<'_>) {
        match event {
            Event::Started(plan) => self.total_steps = plan.total_steps,
            Event::Step(report) => {
                self.steps = report.step;
                if self.search.options.stop.load(Ordering::Relaxed) {
                    self.stop.store(true, Ordering::Relaxed);
                }
            }
            Event::Evaluated(record) => {
                if let Err(error) = self.measured(record) {
                    self.failure.get_or_insert(error);
                    self.stop.store(true, Ordering::Relaxed);
                }
            }
            // Nothing of these concerns a search.
            Event::Tokenizing { .. }
            | Event::Checkpointed { .. }
            | Event::Stopped { .. }
            | Event::Packaged { .. } => {}
            _ => {}
        }
    }
}

impl Trial {
    /// The metric of the weights that the recipe keeps: the best epoch's, or the last one's.
    fn final_value(&self, restores_best: bool) -> Option<f64> {
        let best = self
            .measurements
            .iter()
            .rev()
            .find(|measurement| restores_best && measurement.is_best);
        best.or(self.measurements.last())
            .map(|measurement| measurement.value.0)
    }
}
