//! One rise and one long fall, with an optional mirror image for momentum (`OneCycleLR`).

use super::{Moment, cosine::half_wave};
use crate::settings::Checks;
use serde::{Deserialize, Serialize};

/// Rises from `base / div_factor` to `base` over the first `rise` of the run, then falls to
/// `base / div_factor / final_div_factor`. The optimiser's learning rate is the peak.
/// Matches `torch.optim.lr_scheduler.OneCycleLR`, except that momentum is left alone unless `cycle_momentum` asks for
/// it. Source: Smith and Topin, Super-Convergence, 2018.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OneCycle {
    /// Share of the run spent rising, between 0 and 1. Default 0.3.
    pub rise: f64,
    /// The peak over the first learning rate, above 0. Default 25.
    pub div_factor: f64,
    /// The first learning rate over the last, above 0. Default 10,000.
    pub final_div_factor: f64,
    /// The shape of each phase. Default `cosine`.
    pub anneal: Anneal,
    /// Whether the fall first mirrors the rise and only then goes on to the last rate. Default false.
    pub three_phase: bool,
    /// Whether momentum (SGD, RMSprop) or beta1 (Adam, Lion) mirrors the learning rate. Default false.
    pub cycle_momentum: bool,
    /// Momentum at the peak of the learning rate. Default 0.85.
    pub base_momentum: f64,
    /// Momentum at the start and at the end. Default 0.95.
    pub max_momentum: f64,
    /// Length of the cycle in the schedule's unit, above 0. Default: the rest of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
}

/// The curve between two learning rates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anneal {
    /// Half a cosine.
    #[default]
    Cosine,
    /// A straight line.
    Linear,
}

impl Default for OneCycle {
    fn default() -> OneCycle {
        OneCycle {
            rise: 0.3,
            div_factor: 25.0,
            final_div_factor: 1e4,
            anneal: Anneal::Cosine,
            three_phase: false,
            cycle_momentum: false,
            base_momentum: 0.85,
            max_momentum: 0.95,
            total: None,
        }
    }
}

/// What the start, the peak and the end of a cycle are, in learning rate or in momentum.
struct Turns {
    start: f64,
    peak: f64,
    end: f64,
}

/// One stretch of the cycle.
struct Phase {
    until: f64,
    from: f64,
    to: f64,
}

impl OneCycle {
    pub(super) fn check(&self, checks: &mut Checks) {
        checks.share("rise", self.rise);
        let falls = !self.three_phase || self.rise < 0.5;
        checks.require(
            falls,
            "rise",
            self.rise,
            "a number below 0.5 with `three_phase`, which rises and falls as long",
        );
        checks.positive("div_factor", self.div_factor);
        checks.positive("final_div_factor", self.final_div_factor);
        checks.below_one("base_momentum", self.base_momentum);
        checks.below_one("max_momentum", self.max_momentum);
        checks.positive("total", self.total.unwrap_or(1.0));
    }

    /// The learning rate at `moment`.
    pub fn rate(&self, base: f64, moment: Moment) -> f64 {
        let start = base / self.div_factor;
        self.value(
            moment,
            Turns {
                start,
                peak: base,
                end: start / self.final_div_factor,
            },
        )
    }

    /// The momentum at `moment`, when it is to be cycled.
    pub fn momentum(&self, moment: Moment) -> Option<f64> {
        let turns = Turns {
            start: self.max_momentum,
            peak: self.base_momentum,
            end: self.max_momentum,
        };
        self.cycle_momentum.then(|| self.value(moment, turns))
    }

    /// The value at `moment` of the curve through `turns`; past the end, its last.
    fn value(&self, moment: Moment, turns: Turns) -> f64 {
        let mut since = 0.0;
        for Phase { until, from, to } in self.phases(moment, &turns) {
            if moment.time <= until {
                return self.between(
                    from,
                    to,
                    (moment.time - since) / (until - since).max(f64::MIN_POSITIVE),
                );
            }
            since = until;
        }
        turns.end
    }

    /// The stretches of the cycle. The last tick of each is its end, as in PyTorch: hence the ticks taken off.
    fn phases(&self, moment: Moment, turns: &Turns) -> [Phase; 3] {
        let Turns { start, peak, end } = *turns;
        let total = self.total.unwrap_or(moment.end);
        let rise = self.rise * total - moment.tick;
        let last = total - moment.tick;
        let (middle, low) = if self.three_phase {
            (2.0 * rise, start)
        } else {
            (last, end)
        };
        [
            Phase {
                until: rise,
                from: start,
                to: peak,
            },
            Phase {
                until: middle,
                from: peak,
                to: low,
            },
            Phase {
                until: last,
                from: low,
                to: end,
            },
        ]
    }

    fn between(&self, from: f64, to: f64, share: f64) -> f64 {
        match self.anneal {
            Anneal::Cosine => half_wave(from, to, share),
            Anneal::Linear => from + (to - from) * share,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_low_peaks_at_the_base_rate_and_ends_lowest() {
        let schedule = OneCycle {
            rise: 0.5,
            div_factor: 10.0,
            final_div_factor: 100.0,
            ..OneCycle::default()
        };
        let at = |step| schedule.rate(1.0, Moment::at_step(step, 21));
        assert!((at(0) - 0.1).abs() < 1e-12);
        assert!(
            (schedule.rate(
                1.0,
                Moment {
                    time: 9.5,
                    end: 21.0,
                    tick: 1.0
                }
            ) - 1.0)
                .abs()
                < 1e-12
        );
        assert!((at(20) - 0.001).abs() < 1e-12);
        assert_eq!(at(30), at(20));
    }

    #[test]
    fn leaves_momentum_alone_unless_asked() {
        let moment = Moment::at_step(0, 10);
        assert_eq!(OneCycle::default().momentum(moment), None);
        let cycling = OneCycle {
            cycle_momentum: true,
            ..OneCycle::default()
        };
        assert_eq!(cycling.momentum(moment), Some(0.95));
    }
}
