//! Half a cosine from the base rate to a minimum (`CosineAnnealingLR`).

use super::Moment;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// `min + (base − min)·(1 + cos(π·time/total))/2`. Matches `torch.optim.lr_scheduler.CosineAnnealingLR`, which climbs
/// again past `total`: so does this one, since a run that outlives its schedule was told so. The default length is
/// the run's own and never gets there. Source: Loshchilov and Hutter, SGDR, 2017, eq. 5.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cosine {
    /// Learning rate at the bottom, at least 0. Default 0.
    #[serde(default)]
    pub min_learning_rate: f64,
    /// Length of the half wave in the schedule's unit, above 0. Default: the rest of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
}

impl Cosine {
    /// The learning rate at `moment`.
    pub fn rate(&self, base: f64, moment: Moment) -> f64 {
        let total = self.total.unwrap_or(moment.end);
        let share = if total > 0.0 { moment.time / total } else { 1.0 };
        half_wave(base, self.min_learning_rate, share)
    }
}

/// The half cosine that leaves `high` at share 0 and reaches `low` at share 1.
pub(super) fn half_wave(high: f64, low: f64, share: f64) -> f64 {
    low + (high - low) * (1.0 + (PI * share).cos()) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_through_top_middle_and_bottom() {
        let schedule = Cosine {
            min_learning_rate: 0.2,
            total: None,
        };
        let at = |step| schedule.rate(1.0, Moment::at_step(step, 10));
        assert_eq!(at(0), 1.0);
        assert!((at(5) - 0.6).abs() < 1e-12);
        assert!((at(10) - 0.2).abs() < 1e-12);
    }
}
