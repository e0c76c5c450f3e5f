//! Which validation metric decides: the best checkpoint, early stopping and `reduce_on_plateau` all follow it.

use gradus_data::TargetKind;
use serde::{Deserialize, Serialize};

/// Whether smaller or larger is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Smaller is better, as for a loss.
    Minimize,
    /// Larger is better, as for accuracy.
    Maximize,
}

impl Direction {
    /// Whether `value` beats `best` by more than `min_delta`. A NaN beats nothing.
    pub fn improves(self, best: f64, value: f64, min_delta: f64) -> bool {
        match self {
            Direction::Minimize => value < best - min_delta,
            Direction::Maximize => value > best + min_delta,
        }
    }

    /// The value that any number but itself beats.
    pub fn worst(self) -> f64 {
        match self {
            Direction::Minimize => f64::INFINITY,
            Direction::Maximize => f64::NEG_INFINITY,
        }
    }
}

/// A metric of the evaluation after each epoch: on the validation set, or on the training loss where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Monitor {
    /// Mean loss; smaller is better.
    #[default]
    Loss,
    /// Classification: share of samples whose class is the model's first choice; larger is better.
    Accuracy,
    /// Regression: root of the mean squared error, in the target's unit; smaller is better.
    Rmse,
    /// Regression: mean absolute error, in the target's unit; smaller is better.
    Mae,
    /// Regression: coefficient of determination; larger is better.
    R2,
    /// Multilabel: F1 of all (sample, label) pairs; larger is better.
    MicroF1,
    /// Multilabel: mean F1 of the labels; larger is better.
    MacroF1,
    /// Multilabel: share of samples whose labels are all right; larger is better.
    SubsetAccuracy,
}

impl Monitor {
    /// Which way this metric improves.
    pub fn direction(self) -> Direction {
        match self {
            Monitor::Loss | Monitor::Rmse | Monitor::Mae => Direction::Minimize,
            Monitor::Accuracy
            | Monitor::R2
            | Monitor::MicroF1
            | Monitor::MacroF1
            | Monitor::SubsetAccuracy => Direction::Maximize,
        }
    }

    /// Its name in recipes and logs.
    pub fn name(self) -> &'static str {
        match self {
            Monitor::Loss => "loss",
            Monitor::Accuracy => "accuracy",
            Monitor::Rmse => "rmse",
            Monitor::Mae => "mae",
            Monitor::R2 => "r2",
            Monitor::MicroF1 => "micro_f1",
            Monitor::MacroF1 => "macro_f1",
            Monitor::SubsetAccuracy => "subset_accuracy",
        }
    }

    /// What an evaluation on held-out samples measures, in its order.
    pub fn of_task(task: TargetKind) -> &'static [Monitor] {
        match task {
            TargetKind::Classification => &[Monitor::Loss, Monitor::Accuracy],
            TargetKind::Regression => &[Monitor::Loss, Monitor::Rmse, Monitor::Mae, Monitor::R2],
            TargetKind::Multilabel => &[
                Monitor::Loss,
                Monitor::MicroF1,
                Monitor::MacroF1,
                Monitor::SubsetAccuracy,
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn improvement_needs_more_than_min_delta() {
        assert!(Direction::Minimize.improves(1.0, 0.8, 0.1));
        assert!(!Direction::Minimize.improves(1.0, 0.95, 0.1));
        assert!(Direction::Maximize.improves(Direction::Maximize.worst(), 0.0, 0.0));
        assert!(!Direction::Maximize.improves(0.5, f64::NAN, 0.0));
    }
}
