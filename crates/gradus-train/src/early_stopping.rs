//! Stopping when the monitored metric no longer improves.

use crate::{exact::ExactF64, monitor::Direction, settings::Checks};
use serde::{Deserialize, Serialize};

/// The recipe's `[train.early_stopping]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Evaluations in a row without improvement that end the run, above 0.
    pub patience: u64,
    /// How much better than the best a value must be to count, at least 0, in the metric's own unit. Default 0.
    #[serde(default)]
    pub min_delta: f64,
}

/// What early stopping remembers between evaluations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EarlyStoppingState {
    best: Option<ExactF64>,
    bad_evaluations: u64,
}

impl EarlyStopping {
    pub(crate) fn check(&self, checks: &mut Checks) {
        checks.count("early_stopping.patience", self.patience);
        checks.not_negative("early_stopping.min_delta", self.min_delta);
    }

    /// Whether patience has run out.
    pub fn is_exhausted(&self, state: &EarlyStoppingState) -> bool {
        state.bad_evaluations >= self.patience
    }

    /// Takes one evaluation's `value` into `state`; returns whether patience has run out.
    pub fn observe(&self, state: &mut EarlyStoppingState, value: f64, direction: Direction) -> bool {
        let best = state.best.map_or(direction.worst(), |best| best.0);
        if direction.improves(best, value, self.min_delta) {
            *state = EarlyStoppingState {
                best: Some(ExactF64(value)),
                bad_evaluations: 0,
            };
        } else {
            state.bad_evaluations += 1;
        }
        self.is_exhausted(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_after_patience_evaluations_without_enough_improvement() {
        let rule = EarlyStopping {
            patience: 2,
            min_delta: 0.1,
        };
        let mut state = EarlyStoppingState::default();
        let stops: Vec<bool> = [1.0, 0.5, 0.45, 0.41]
            .into_iter()
            .map(|loss| rule.observe(&mut state, loss, Direction::Minimize))
            .collect();
        assert_eq!(stops, [false, false, false, true]);
    }

    #[test]
    fn a_new_best_resets_the_count() {
        let rule = EarlyStopping {
            patience: 2,
            min_delta: 0.0,
        };
        let mut state = EarlyStoppingState::default();
        for accuracy in [0.5, 0.4, 0.6, 0.6] {
            assert!(!rule.observe(&mut state, accuracy, Direction::Maximize));
        }
        assert!(rule.observe(&mut state, f64::NAN, Direction::Maximize));
    }
}
