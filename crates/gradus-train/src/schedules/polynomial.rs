//! Polynomial decay to zero (`PolynomialLR`).

use super::Moment;
use serde::{Deserialize, Serialize};

/// `base · (1 − time/total)^power`, zero from `total` on. Matches `torch.optim.lr_scheduler.PolynomialLR`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Polynomial {
    /// Exponent, above 0. Default 1, a straight line.
    #[serde(default = "default_power")]
    pub power: f64,
    /// Length of the decay in the schedule's unit, above 0. Default: the rest of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
}

fn default_power() -> f64 {
    1.0
}

impl Polynomial {
    /// The learning rate at `moment`.
    pub fn rate(&self, base: f64, moment: Moment) -> f64 {
        let total = self.total.unwrap_or(moment.end);
        let share = if total > 0.0 {
            (moment.time / total).min(1.0)
        } else {
            1.0
        };
        base * (1.0 - share).powf(self.power)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_power_and_ends_at_zero() {
        let schedule = Polynomial {
            power: 2.0,
            total: Some(4.0),
        };
        let rates: Vec<f64> = (0..6)
            .map(|step| schedule.rate(16.0, Moment::at_step(step, 9)))
            .collect();
        assert_eq!(rates, [16.0, 9.0, 4.0, 1.0, 0.0, 0.0]);
    }
}
