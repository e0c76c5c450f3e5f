//! Rules that stop a trial which others have left behind.
//!
//! A rule judges a trial after each of its measurements, by the measurements of all trials at that moment.

mod halving;
mod hyperband;
mod median;

pub use halving::SuccessiveHalving;
pub use hyperband::Hyperband;
pub use median::Median;

use super::trial::{History, Trial};
use gradus_train::exact::ExactF64;
use serde::{Deserialize, Serialize};

/// Which trials are stopped before their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pruner {
    /// None.
    None,
    /// Those below the median of earlier ones.
    #[default]
    Median,
    /// Those not among the best quarter at each rung: asynchronous successive halving.
    Asha,
    /// As the former, with several first rungs side by side.
    Hyperband,
}

/// What a rule decides of a trial.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Whether to stop it.
    pub prune: bool,
    /// What it had at the rungs that it has now reached, to be kept with it.
    pub rungs: Vec<ExactF64>,
}

impl Verdict {
    fn of(prune: bool) -> Verdict {
        Verdict {
            prune,
            rungs: Vec::new(),
        }
    }
}

impl Pruner {
    /// Judges a trial after its last measurement; `study` names the study.
    pub fn judge(self, history: &History<'_>, trial: &Trial, study: &str) -> Verdict {
        match self {
            Pruner::None => Verdict::of(false),
            Pruner::Median => Verdict::of(Median::default().prunes(history, trial)),
            Pruner::Asha => SuccessiveHalving::default().judge(history.direction, history.trials, trial),
            Pruner::Hyperband => Hyperband::default().judge(history, trial, study),
        }
    }
}
