//! Why a run ends.

use serde::{Deserialize, Serialize};

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// All epochs are done.
    Completed,
    /// `train.max_steps` is reached.
    MaxSteps,
    /// `train.max_time_s` is reached.
    MaxTime,
    /// The monitored metric no longer improves.
    EarlyStopping,
    /// The stop flag was raised: the run is checkpointed and waits to be resumed.
    Interrupted,
}

impl StopReason {
    /// A few words for people.
    pub fn describe(self) -> &'static str {
        match self {
            StopReason::Completed => "all epochs done",
            StopReason::MaxSteps => "train.max_steps reached",
            StopReason::MaxTime => "train.max_time_s reached",
            StopReason::EarlyStopping => "the monitored metric no longer improves",
            StopReason::Interrupted => "interrupted; resume to go on",
        }
    }
}
