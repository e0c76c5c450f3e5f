//! What a checkpoint holds, and how a run goes back to one.

use super::objective::Objective;
use super::progress::Progress;
use super::stepper::Stepper;
use crate::{Error, Result};
use gradus_package::run::Retention;
use gradus_package::{Checkpoint, RunDir};
use gradus_tensor::Tensor;
use std::path::PathBuf;

/// Prefixes of tensor names in a checkpoint: parameters and buffers, the optimiser's state, averaged weights.
const MODEL: &str = "model.";
const OPTIMIZER: &str = "optimizer.";
const EMA: &str = "ema.";

/// The parts of a run that a checkpoint saves and restores.
pub(crate) struct State<'a, O> {
    pub objective: &'a O,
    pub stepper: &'a mut Stepper,
}

impl<O: Objective> State<'_, O> {
    /// The checkpoint of this moment, in memory.
    pub fn snapshot(&self, progress: &Progress) -> Result<Snapshot> {
        let step = progress.step;
        let mut tensors: Vec<_> = prefixed(MODEL, self.objective.state()).collect();
        tensors.extend(prefixed(OPTIMIZER, self.stepper.optimizer.state()?));
        if let Some(ema) = &self.stepper.ema {
            tensors.extend(prefixed(EMA, ema.state()?));
        }
        let state =
            serde_json::to_value(progress).map_err(|source| Error::CheckpointState { step, source })?;
        Ok(Snapshot {
            step,
            checkpoint: Checkpoint { tensors, state },
        })
    }

    /// Puts model, optimiser, schedule and average back to a checkpoint's moment.
    pub fn restore(&mut self, progress: &Progress, checkpoint: &Checkpoint) -> Result<()> {
        self.restore_weights(checkpoint)?;
        self.stepper
            .optimizer
            .load_state(&stripped(OPTIMIZER, checkpoint))?;
        self.stepper.schedule.load_state(progress.plateau);
        self.stepper.step = progress.step;
        Ok(())
    }

    /// Puts only the weights back, averaged ones included.
    pub fn restore_weights(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        self.objective.load_state(&stripped(MODEL, checkpoint))?;
        if let Some(ema) = &mut self.stepper.ema {
            ema.load_state(&stripped(EMA, checkpoint))?;
        }
        Ok(())
    }
}

/// A checkpoint that is not on the disk yet.
pub(crate) struct Snapshot {
    pub step: u64,
    checkpoint: Checkpoint,
}

impl Snapshot {
    /// Writes the checkpoint; `is_best` keeps a copy of it as the best.
    pub fn save(&self, run: &RunDir, keep: Retention, is_best: bool) -> Result<PathBuf> {
        let path = run.save_checkpoint(self.step, &self.checkpoint, keep)?;
        if is_best {
            run.mark_best(self.step)?;
        }
        Ok(path)
    }
}

fn prefixed(prefix: &str, named: Vec<(String, Tensor)>) -> impl Iterator<Item = (String, Tensor)> {
    named
        .into_iter()
        .map(move |(name, tensor)| (format!("{prefix}{name}"), tensor))
}

/// The tensors under a prefix, without it.
fn stripped(prefix: &str, checkpoint: &Checkpoint) -> Vec<(String, Tensor)> {
    let under =
        |(name, tensor): &(String, Tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone()));
    checkpoint.tensors.iter().filter_map(under).collect()
}
