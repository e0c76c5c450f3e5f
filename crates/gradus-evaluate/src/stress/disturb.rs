//! One test at one severity.

use super::inputs::{Batch, Inputs};
use super::pgd::Pgd;
use super::{StressOptions, StressTest, blur, brightness, contrast, fgsm, missing, noise};
use crate::Result;

/// One test at one severity.
pub(super) struct Disturbance {
    test: StressTest,
    severity: f64,
    seed: u64,
    pgd: Pgd,
}

/// Raw values after a disturbance.
pub(super) struct Disturbed {
    /// `[samples, sample_len]`.
    pub(super) values: Vec<f32>,
    /// Samples that an attack found without a gradient.
    pub(super) flat_gradients: u64,
}

impl Disturbance {
    pub(super) fn new(test: StressTest, severity: f64, options: &StressOptions) -> Self {
        let step_size = 2.5 * severity / options.steps as f64;
        Self {
            test,
            severity,
            seed: options.seed,
            pgd: Pgd {
                epsilon: severity,
                steps: options.steps,
                step_size: options.step_size.unwrap_or(step_size),
                restarts: options.restarts,
                seed: options.seed,
            },
        }
    }

    pub(super) fn test(&self) -> StressTest {
        self.test
    }

    pub(super) fn severity(&self) -> f64 {
        self.severity
    }

    /// The batch after the disturbance.
    pub(super) fn apply(&self, inputs: &Inputs<'_>, batch: &Batch) -> Result<Disturbed> {
        let values = match self.test {
            StressTest::Noise => noise::apply(inputs, batch, self.severity, self.seed),
            StressTest::Blur => blur::apply(inputs, batch, self.severity),
            StressTest::Brightness => brightness::apply(inputs, batch, self.severity),
            StressTest::Contrast => contrast::apply(inputs, batch, self.severity),
            StressTest::Missing => missing::apply(inputs, batch, self.severity, self.seed),
            StressTest::Fgsm => return fgsm::attack(inputs, batch, self.severity),
            StressTest::Pgd => return self.pgd.attack(inputs, batch),
        };
        Ok(Disturbed {
            values,
            flat_gradients: 0,
        })
    }
}
