//! A straight line between two factors of the learning rate (`LinearLR`).

use super::Moment;
use serde::{Deserialize, Serialize};

/// Goes from `start_factor · base` to `end_factor · base` in a straight line over `total` units, then stays there.
/// Matches `torch.optim.lr_scheduler.LinearLR`, with defaults for decay instead of warm-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// Factor at the start, at least 0. Default 1.
    #[serde(default = "default_start")]
    pub start_factor: f64,
    /// Factor at the end, at least 0. Default 0.
    #[serde(default)]
    pub end_factor: f64,
    /// Length of the line in the schedule's unit, above 0. Default: the rest of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
}

fn default_start() -> f64 {
    1.0
}

impl Linear {
    /// The learning rate at `moment`.
    pub fn rate(&self, base: f64, moment: Moment) -> f64 {
        let total = self.total.unwrap_or(moment.end);
        let share = if total > 0.0 {
            (moment.time / total).min(1.0)
        } else {
            1.0
        };
        base * (self.start_factor + (self.end_factor - self.start_factor) * share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reaches_the_end_factor_and_stays() {
        let schedule = Linear {
            start_factor: 1.0,
            end_factor: 0.2,
            total: Some(4.0),
        };
        let at = |step| schedule.rate(10.0, Moment::at_step(step, 100));
        assert_eq!(at(0), 10.0);
        assert!((at(2) - 6.0).abs() < 1e-12);
        assert!((at(4) - 2.0).abs() < 1e-12);
        assert_eq!(at(4), at(50));
    }

    #[test]
    fn runs_to_the_end_of_the_run_by_default() {
        let schedule = Linear {
            start_factor: 1.0,
            end_factor: 0.0,
            total: None,
        };
        assert_eq!(schedule.rate(1.0, Moment::at_step(25, 100)), 0.75);
        assert_eq!(schedule.rate(1.0, Moment::at_step(100, 100)), 0.0);
    }
}
