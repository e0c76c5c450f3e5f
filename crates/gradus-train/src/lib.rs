#![forbid(unsafe_code)]
//! Optimisers, schedules, the training loop and its checkpoints.

pub mod clip;
pub mod early_stopping;
pub mod ema;
mod error;
pub mod exact;
mod fit;
pub mod lora;
pub mod memory;
pub mod monitor;
pub mod optimizers;
pub mod recipe;
pub mod schedules;
pub mod settings;
pub mod training;

pub use error::{Divergence, Error, OutOfMemory, Place, Result, UnknownKey, UnknownValue};
pub use fit::{EpochRecord, Fit, FitOptions, History, Scores};
pub use recipe::Recipe;
pub use training::{
    Event, Leave, Observer, Outcome, StopReason, TrainOptions, TrainingData, train, train_on,
};
