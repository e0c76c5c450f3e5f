//! The loop itself: epochs of steps, with what has to happen between them.

use super::checkpoints::{Snapshot, State};
use super::log::RunLog;
use super::metrics;
use super::objective::Objective;
use super::observer::{EvaluationRecord, Event, Observer, Plan, StepReport};
use super::progress::{Best, Progress};
use super::stepper::{Stepper, parameter_norms};
use super::stop::StopReason;
use crate::ema::Ema;
use crate::exact::ExactF64;
use crate::recipe::TrainConfig;
use crate::{Error, Result};
use gradus_package::run::Retention;
use gradus_package::{Checkpoint, RunDir};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Steps between two looks at the clock for `max_time_s`: a look costs about as much as a thousandth of a small step.
const STEPS_PER_CLOCK: u64 = 16;

/// A run in progress.
pub(crate) struct Run<'a, O> {
    pub objective: O,
    pub stepper: Stepper,
    pub config: &'a TrainConfig,
    pub plan: Plan,
    pub folder: RunDir,
    pub log: RunLog,
    pub progress: Progress,
    /// The best moment so far, while no checkpoint has been due since. A run that dies before one resumes from an
    /// earlier checkpoint and meets its best again, so until then it need not be on the disk: an epoch of a small
    /// network is shorter than a few flushes of a disk.
    pub unsaved_best: Option<Snapshot>,
    pub stop: Arc<AtomicBool>,
    pub started: Instant,
}

/// The gradient of one optimiser step while it is gathered from its batches.
#[derive(Default)]
struct Gathered {
    loss: f64,
    samples: u64,
}

