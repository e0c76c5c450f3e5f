//! The Keras way: `fit`, `evaluate` and `predict` on tensors in memory, for any layer.

use crate::early_stopping::{EarlyStopping, EarlyStoppingState};
use crate::monitor::Direction;
use crate::optimizers::OptimizerConfig;
use crate::schedules::{RunLength, Schedule, ScheduleConfig};
use crate::training::{Limits, Stepper, count_correct};
use crate::{Error, Result};
use gradus_nn::Layer;
use gradus_tensor::{CrossEntropyOptions, Rng, Tensor, no_grad};

/// Rows per forward pass of `evaluate` and `predict`: enough for fast products, few enough for little memory.
const EVALUATION_ROWS: usize = 256;

/// The stream of random numbers below the seed that orders the rows.
const STREAM_ORDER: u64 = 3;

/// How [`Fit::fit`] trains. The defaults are Adam, 10 epochs, batches of 64, shuffled.
///
/// ```
/// use gradus_train::FitOptions;
/// let options = FitOptions { epochs: 3, validation_split: 0.1, ..FitOptions::default() };
/// assert_eq!(options.batch_size, 64);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FitOptions {
    /// Passes over the rows. Default 10.
    pub epochs: u64,
    /// Rows per step, above 0. Default 64.
    pub batch_size: usize,
    /// The optimiser. Default Adam.
    pub optimizer: OptimizerConfig,
    /// Step size at the top of the schedule. Default: the optimiser's own.
    pub learning_rate: Option<f64>,
    /// The learning rate over time. Default constant.
    pub schedule: ScheduleConfig,
    /// Seeds the order of the rows and what dropout drops. Default 0.
    pub seed: u64,
    /// Whether rows are drawn in a new order each epoch. Default true.
    pub shuffle: bool,
    /// Share of the rows, the last ones, that are held out and measured after each epoch; from 0 to below 1. Default 0.
    pub validation_split: f64,
    /// Stops when the validation loss (the training loss, without validation rows) no longer improves. Default: off.
    pub early_stopping: Option<EarlyStopping>,
}

impl Default for FitOptions {
    fn default() -> FitOptions {
        FitOptions {
            epochs: 10,
            batch_size: 64,
            optimizer: OptimizerConfig::default(),
            learning_rate: None,
            schedule: ScheduleConfig::default(),
            seed: 0,
            shuffle: true,
            validation_split: 0.0,
            early_stopping: None,
        }
    }
}

/// Mean loss, and share of rows whose class is the model's first choice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// Mean cross-entropy in nats.
    pub loss: f64,
    /// Share of rows predicted correctly.
    pub accuracy: f64,
}

/// One epoch of [`Fit::fit`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochRecord {
    /// Mean loss of the epoch's rows, each before its step.
    pub loss: f64,
    /// Figures of the held-out rows, if there are any.
    pub validation: Option<Scores>,
}

/// What [`Fit::fit`] saw, epoch by epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// One record per epoch.
    pub epochs: Vec<EpochRecord>,
}

