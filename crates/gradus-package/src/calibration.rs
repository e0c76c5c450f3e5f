//! The record a package keeps of how its probabilities were set right. What each method does is up to `gradus-evaluate`.

use serde::{Deserialize, Serialize};

/// A correction of a classifier's probabilities, and the data it was fitted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// What is done to the logits.
    #[serde(flatten)]
    pub method: CalibrationMethod,
    /// The data it was fitted on: `validation`, `test`.
    pub split: String,
    /// The number of samples it was fitted on.
    pub n: u64,
    /// The SHA-256 fingerprint of that data.
    pub data_sha256: String,
}

/// What a calibration does to logits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
#[non_exhaustive]
pub enum CalibrationMethod {
    /// Logits are divided by one number, which no prediction notices and every probability does.
    Temperature {
        /// The divisor, finite and greater than 0; above 1 makes the model less sure.
        temperature: f64,
    },
}

impl std::fmt::Display for CalibrationMethod {
    /// In words: `temperature 1.2345`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CalibrationMethod::Temperature { temperature } => write!(f, "temperature {temperature:.4}"),
        }
    }
}
