//! Exponential decay (`ExponentialLR`).

use super::Moment;
use serde::{Deserialize, Serialize};

/// `base · gamma^time`, smooth in time. Matches `torch.optim.lr_scheduler.ExponentialLR` at whole units; for its
/// staircase with epochs as units, use `step` with `step_size = 1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exponential {
    /// Factor per unit of time, above 0.
    pub gamma: f64,
}

impl Exponential {
    /// The learning rate at `moment`.
    pub fn rate(&self, base: f64, moment: Moment) -> f64 {
        base * self.gamma.powf(moment.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiplies_by_gamma_per_unit_and_is_smooth_between() {
        let schedule = Exponential { gamma: 0.25 };
        assert_eq!(schedule.rate(2.0, Moment::at_step(2, 10)), 0.125);
        assert_eq!(
            schedule.rate(
                2.0,
                Moment {
                    time: 0.5,
                    end: 10.0,
                    tick: 0.1
                }
            ),
            1.0
        );
    }
}
