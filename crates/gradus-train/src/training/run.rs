//! The loop itself: epochs of steps, with what has to happen between them.

use super::checkpoints::Checkpoints;
use super::log::RunLog;
use super::observer::{EvaluationRecord, Event, Observer, Plan, StepReport};
use super::progress::Progress;
use super::stepper::{Stepper, parameter_norms};
use super::stop::StopReason;
use super::validation::{Validation, validate};
use crate::error::Divergence;
use crate::exact::ExactF64;
use crate::monitor::Monitor;
use crate::recipe::TrainConfig;
use crate::{Error, Result};
use gradus_data::{Batch, Loader};
use gradus_nn::{Layer, Module};
use gradus_tensor::{CrossEntropyOptions, Tensor};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Steps between two looks at the clock for `max_time_s`: a look costs about as much as a thousandth of a small step.
const STEPS_PER_CLOCK: u64 = 16;

/// A run in progress.
pub(crate) struct Run<'a> {
    pub model: Box<dyn Layer>,
    pub stepper: Stepper,
    pub config: &'a TrainConfig,
    pub plan: Plan,
    pub train: Loader,
    pub validation: Option<Loader>,
    pub checkpoints: Checkpoints,
    pub log: RunLog,
    pub progress: Progress,
    pub stop: Arc<AtomicBool>,
    pub started: Instant,
}

/// The gradient of one optimiser step while it is gathered from its batches.
#[derive(Default)]
struct Gathered {
    loss: f64,
    samples: usize,
}

