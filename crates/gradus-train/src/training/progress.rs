//! How far a run is: everything outside tensors that a resumed run must know to continue to the same bits.

use super::stop::StopReason;
use crate::early_stopping::EarlyStoppingState;
use crate::exact::ExactF64;
use crate::schedules::PlateauState;
use crate::{Error, Result};
use gradus_package::Checkpoint;
use serde::{Deserialize, Serialize};

/// The position of a run and its running sums; the JSON half of a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Optimiser steps taken.
    pub step: u64,
    /// Whole epochs done, evaluation included.
    pub epoch: u64,
    /// Batches of the current epoch that have been used.
    pub batch: u64,
    /// Losses since the last log line.
    pub window: Mean,
    /// Losses since the last evaluation.
    pub epoch_loss: Mean,
    /// The best monitored value so far.
    pub best: Option<Best>,
    pub early_stopping: EarlyStoppingState,
    pub plateau: PlateauState,
    /// Lengths of the logs; what lies beyond was written after this checkpoint and is written again.
    pub logs: LogPositions,
    /// Fingerprint of the training data.
    pub data_sha256: String,
    /// Why training ended, once it has.
    pub finished: Option<StopReason>,
}

impl Progress {
    pub fn new(plateau: PlateauState, data_sha256: String) -> Progress {
        Progress {
            step: 0,
            epoch: 0,
            batch: 0,
            window: Mean::default(),
            epoch_loss: Mean::default(),
            best: None,
            early_stopping: EarlyStoppingState::default(),
            plateau,
            logs: LogPositions::default(),
            data_sha256,
            finished: None,
        }
    }
}

impl Progress {
    /// How far a run was when it was checkpointed.
    pub fn of_checkpoint(step: u64, checkpoint: &Checkpoint) -> Result<Progress> {
        serde_json::from_value(checkpoint.state.clone())
            .map_err(|source| Error::CheckpointState { step, source })
    }
}

/// The best evaluation so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Best {
    /// The monitored value.
    pub value: ExactF64,
    /// Steps taken when it was measured.
    pub step: u64,
}

/// Lengths of the logs in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogPositions {
    pub metrics: u64,
    pub events: u64,
}

/// A weighted mean in the making.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mean {
    sum: ExactF64,
    weight: u64,
}

impl Mean {
    pub fn add(&mut self, value: f64, weight: u64) {
        self.sum.0 += value * weight as f64;
        self.weight += weight;
    }

    /// The mean so far; NaN of nothing.
    pub fn value(&self) -> f64 {
        self.sum.0 / self.weight as f64
    }

    /// What was added, by weight.
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// Returns the mean and starts afresh.
    pub fn take(&mut self) -> f64 {
        std::mem::take(self).value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_weighted_and_restarts() {
        let mut mean = Mean::default();
        mean.add(1.0, 3);
        mean.add(5.0, 1);
        assert_eq!(mean.take(), 2.0);
        assert!(mean.value().is_nan());
    }

    #[test]
    fn progress_survives_json_bit_for_bit() {
        let mut progress = Progress::new(PlateauState::new(0.1), "abc".to_owned());
        progress.window.add(1.0 / 3.0, 7);
        progress.best = Some(Best {
            value: ExactF64(f64::INFINITY),
            step: 3,
        });
        let json = serde_json::to_value(&progress).unwrap();
        assert_eq!(serde_json::from_value::<Progress>(json).unwrap(), progress);
    }
}
