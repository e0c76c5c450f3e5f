#![forbid(unsafe_code)]
//! How good a model is, and how sure we are of it.
//!
//! * [`metrics`]: accuracy, precision, recall, F1, confusion matrix and log-loss, by scikit-learn's rules.
//! * [`bootstrap`]: percentile intervals from resampled counts, seeded and independent of the thread count.
//! * [`ClassificationReport`]: all of the above for one set of predictions, ready for JSON.
//!
//! Not here: what trains a model (`gradus-train`) or answers requests (`gradus-serve`).

pub mod bootstrap;
mod classification_report;
mod error;
pub mod metrics;

pub use classification_report::{Averages, ClassRow, ClassificationReport, Estimate};
pub use error::{Error, Result};
