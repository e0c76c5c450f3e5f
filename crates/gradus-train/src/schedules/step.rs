//! Staircase decay with stairs of one length (`StepLR`).

use super::Moment;
use serde::{Deserialize, Serialize};

/// Multiplies the learning rate by `gamma` every `step_size` units: `base · gamma^⌊time / step_size⌋`.
/// Matches `torch.optim.lr_scheduler.StepLR`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepDecay {
    /// Length of a stair in the schedule's unit, above 0.
    pub step_size: f64,
    /// Factor at each stair, above 0. Default 0.1.
    #[serde(default = "default_gamma")]
    pub gamma: f64,
}

fn default_gamma() -> f64 {
    0.1
}

impl StepDecay {
    /// The learning rate at `moment`.
    pub fn rate(&self, base: f64, moment: Moment) -> f64 {
        base * self.gamma.powf((moment.time / self.step_size).floor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falls_exactly_at_each_multiple() {
        let schedule = StepDecay {
            step_size: 3.0,
            gamma: 0.5,
        };
        let rates: Vec<f64> = (0..7)
            .map(|step| schedule.rate(1.0, Moment::at_step(step, 7)))
            .collect();
        assert_eq!(rates, [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25]);
    }
}
