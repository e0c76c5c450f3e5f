//! What stress did to a model.

use serde::{Deserialize, Serialize};

use super::{Example, InputUnit, StressTest};
use crate::calibration::{Reliability, calibration_error};
use crate::{Predictions, Result};

/// How good a model stays under stress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StressReport {
    /// Number of samples.
    pub n: u64,
    /// SHA-256 fingerprint of the data set.
    pub dataset_sha256: String,
    /// Seed of everything random.
    pub seed: u64,
    /// What severities are measured in.
    pub unit: InputUnit,
    /// The model on the data as they are.
    pub clean: Score,
    /// Whether the clean probabilities can be taken at their word.
    pub reliability: Reliability,
    /// One entry for each test.
    pub tests: Vec<TestResult>,
    /// Tests that fit the inputs and that this model cannot take.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedTest>,
    /// Pictures before and after; not part of the JSON form.
    #[serde(skip)]
    pub examples: Vec<Example>,
}

/// A test that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedTest {
    /// The test.
    pub test: StressTest,
    /// Why, in words.
    pub reason: String,
}

/// What one test found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestResult {
    /// The test.
    pub test: StressTest,
    /// What its severity counts, in words.
    pub measured_in: String,
    /// The scores, by ascending severity.
    pub severities: Vec<Severity>,
}

/// What one test found at one severity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Severity {
    /// How strong the disturbance was.
    pub severity: f64,
    /// The model on the disturbed data.
    #[serde(flatten)]
    pub score: Score,
    /// Of an attack: samples whose loss has the gradient zero at its start, as happens when the model is so sure that the
    /// loss rounds to nothing. The attack could not move them, so it is weaker than it could be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flat_gradients: Option<u64>,
}

/// How good predictions are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Share of samples whose class is right.
    pub accuracy: f64,
    /// Mean probability of the predicted class, right or wrong.
    pub mean_confidence: f64,
    /// Share of samples whose class is the one predicted without disturbance.
    pub unchanged: f64,
    /// How far confidence and accuracy lie apart, over groups of equal confidence.
    pub expected_calibration_error: f64,
}

impl Score {
    /// The score of predictions whose undisturbed counterparts are `clean`.
    pub(super) fn new(predictions: &Predictions, clean: &Predictions, labels: &[i64]) -> Result<Self> {
        let n = predictions.len() as f64;
        let classes = predictions.classes();
        let share_equal = |other: &[i64]| {
            let equal = classes.iter().zip(other).filter(|(a, b)| a == b);
            equal.count() as f64 / n
        };
        let top = |index| predictions.probabilities(index).into_iter().fold(0.0, f64::max);
        Ok(Self {
            accuracy: share_equal(labels),
            mean_confidence: (0..predictions.len()).map(top).sum::<f64>() / n,
            unchanged: share_equal(&clean.classes()),
            expected_calibration_error: calibration_error(predictions, labels)?,
        })
    }
}