/// Training, scoring and answering on tensors in memory.
///
/// Inputs `x` are `[rows, ..]`, targets `y` class indices `[rows]` (`I64`); the model gives logits `[rows, classes]`.
/// The loss is the cross-entropy. A run folder with checkpoints and a package is what [`train`](crate::train) makes.
///
/// ```
/// use gradus_nn::{Linear, Relu, Sequential};
/// use gradus_tensor::{Rng, Tensor};
/// use gradus_train::{Fit, FitOptions};
///
/// let rng = &mut Rng::seed_from(0);
/// let model = Sequential::new().then(Linear::new(2, 16, rng)).then(Relu).then(Linear::new(16, 2, rng));
/// let x = Tensor::from_vec(vec![0.0f32, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], [4, 2])?;
/// let y = Tensor::from_vec(vec![0i64, 1, 1, 0], [4])?;
/// let options = FitOptions { epochs: 200, batch_size: 4, learning_rate: Some(0.05), ..FitOptions::default() };
/// model.fit(&x, &y, &options)?;
/// assert_eq!(model.evaluate(&x, &y)?.accuracy, 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Fit: Layer {
    /// Trains on the rows of `x` and `y`; leaves the model in evaluation mode.
    ///
    /// # Errors
    /// [`Error::TargetCount`] unless there is one target per row, [`Error::InvalidSettings`] for options out of range,
    /// [`Error::Diverged`] when the loss is no number any more, and what the model's layers refuse.
    fn fit(&self, x: &Tensor, y: &Tensor, options: &FitOptions) -> Result<History> {
        let rows = check_rows(x, y)?;
        let held_out = (rows as f64 * options.validation_split) as usize;
        let kept = rows - held_out;
        let validation = (held_out > 0)
            .then(|| Ok::<_, Error>((x.narrow(0, kept, held_out)?, y.narrow(0, kept, held_out)?)))
            .transpose()?;
        let mut fitting = Fitting::new(self, options, kept)?;
        let mut history = History::default();
        let mut patience = EarlyStoppingState::default();
        for epoch in 0..options.epochs {
            self.train();
            let loss = fitting.epoch(self, [x, y], epoch)?;
            let validation = validation
                .as_ref()
                .map(|(x, y)| self.evaluate(x, y))
                .transpose()?;
            history.epochs.push(EpochRecord { loss, validation });
            let watched = validation.map_or(loss, |scores| scores.loss);
            if options
                .early_stopping
                .is_some_and(|rule| rule.observe(&mut patience, watched, Direction::Minimize))
            {
                break;
            }
        }
        self.eval();
        Ok(history)
    }

    /// Mean loss and accuracy on the rows of `x` and `y`, in evaluation mode.
    ///
    /// # Errors
    /// [`Error::TargetCount`] unless there is one target per row, and what the model's layers refuse.
    fn evaluate(&self, x: &Tensor, y: &Tensor) -> Result<Scores> {
        check_rows(x, y)?;
        let logits = self.predict(x)?;
        let loss = logits
            .cross_entropy(y, &CrossEntropyOptions::default())?
            .item::<f32>()?;
        let accuracy = count_correct(&logits, y)? as f64 / y.numel() as f64;
        Ok(Scores {
            loss: f64::from(loss),
            accuracy,
        })
    }

    /// The model's outputs for the rows of `x`, in evaluation mode and without recording gradients.
    ///
    /// # Errors
    /// What the model's layers refuse.
    fn predict(&self, x: &Tensor) -> Result<Tensor> {
        let _no_grad = no_grad();
        self.eval();
        let rows = x.shape().first().copied().unwrap_or(0);
        let mut outputs = Vec::with_capacity(rows.div_ceil(EVALUATION_ROWS));
        for start in (0..rows).step_by(EVALUATION_ROWS) {
            let part = x.narrow(0, start, EVALUATION_ROWS.min(rows - start))?;
            outputs.push(self.forward(&part)?);
        }
        Ok(Tensor::cat(&outputs, 0)?)
    }
}

impl<L: Layer + ?Sized> Fit for L {}

/// A `fit` in progress.
struct Fitting<'a> {
    stepper: Stepper,
    options: &'a FitOptions,
    order: Vec<i64>,
}

impl<'a> Fitting<'a> {
    fn new<L: Layer + ?Sized>(model: &L, options: &'a FitOptions, rows: usize) -> Result<Fitting<'a>> {
        check_options(options)?;
        let base = options
            .learning_rate
            .unwrap_or_else(|| options.optimizer.default_learning_rate());
        let steps_per_epoch = rows.div_ceil(options.batch_size) as u64;
        let length = RunLength {
            steps_per_epoch,
            total_steps: steps_per_epoch * options.epochs,
        };
        let stepper = Stepper {
            optimizer: options.optimizer.build(model.parameters(), base),
            schedule: Schedule::new(options.schedule.clone(), base, length)?,
            ema: None,
            limits: Limits::default(),
            seed: options.seed,
            step: 0,
        };
        Ok(Fitting {
            stepper,
            options,
            order: (0..rows as i64).collect(),
        })
    }

    /// Trains on every row once; returns the mean loss.
    fn epoch<L: Layer + ?Sized>(&mut self, model: &L, data: [&Tensor; 2], epoch: u64) -> Result<f64> {
        if self.options.shuffle {
            self.order.sort_unstable();
            Rng::derive(self.options.seed, &[STREAM_ORDER, epoch]).shuffle(&mut self.order);
        }
        let mut total = 0.0;
        for chunk in self.order.chunks(self.options.batch_size) {
            let rows = Tensor::from_slice(chunk, [chunk.len()])?;
            let [x, y] = data;
            self.stepper.begin();
            let logits = model.forward(&x.index_select(0, &rows)?)?;
            let loss = logits.cross_entropy(&y.index_select(0, &rows)?, &CrossEntropyOptions::default())?;
            let value = f64::from(loss.item::<f32>()?);
            if !value.is_finite() {
                return Err(self.stepper.diverged(value, epoch, &model.named_parameters()));
            }
            self.stepper.backward(&loss, 1.0)?;
            self.stepper.finish()?;
            total += value * chunk.len() as f64;
        }
        Ok(total / self.order.len() as f64)
    }
}

fn check_rows(x: &Tensor, y: &Tensor) -> Result<usize> {
    let rows = x.shape().first().copied().unwrap_or(0);
    let targets = y.numel();
    if rows != targets || rows == 0 {
        return Err(Error::TargetCount { rows, targets });
    }
    Ok(rows)
}

fn check_options(options: &FitOptions) -> Result<()> {
    let mut checks = crate::settings::Checks::of("fit");
    checks.count("batch_size", options.batch_size as u64);
    checks.below_one("validation_split", options.validation_split);
    checks.positive("learning_rate", options.learning_rate.unwrap_or(1.0));
    options.optimizer.check(&mut checks);
    checks.finish()
}
