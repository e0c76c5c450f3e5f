#![forbid(unsafe_code)]
//! Optimisers, schedules, the training loop and its checkpoints.

pub mod clip;
pub mod early_stopping;
pub mod ema;
mod error;
pub mod exact;
pub mod monitor;
pub mod optimizers;
pub mod recipe;
pub mod schedules;
pub mod settings;

pub use error::{Error, Place, Result};
