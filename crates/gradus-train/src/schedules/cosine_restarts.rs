//! Cosine waves that restart at the top, each longer than the last (`CosineAnnealingWarmRestarts`).

use super::{Moment, cosine::half_wave};
use crate::settings::Checks;
use serde::{Deserialize, Serialize};

/// Half cosines from the base rate to `min_learning_rate`, the first `first_period` units long, each next one
/// `period_factor` times as long. Matches `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`.
/// Source: Loshchilov and Hutter, SGDR, 2017.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CosineRestarts {
    /// Length of the first wave in the schedule's unit, above 0.
    pub first_period: f64,
    /// Growth of each next wave, at least 1. Default 1.
    #[serde(default = "default_factor")]
    pub period_factor: f64,
    /// Learning rate at the bottom, at least 0. Default 0.
    #[serde(default)]
    pub min_learning_rate: f64,
}

fn default_factor() -> f64 {
    1.0
}

impl CosineRestarts {
    pub(super) fn check(&self, checks: &mut Checks) {
        checks.positive("first_period", self.first_period);
        let grows = self.period_factor >= 1.0 && self.period_factor.is_finite();
        checks.require(
            grows,
            "period_factor",
            self.period_factor,
            "a number of at least 1",
        );
        checks.not_negative("min_learning_rate", self.min_learning_rate);
    }

    /// The learning rate at `moment`.
    pub fn rate(&self, base: f64, moment: Moment) -> f64 {
        half_wave(base, self.min_learning_rate, self.share_of_wave(moment.time))
    }

    /// How far into its wave `time` is, 0 to 1.
    fn share_of_wave(&self, time: f64) -> f64 {
        if self.period_factor == 1.0 {
            return (time / self.first_period).fract();
        }
        let (mut start, mut period) = (0.0, self.first_period);
        while time >= start + period {
            start += period;
            period *= self.period_factor;
        }
        (time - start) / period
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_at_the_top_after_growing_waves() {
        let schedule = CosineRestarts {
            first_period: 4.0,
            period_factor: 2.0,
            min_learning_rate: 0.0,
        };
        let at = |step| schedule.rate(1.0, Moment::at_step(step, 100));
        for start in [0, 4, 12, 28] {
            assert_eq!(at(start), 1.0);
        }
        assert!((at(8) - 0.5).abs() < 1e-12);
        assert!((at(20) - 0.5).abs() < 1e-12);
    }
}
