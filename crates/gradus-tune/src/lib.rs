#![forbid(unsafe_code)]
//! Many trainings of one recipe: which settings are best, and how sure a score is.
//!
//! * [`crossval`]: a recipe trained and measured on several divisions of its data.
//! * [`search`]: a space of settings, the samplers that choose from it and the pruners that stop hopeless trials.
//!
//! Not here: what one training does (`gradus-train`) and how a model is measured (`gradus-evaluate`).

pub mod crossval;
mod error;
pub mod search;

pub use error::{Error, Result};