impl Run<'_> {
    /// Trains until something ends the run; the last checkpoint then says what.
    pub fn train(&mut self, observer: &mut dyn Observer) -> Result<StopReason> {
        self.model.train();
        let reason = loop {
            if self.progress.epoch == self.config.epochs {
                break StopReason::Completed;
            }
            if let Some(reason) = self.epoch(observer)? {
                break reason;
            }
            if self.end_epoch(observer)? {
                break StopReason::EarlyStopping;
            }
        };
        self.end(reason, observer)?;
        Ok(reason)
    }

    /// The rest of the current epoch, up to its last step or to the reason to stop before.
    fn epoch(&mut self, observer: &mut dyn Observer) -> Result<Option<StopReason>> {
        if let Some(reason) = self.reason_to_stop() {
            return Ok(Some(reason));
        }
        let batches = self.train.epoch(self.progress.epoch, self.progress.batch as usize);
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
    fn gather(&self, batch: &Batch, gathered: &mut Gathered) -> Result<()> {
        let loss = self.loss(batch)?;
        let value = f64::from(loss.item::<f32>()?);
        if !value.is_finite() {
            return Err(self.diverged(value));
        }
        let samples = batch.targets.numel();
        let share = samples as f64 / self.samples_in_step() as f64;
        self.stepper.backward(&loss, share)?;
        gathered.loss += value * share;
        gathered.samples += samples;
        Ok(())
    }

    fn loss(&self, batch: &Batch) -> Result<Tensor> {
        let logits = self.model.forward(&batch.inputs)?;
        let label_smoothing = self.config.label_smoothing;
        let options = CrossEntropyOptions { label_smoothing, ..CrossEntropyOptions::default() };
        Ok(logits.cross_entropy(&batch.targets, &options)?)
    }

    /// Whether the batches used so far end a step: every `accumulate` of them, and at the end of the epoch.
    fn step_is_complete(&self) -> bool {
        self.progress.batch % self.config.accumulate == 0 || self.progress.batch == self.train.num_batches() as u64
    }

    /// Samples of the step that is being gathered.
    fn samples_in_step(&self) -> usize {
        let full = self.plan.batch_size * self.config.accumulate as usize;
        let first_batch = (self.progress.batch / self.config.accumulate * self.config.accumulate) as usize;
        full.min(self.plan.train_samples - first_batch * self.plan.batch_size)
    }

    /// Moves the parameters and writes down what is due at this step.
    fn step(&mut self, gathered: Gathered, observer: &mut dyn Observer) -> Result<()> {
        let learning_rate = self.stepper.finish()?;
        let Gathered { loss, samples } = gathered;
        self.progress.step = self.stepper.step;
        self.progress.window.add(loss, samples as u64);
        self.progress.epoch_loss.add(loss, samples as u64);
        let (step, epoch) = (self.progress.step, self.progress.epoch + 1);
        observer.on_event(&Event::Step(StepReport { step, epoch, loss, learning_rate, samples }));
        if step % self.log.interval == 0 {
            let loss = self.progress.window.take();
            self.log.step(&StepReport { step, epoch, loss, learning_rate, samples })?;
        }
        if self.config.checkpoint_every_steps.is_some_and(|every| step % every == 0) {
            self.checkpoint(observer)?;
        }
        Ok(())
    }

    fn reason_to_stop(&self) -> Option<StopReason> {
        if self.stop.load(Ordering::Relaxed) {
            return Some(StopReason::Interrupted);
        }
        if self.config.max_steps.is_some_and(|most| self.progress.step >= most) {
            return Some(StopReason::MaxSteps);
        }
        let most = self.config.max_time_s.filter(|_| self.progress.step % STEPS_PER_CLOCK == 0)?;
        (self.started.elapsed() >= Duration::from_secs_f64(most)).then_some(StopReason::MaxTime)
    }

    /// Evaluates, remembers the best, checkpoints; returns whether patience has run out.
    fn end_epoch(&mut self, observer: &mut dyn Observer) -> Result<bool> {
        let out_of_patience = self.evaluate(observer)?;
        self.progress.epoch += 1;
        self.progress.batch = 0;
        if self.progress.epoch % self.config.checkpoint_every_epochs == 0 {
            self.checkpoint(observer)?;
        }
        Ok(out_of_patience)
    }

    /// Measures the model and lets the metric steer the run; returns whether patience has run out.
    fn evaluate(&mut self, observer: &mut dyn Observer) -> Result<bool> {
        let train_loss = self.progress.epoch_loss.take();
        let model = &*self.model;
        let validation = self.validation.as_ref();
        let measured = self.stepper.with_averaged(|| validation.map(|loader| validate(model, loader)).transpose())?;
        let value = monitored(self.config.monitor, train_loss, measured);
        let (is_best, out_of_patience) = self.steer(value);
        let record = EvaluationRecord {
            step: self.progress.step,
            epoch: self.progress.epoch + 1,
            train_loss,
            validation_loss: measured.map(|m| m.loss),
            validation_accuracy: measured.map(|m| m.accuracy),
            is_best,
        };
        self.log.evaluation(&record)?;
        observer.on_event(&Event::Evaluated(&record));
        if is_best {
            self.save_best()?;
        }
        Ok(out_of_patience)
    }

    /// Takes the monitored value into the best, the schedule and early stopping.
    fn steer(&mut self, value: f64) -> (bool, bool) {
        let direction = self.config.monitor.direction();
        let best = self.progress.best.map_or(direction.worst(), |best| best.0);
        let is_best = direction.improves(best, value, 0.0);
        if is_best {
            self.progress.best = Some(ExactF64(value));
        }
        self.stepper.schedule.observe(value, direction);
        self.progress.plateau = self.stepper.schedule.state();
        let state = &mut self.progress.early_stopping;
        let stop = self.config.early_stopping.is_some_and(|rule| rule.observe(state, value, direction));
        (is_best, stop)
    }

    /// Closes the run: a last evaluation where an epoch was cut short for good, and the checkpoint that says so.
    fn end(&mut self, reason: StopReason, observer: &mut dyn Observer) -> Result<()> {
        if reason != StopReason::Interrupted {
            if self.progress.batch > 0 {
                self.evaluate(observer)?;
            }
            self.progress.finished = Some(reason);
        }
        self.checkpoint(observer)?;
        observer.on_event(&Event::Stopped { reason, step: self.progress.step });
        Ok(())
    }

    /// Writes a checkpoint of this very moment.
    fn checkpoint(&mut self, observer: &mut dyn Observer) -> Result<()> {
        self.refuse_to_save_garbage()?;
        self.progress.metrics_bytes = self.log.flush()?;
        let path = self.checkpoints.save(&*self.model, &self.stepper, &self.progress)?;
        observer.on_event(&Event::Checkpointed { step: self.progress.step, path: &path });
        Ok(())
    }

    fn save_best(&mut self) -> Result<()> {
        self.refuse_to_save_garbage()?;
        let model = &*self.model;
        let (checkpoints, progress) = (&self.checkpoints, &self.progress);
        self.stepper.with_averaged(|| checkpoints.save_best(model, progress))
    }

    /// A step can ruin the weights before any loss shows it; such weights must not replace the last good ones.
    fn refuse_to_save_garbage(&self) -> Result<()> {
        let norms = parameter_norms(&self.model.named_parameters())?;
        if norms.iter().all(|(_, norm)| norm.is_finite()) {
            return Ok(());
        }
        Err(self.diverged(f64::NAN))
    }

    fn diverged(&self, loss: f64) -> Error {
        let step = self.stepper.step;
        let parameter_norms = match parameter_norms(&self.model.named_parameters()) {
            Ok(norms) => norms,
            Err(error) => return error,
        };
        Error::Diverged(Box::new(Divergence {
            step: step + 1,
            epoch: self.progress.epoch + 1,
            loss,
            learning_rate: self.stepper.schedule.learning_rate(step),
            clips: self.config.clip_norm.is_some() || self.config.clip_value.is_some(),
            parameter_norms,
            last_good: self.checkpoints.latest(),
        }))
    }
}

/// The value that decides what is best: on the validation samples, or the training loss where there are none.
fn monitored(monitor: Monitor, train_loss: f64, measured: Option<Validation>) -> f64 {
    match (monitor, measured) {
        (Monitor::Loss, Some(measured)) => measured.loss,
        (Monitor::Accuracy, Some(measured)) => measured.accuracy,
        (Monitor::Loss | Monitor::Accuracy, None) => train_loss,
    }
}