impl<O: Objective> Run<'_, O> {
    /// Trains until something ends the run; the last checkpoint then says what.
    pub fn train(&mut self, observer: &mut dyn Observer) -> Result<StopReason> {
        self.objective.model().train();
        let reason = loop {
            if self.is_out_of_patience() {
                break StopReason::EarlyStopping;
            }
            if self.progress.epoch == self.plan.epochs {
                break StopReason::Completed;
            }
            if let Some(reason) = self.epoch(observer)? {
                break reason;
            }
            self.end_epoch(observer)?;
        };
        self.end(reason, observer)?;
        Ok(reason)
    }

    /// The rest of the current epoch, up to its last step or to the reason to stop before.
    fn epoch(&mut self, observer: &mut dyn Observer) -> Result<Option<StopReason>> {
        if let Some(reason) = self.reason_to_stop() {
            return Ok(Some(reason));
        }
        let batches = self.objective.batches(self.progress.epoch, self.progress.batch);
        let mut gathered = Gathered::default();
        self.stepper.begin();
        for batch in batches {
            self.gather(&batch?, &mut gathered)?;
            self.progress.batch += 1;
            if !self.step_is_complete() {
                continue;
            }
            self.step(std::mem::take(&mut gathered), observer)?;
            if let Some(reason) = self.reason_to_stop() {
                return Ok(Some(reason));
            }
            self.stepper.begin();
        }
        Ok(None)
    }

    /// Forward and backward of one batch. Each sample of a step weighs the same, however the step is cut into batches.
    fn gather(&self, batch: &O::Batch, gathered: &mut Gathered) -> Result<()> {
        let loss = self.objective.loss(batch)?;
        let value = f64::from(loss.item::<f32>()?);
        if !value.is_finite() {
            return Err(self.diverged(value));
        }
        let (epoch, at) = (self.progress.epoch, self.progress.batch);
        let samples = self.objective.samples(epoch, at..at + 1);
        let share = samples as f64 / self.objective.samples(epoch, self.batches_of_step()) as f64;
        self.stepper.backward(&loss, share)?;
        gathered.loss += value * share;
        gathered.samples += samples;
        Ok(())
    }

    /// Whether the batches used so far end a step: every `accumulate` of them, and at the end of the epoch.
    fn step_is_complete(&self) -> bool {
        self.progress.batch.is_multiple_of(self.config.accumulate)
            || self.progress.batch == self.objective.extent().batches
    }

    /// The batches of the step that is being gathered.
    fn batches_of_step(&self) -> Range<u64> {
        let accumulate = self.config.accumulate;
        let first = self.progress.batch / accumulate * accumulate;
        first..(first + accumulate).min(self.objective.extent().batches)
    }

    /// Moves the parameters and writes down what is due at this step.
    fn step(&mut self, gathered: Gathered, observer: &mut dyn Observer) -> Result<()> {
        let learning_rate = self.stepper.finish()?;
        let Gathered { loss, samples } = gathered;
        self.progress.step = self.stepper.step;
        self.progress.window.add(loss, samples);
        self.progress.epoch_loss.add(loss, samples);
        self.log.count(samples);
        let (step, epoch) = (self.progress.step, self.progress.epoch + 1);
        observer.on_event(&Event::Step(StepReport {
            step,
            epoch,
            loss,
            learning_rate,
            samples,
        }));
        if step.is_multiple_of(self.log.interval) {
            let loss = self.progress.window.take();
            self.log.step(&StepReport {
                step,
                epoch,
                loss,
                learning_rate,
                samples,
            })?;
        }
        let is_due = |every: Option<u64>| every.is_some_and(|every| step.is_multiple_of(every));
        let is_best = is_due(self.config.eval_every_steps) && self.evaluate(observer)?;
        // A best moment within an epoch goes to the disk at once: such evaluations are rare beside the steps, and to
        // keep the moment in memory would double a large model's.
        if is_best || is_due(self.config.checkpoint_every_steps) {
            self.checkpoint(observer)?;
        }
        Ok(())
    }

    fn is_out_of_patience(&self) -> bool {
        let state = &self.progress.early_stopping;
        self.config
            .early_stopping
            .is_some_and(|rule| rule.is_exhausted(state))
    }

    fn reason_to_stop(&self) -> Option<StopReason> {
        if self.is_out_of_patience() {
            return Some(StopReason::EarlyStopping);
        }
        if self.stop.load(Ordering::Relaxed) {
            return Some(StopReason::Interrupted);
        }
        if self
            .config
            .max_steps
            .is_some_and(|most| self.progress.step >= most)
        {
            return Some(StopReason::MaxSteps);
        }
        let most = self
            .config
            .max_time_s
            .filter(|_| self.progress.step.is_multiple_of(STEPS_PER_CLOCK))?;
        (self.started.elapsed().as_secs_f64() >= most).then_some(StopReason::MaxTime)
    }

    /// Evaluates unless the recipe counts steps for that, checkpoints what is due or best, and moves on.
    fn end_epoch(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let is_best = self.config.eval_every_steps.is_none() && self.evaluate(observer)?;
        self.progress.epoch += 1;
        self.progress.batch = 0;
        if self
            .progress
            .epoch
            .is_multiple_of(self.config.checkpoint_every_epochs)
        {
            self.checkpoint(observer)?;
        } else if is_best {
            self.unsaved_best = Some(self.snapshot()?);
        }
        Ok(())
    }

    /// Measures the model and lets the metric steer the run; returns whether this is the best moment so far.
    fn evaluate(&mut self, observer: &mut dyn Observer) -> Result<bool> {
        let began = Instant::now();
        let train_loss = self.progress.epoch_loss.take();
        let objective = &self.objective;
        let (validation, sample) = self
            .stepper
            .with_averaged(|| Ok((objective.evaluate()?, objective.sample()?)))?;
        // Without held-out samples the training loss decides.
        let monitored = metrics::find(&validation, self.config.monitor.name()).unwrap_or(train_loss);
        let is_best = self.steer(monitored);
        let record = EvaluationRecord {
            step: self.progress.step,
            epoch: self.progress.epoch + 1,
            train_loss,
            validation,
            is_best,
            sample,
        };
        self.log.evaluation(&record)?;
        observer.on_event(&Event::Evaluated(&record));
        self.log.pause(began.elapsed());
        Ok(is_best)
    }

    /// Takes the monitored value into the best, the schedule and early stopping; returns whether it is the best.
    fn steer(&mut self, value: f64) -> bool {
        let direction = self.config.monitor.direction();
        let best = self.progress.best.map_or(direction.worst(), |best| best.value.0);
        let is_best = direction.improves(best, value, 0.0);
        if is_best {
            self.progress.best = Some(Best {
                value: ExactF64(value),
                step: self.progress.step,
            });
        }
        self.stepper.schedule.observe(value, direction);
        self.progress.plateau = self.stepper.schedule.state();
        if let Some(rule) = self.config.early_stopping {
            rule.observe(&mut self.progress.early_stopping, value, direction);
        }
        is_best
    }

    /// Closes the run: a last evaluation where an epoch was cut short for good, and the checkpoint that says so.
    fn end(&mut self, reason: StopReason, observer: &mut dyn Observer) -> Result<()> {
        if reason != StopReason::Interrupted {
            if !self.is_evaluated() {
                self.evaluate(observer)?;
            }
            self.progress.finished = Some(reason);
        }
        self.checkpoint(observer)?;
        observer.on_event(&Event::Stopped {
            reason,
            step: self.progress.step,
        });
        Ok(())
    }

    /// Whether the last evaluation was of this moment.
    fn is_evaluated(&self) -> bool {
        match self.config.eval_every_steps {
            Some(every) => self.progress.step.is_multiple_of(every),
            None => self.progress.batch == 0,
        }
    }

    /// Writes a checkpoint of this very moment, and before it the best one if that is not on the disk yet.
    fn checkpoint(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let snapshot = self.snapshot()?;
        self.log.sync()?;
        let keep_last = NonZeroUsize::new(self.config.keep_last).unwrap_or(NonZeroUsize::MIN);
        let keep = Retention { keep_last };
        let best = self.unsaved_best.take().filter(|best| best.step != snapshot.step);
        best.map(|best| best.save(&self.folder, keep, true)).transpose()?;
        let path = snapshot.save(&self.folder, keep, self.is_at_best())?;
        observer.on_event(&Event::Checkpointed {
            step: snapshot.step,
            path: &path,
        });
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Snapshot> {
        self.refuse_to_save_garbage()?;
        self.progress.logs = self.log.positions();
        State {
            objective: &self.objective,
            stepper: &mut self.stepper,
        }
        .snapshot(&self.progress)
    }

    fn is_at_best(&self) -> bool {
        self.progress
            .best
            .is_some_and(|best| best.step == self.progress.step)
    }

    /// Goes back to a checkpoint. A crash may have fallen between saving it and marking it the best, so that is done
    /// again.
    pub fn resume(&mut self, progress: Progress, checkpoint: &Checkpoint) -> Result<()> {
        State {
            objective: &self.objective,
            stepper: &mut self.stepper,
        }
        .restore(&progress, checkpoint)?;
        self.progress = progress;
        self.plan.resumed_at = Some(self.progress.step);
        if self.is_at_best() {
            self.folder.mark_best(self.progress.step)?;
        }
        Ok(())
    }

    /// Puts the weights that are to be shipped into the model: the best or the last ones, averaged if there is an
    /// average.
    pub fn choose_weights(&mut self) -> Result<()> {
        if self.config.restore_best
            && let Some(best) = self.folder.best_checkpoint()?
        {
            State {
                objective: &self.objective,
                stepper: &mut self.stepper,
            }
            .restore_weights(&best)?;
        }
        self.stepper.ema.as_mut().map_or(Ok(()), Ema::swap)
    }

    /// A step can ruin the weights before any loss shows it; such weights must not replace the last good ones.
    fn refuse_to_save_garbage(&self) -> Result<()> {
        let norms = parameter_norms(&self.objective.trained())?;
        if norms.iter().all(|(_, norm)| norm.is_finite()) {
            return Ok(());
        }
        Err(self.diverged(f64::NAN))
    }

    fn diverged(&self, loss: f64) -> Error {
        let last_good = self
            .folder
            .checkpoints()
            .ok()
            .and_then(|kept| Some(kept.last()?.0));
        self.stepper
            .diverged(loss, self.progress.epoch, &self.objective.trained())
            .with_last_good(last_good)
    }
}
