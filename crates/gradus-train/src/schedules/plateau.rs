//! Decay when a metric stops improving (`ReduceLROnPlateau`): the one schedule that has a memory.

use crate::{exact::ExactF64, monitor::Direction, settings::Checks};
use serde::{Deserialize, Serialize};

/// Multiplies the learning rate by `factor` when the monitored metric has not improved for more than `patience`
/// evaluations. Time does not matter to it. Matches `torch.optim.lr_scheduler.ReduceLROnPlateau`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReduceOnPlateau {
    /// Factor of each reduction, between 0 and 1. Default 0.1.
    pub factor: f64,
    /// Evaluations without improvement that are forgiven. Default 10.
    pub patience: u64,
    /// Improvement below which there is none, at least 0. Default 1e-4.
    pub threshold: f64,
    /// Whether `threshold` is a share of the best value or a difference from it. Default `relative`.
    pub threshold_mode: ThresholdMode,
    /// Evaluations after a reduction during which none is counted as bad. Default 0.
    pub cooldown: u64,
    /// The learning rate never falls below this. Default 0.
    pub min_learning_rate: f64,
    /// A reduction smaller than this is not made; PyTorch's `eps`. Default 1e-8.
    pub min_change: f64,
}

/// How [`ReduceOnPlateau`] reads its threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdMode {
    /// A share of the best value so far.
    #[default]
    Relative,
    /// A difference from the best value so far.
    Absolute,
}

impl Default for ReduceOnPlateau {
    fn default() -> ReduceOnPlateau {
        ReduceOnPlateau {
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            threshold_mode: ThresholdMode::Relative,
            cooldown: 0,
            min_learning_rate: 0.0,
            min_change: 1e-8,
        }
    }
}

/// What [`ReduceOnPlateau`] remembers between evaluations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlateauState {
    learning_rate: ExactF64,
    best: Option<ExactF64>,
    bad_evaluations: u64,
    cooldown_left: u64,
}

impl PlateauState {
    /// The state of a run that starts with `base` as its learning rate.
    pub fn new(base: f64) -> PlateauState {
        PlateauState {
            learning_rate: ExactF64(base),
            best: None,
            bad_evaluations: 0,
            cooldown_left: 0,
        }
    }

    /// The learning rate after the evaluations seen so far.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate.0
    }
}

impl ReduceOnPlateau {
    pub(super) fn check(&self, checks: &mut Checks) {
        checks.share("factor", self.factor);
        checks.not_negative("threshold", self.threshold);
        checks.not_negative("min_learning_rate", self.min_learning_rate);
        checks.not_negative("min_change", self.min_change);
    }

    /// Takes one evaluation's `value` into `state`. A NaN is never an improvement.
    pub fn observe(&self, state: &mut PlateauState, value: f64, direction: Direction) {
        if self.improves(state.best, value, direction) {
            state.best = Some(ExactF64(value));
            state.bad_evaluations = 0;
        } else {
            state.bad_evaluations += 1;
        }
        if state.cooldown_left > 0 {
            state.cooldown_left -= 1;
            state.bad_evaluations = 0;
        }
        if state.bad_evaluations > self.patience {
            self.reduce(state);
        }
    }

    fn improves(&self, best: Option<ExactF64>, value: f64, direction: Direction) -> bool {
        let Some(ExactF64(best)) = best else {
            return !value.is_nan();
        };
        match (self.threshold_mode, direction) {
            (ThresholdMode::Relative, Direction::Minimize) => value < best * (1.0 - self.threshold),
            (ThresholdMode::Relative, Direction::Maximize) => value > best * (1.0 + self.threshold),
            (ThresholdMode::Absolute, _) => direction.improves(best, value, self.threshold),
        }
    }

    fn reduce(&self, state: &mut PlateauState) {
        let reduced = (state.learning_rate.0 * self.factor).max(self.min_learning_rate);
        if state.learning_rate.0 - reduced > self.min_change {
            state.learning_rate = ExactF64(reduced);
        }
        state.cooldown_left = self.cooldown;
        state.bad_evaluations = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reduces_after_patience_runs_out_and_cools_down() {
        let plateau = ReduceOnPlateau {
            factor: 0.5,
            patience: 1,
            cooldown: 1,
            ..ReduceOnPlateau::default()
        };
        let mut state = PlateauState::new(1.0);
        let rates: Vec<f64> = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5]
            .into_iter()
            .map(|loss| {
                plateau.observe(&mut state, loss, Direction::Minimize);
                state.learning_rate()
            })
            .collect();
        assert_eq!(rates, [1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25]);
    }

    #[test]
    fn a_nan_is_not_an_improvement() {
        let plateau = ReduceOnPlateau {
            patience: 0,
            ..ReduceOnPlateau::default()
        };
        let mut state = PlateauState::new(1.0);
        plateau.observe(&mut state, f64::NAN, Direction::Maximize);
        assert_eq!(state.learning_rate(), 0.1);
    }
}
