//! What a finished run leaves.

use super::observer::SampleUnit;
use gradus_package::MetricValue;
use std::path::PathBuf;

/// The package of a finished run.
#[derive(Clone, Debug)]
pub struct Packaged {
    /// Its folder.
    pub folder: PathBuf,
    /// Its identity.
    pub fingerprint: String,
    /// Its figures.
    pub evaluation: FinalEvaluation,
}

/// The figures of a finished run.
#[derive(Clone, Debug)]
pub struct FinalEvaluation {
    /// The samples they were measured on: `test`, else `validation`, else `train`.
    pub split: &'static str,
    /// How many samples those are.
    pub samples: u64,
    /// What a sample is.
    pub unit: SampleUnit,
    /// The figures.
    pub metrics: Vec<MetricValue>,
}
