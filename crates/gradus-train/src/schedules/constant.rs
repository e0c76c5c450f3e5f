//! The learning rate that does not change, but for an optional first stretch (`ConstantLR`).

use super::Moment;
use crate::settings::Checks;
use serde::{Deserialize, Serialize};

/// Keeps the optimiser's learning rate; for the first `total` units, `factor` times it.
/// Matches `torch.optim.lr_scheduler.ConstantLR`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Constant {
    /// Factor of the first stretch, at least 0. Default 1.
    pub factor: f64,
    /// Length of the first stretch in the schedule's unit. Default 0: there is none.
    pub total: f64,
}

impl Default for Constant {
    fn default() -> Constant {
        Constant {
            factor: 1.0,
            total: 0.0,
        }
    }
}

impl Constant {
    pub(super) fn check(&self, checks: &mut Checks) {
        checks.not_negative("factor", self.factor);
        checks.not_negative("total", self.total);
    }

    /// The learning rate at `moment`.
    pub fn rate(&self, base: f64, moment: Moment) -> f64 {
        if moment.time < self.total {
            base * self.factor
        } else {
            base
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_base_rate() {
        for step in [0, 1, 99] {
            assert_eq!(Constant::default().rate(0.3, Moment::at_step(step, 100)), 0.3);
        }
    }
}
