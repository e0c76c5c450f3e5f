//! Which disturbances, how strong.

use serde::{Deserialize, Serialize};

use super::InputUnit;
use crate::{Error, Result};

/// A way of disturbing inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StressTest {
    /// Gaussian noise is added.
    Noise,
    /// Pictures are blurred.
    Blur,
    /// Pictures become brighter or darker.
    Brightness,
    /// Pictures gain or lose contrast.
    Contrast,
    /// Cells of a table are missing, pixels of a picture are black.
    Missing,
    /// The fast gradient sign method.
    Fgsm,
    /// Projected gradient descent.
    Pgd,
}

impl StressTest {
    /// All of them, in the order of reports.
    pub const ALL: [StressTest; 7] = [
        StressTest::Noise,
        StressTest::Blur,
        StressTest::Brightness,
        StressTest::Contrast,
        StressTest::Missing,
        StressTest::Fgsm,
        StressTest::Pgd,
    ];

    /// Its name in flags and files.
    pub fn name(self) -> &'static str {
        match self {
            StressTest::Noise => "noise",
            StressTest::Blur => "blur",
            StressTest::Brightness => "brightness",
            StressTest::Contrast => "contrast",
            StressTest::Missing => "missing",
            StressTest::Fgsm => "fgsm",
            StressTest::Pgd => "pgd",
        }
    }

    /// Whether it follows the model's gradients.
    pub fn is_attack(self) -> bool {
        match self {
            StressTest::Fgsm | StressTest::Pgd => true,
            StressTest::Noise
            | StressTest::Blur
            | StressTest::Brightness
            | StressTest::Contrast
            | StressTest::Missing => false,
        }
    }

    /// Whether it makes sense for inputs of this kind.
    pub fn fits(self, unit: InputUnit) -> bool {
        match self {
            StressTest::Blur | StressTest::Brightness | StressTest::Contrast => unit == InputUnit::Pixels,
            StressTest::Noise | StressTest::Missing | StressTest::Fgsm | StressTest::Pgd => true,
        }
    }

    /// The severity that changes nothing.
    pub fn neutral(self) -> f64 {
        match self {
            StressTest::Contrast => 1.0,
            StressTest::Noise
            | StressTest::Blur
            | StressTest::Brightness
            | StressTest::Missing
            | StressTest::Fgsm
            | StressTest::Pgd => 0.0,
        }
    }

    /// What its severity counts, in words.
    pub fn measured_in(self, unit: InputUnit) -> &'static str {
        match (self, unit) {
            (StressTest::Noise, InputUnit::Pixels) => "standard deviation, of the range from black to white",
            (StressTest::Noise, InputUnit::Deviations) => "standard deviation, of the column's own",
            (StressTest::Blur, _) => "standard deviation of the kernel in pixels",
            (StressTest::Brightness, _) => "added, of the range from black to white",
            (StressTest::Contrast, _) => "factor of the distance from the picture's mean",
            (StressTest::Missing, InputUnit::Pixels) => "share of pixels set to 0",
            (StressTest::Missing, InputUnit::Deviations) => "share of cells missing",
            (StressTest::Fgsm | StressTest::Pgd, InputUnit::Pixels) => {
                "largest change of a pixel, of the range from black to white"
            }
            (StressTest::Fgsm | StressTest::Pgd, InputUnit::Deviations) => {
                "largest change of a numeric column, in its standard deviations"
            }
        }
    }
}

/// How a model is stressed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StressOptions {
    /// The tests to run; `None`, the default, runs all that fit the inputs.
    pub tests: Option<Vec<StressTest>>,
    /// How far attacks may move an input (L∞), each greater than 0 and for pixels at most 1; default 0.025, 0.05 and 0.1.
    pub epsilons: Vec<f64>,
    /// Steps of PGD, at least 1; default 10.
    pub steps: usize,
    /// How far one step of PGD moves an input, greater than 0; by default 2.5 · ε / steps, so that the border can be reached
    /// from any start (Madry et al., 2018).
    pub step_size: Option<f64>,
    /// Starts of PGD, of which the worst counts for each sample; default 1. 0 starts once, at the input itself, without
    /// chance.
    pub restarts: usize,
    /// Seed of noise, missing values and starts; default 0.
    pub seed: u64,
    /// Rows that go through the model at once, at least 1; default 256.
    pub batch_size: usize,
}

impl Default for StressOptions {
    fn default() -> Self {
        Self {
            tests: None,
            epsilons: vec![0.025, 0.05, 0.1],
            steps: 10,
            step_size: None,
            restarts: 1,
            seed: 0,
            batch_size: 256,
        }
    }
}

impl StressOptions {
    /// The tests to run, each once, when everything is in its range.
    pub(super) fn resolve(&self, unit: InputUnit) -> Result<Vec<StressTest>> {
        if self.batch_size == 0 {
            return Err(Error::BatchSize);
        }
        let most = match unit {
            InputUnit::Pixels => 1.0,
            InputUnit::Deviations => f64::MAX,
        };
        let positive = |value: f64| value > 0.0 && value <= most;
        let refuse = |option, value, expected| {
            Err(Error::StressOption {
                option,
                value,
                expected,
            })
        };
        if let Some(&epsilon) = self.epsilons.iter().find(|&&epsilon| !positive(epsilon)) {
            return refuse(
                "epsilon",
                epsilon,
                "a number greater than 0 and, for pixels, at most 1",
            );
        }
        if let Some(size) = self.step_size.filter(|&size| !positive(size)) {
            return refuse(
                "step size",
                size,
                "a number greater than 0 and, for pixels, at most 1",
            );
        }
        if self.steps == 0 {
            return refuse("steps", 0.0, "at least 1");
        }
        match &self.tests {
            None => Ok(StressTest::ALL
                .into_iter()
                .filter(|test| test.fits(unit))
                .collect()),
            Some(asked) => match asked.iter().find(|test| !test.fits(unit)) {
                Some(test) => Err(Error::StressTest { test: test.name() }),
                None => Ok(StressTest::ALL
                    .into_iter()
                    .filter(|test| asked.contains(test))
                    .collect()),
            },
        }
    }

    /// The severities at which a test is run, in ascending order.
    pub(super) fn severities(&self, test: StressTest, unit: InputUnit) -> Vec<f64> {
        let mut severities = match (test, unit) {
            (StressTest::Noise, InputUnit::Pixels) => vec![0.05, 0.1, 0.2, 0.3, 0.5],
            (StressTest::Noise, InputUnit::Deviations) => vec![0.1, 0.25, 0.5, 1.0, 2.0],
            (StressTest::Blur, _) => vec![0.5, 1.0, 1.5, 2.0, 3.0],
            (StressTest::Brightness, _) => vec![-0.4, -0.2, -0.1, 0.1, 0.2, 0.4],
            (StressTest::Contrast, _) => vec![0.25, 0.5, 0.75, 1.5, 2.0],
            (StressTest::Missing, _) => vec![0.05, 0.1, 0.2, 0.4, 0.6],
            (StressTest::Fgsm | StressTest::Pgd, _) => self.epsilons.clone(),
        };
        severities.sort_by(f64::total_cmp);
        severities.dedup();
        severities
    }
}
