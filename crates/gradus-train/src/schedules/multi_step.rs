//! Staircase decay at given milestones (`MultiStepLR`).

use super::Moment;
use serde::{Deserialize, Serialize};

/// Multiplies the learning rate by `gamma` at each milestone reached. Matches `torch.optim.lr_scheduler.MultiStepLR`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultiStep {
    /// Moments of decay in the schedule's unit, in any order; a repeated milestone decays twice.
    pub milestones: Vec<f64>,
    /// Factor at each milestone, above 0. Default 0.1.
    #[serde(default = "default_gamma")]
    pub gamma: f64,
}

fn default_gamma() -> f64 {
    0.1
}

impl MultiStep {
    /// The learning rate at `moment`.
    pub fn rate(&self, base: f64, moment: Moment) -> f64 {
        let reached = self
            .milestones
            .iter()
            .filter(|&&milestone| milestone <= moment.time)
            .count();
        base * self.gamma.powf(reached as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falls_at_the_milestones_only() {
        let schedule = MultiStep {
            milestones: vec![2.0, 5.0],
            gamma: 0.1,
        };
        let at = |step| schedule.rate(1.0, Moment::at_step(step, 9));
        assert_eq!(at(1), 1.0);
        assert_eq!(at(2), 0.1);
        assert_eq!(at(4), 0.1);
        assert!((at(5) - 0.01).abs() < 1e-17);
    }
}
