//! The checkpoints of a run: the last few, and the best.

use std::fs::{self, File};
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use crate::atomic::{remove_leftovers, write_atomic_with};
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::run::{CHECKPOINT_FOLDER, RunDir};

const PREFIX: &str = "step-";
const SUFFIX: &str = ".safetensors";
const BEST: &str = "best.safetensors";

/// Which checkpoints to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How many of the last ones; the best one is kept besides.
    pub keep_last: NonZeroUsize,
}

/// The outcome of looking for a checkpoint to go on from.
pub struct CheckpointSearch {
    /// The newest whole checkpoint with its step; `None` when there is none.
    pub found: Option<(u64, Checkpoint)>,
    /// Newer ones that were damaged, newest first.
    pub skipped: Vec<SkippedCheckpoint>,
}

/// A checkpoint that could not be used.
#[derive(Debug)]
pub struct SkippedCheckpoint {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub error: Error,
}

impl RunDir {
    /// Saves the checkpoint of a step as `checkpoints/step-00000123.safetensors`, all or nothing, and then removes
    /// those that need not be kept.
    ///
    /// Checkpoints of later steps are removed too: they are damaged ones that the run went back past, or belong to a
    /// course that it left, and must not be resumed from.
    ///
    /// # Errors
    /// As [`Checkpoint::save`]; no old checkpoint is removed before the new one is safe on the disk.
    pub fn save_checkpoint(
        &self,
        step: u64,
        checkpoint: &Checkpoint,
        retention: Retention,
    ) -> Result<PathBuf> {
        let path = self.checkpoint_path(step);
        checkpoint.save(&path)?;
        let (earlier, later): (Vec<_>, Vec<_>) = self
            .checkpoints()?
            .into_iter()
            .partition(|(other, _)| *other <= step);
        let spared = earlier.len().saturating_sub(retention.keep_last.get());
        for (_, old) in earlier.iter().take(spared).chain(&later) {
            fs::remove_file(old).map_err(Error::io("remove", old))?;
        }
        Ok(path)
    }

    /// Makes a saved checkpoint the best one: `checkpoints/best.safetensors`, replaced all or nothing. It stays when
    /// the checkpoint of that step is removed.
    ///
    /// # Errors
    /// [`Error::MissingFile`] when the step has no checkpoint, [`Error::Io`] from the system.
    pub fn mark_best(&self, step: u64) -> Result<()> {
        let path = self.checkpoint_path(step);
        if !path.exists() {
            return Err(Error::MissingFile {
                path,
                needed_by: "it was to be kept as the best",
            });
        }
        // Copied by the system: a large model's checkpoint has no room in memory beside the training.
        write_atomic_with(&self.best_path(), |copy, temporary| {
            let mut checkpoint = File::open(&path).map_err(Error::io("read", &path))?;
            io::copy(&mut checkpoint, copy).map_err(Error::io("write", temporary))?;
            Ok(())
        })
    }

    /// The best checkpoint, if one was marked.
    ///
    /// # Errors
    /// As [`Checkpoint::load`].
    pub fn best_checkpoint(&self) -> Result<Option<Checkpoint>> {
        let path = self.best_path();
        path.exists().then(|| Checkpoint::load(&path)).transpose()
    }

    /// The checkpoints with their steps, oldest first; the best one is not among them.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder cannot be listed.
    pub fn checkpoints(&self) -> Result<Vec<(u64, PathBuf)>> {
        let folder = self.path().join(CHECKPOINT_FOLDER);
        let entries = fs::read_dir(&folder).map_err(Error::io("list", &folder))?;
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(Error::io("list", &folder))?.path();
            found.extend(step_of(&path).map(|step| (step, path)));
        }
        found.sort();
        Ok(found)
    }

    /// The newest checkpoint that is whole. Damaged ones are skipped and told; leftovers of a crash are removed.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder cannot be listed.
    pub fn latest_good(&self) -> Result<CheckpointSearch> {
        let mut skipped = Vec::new();
        for (step, path) in self.checkpoints()?.into_iter().rev() {
            remove_leftovers(&path);
            match Checkpoint::load(&path) {
                Ok(checkpoint) => {
                    return Ok(CheckpointSearch {
                        found: Some((step, checkpoint)),
                        skipped,
                    });
                }
                Err(error) => skipped.push(SkippedCheckpoint { path, error }),
            }
        }
        Ok(CheckpointSearch { found: None, skipped })
    }

    fn checkpoint_path(&self, step: u64) -> PathBuf {
        self.path()
            .join(CHECKPOINT_FOLDER)
            .join(format!("{PREFIX}{step:08}{SUFFIX}"))
    }

    fn best_path(&self) -> PathBuf {
        self.path().join(CHECKPOINT_FOLDER).join(BEST)
    }
}

/// The step in a checkpoint's file name.
fn step_of(path: &Path) -> Option<u64> {
    path.file_name()?
        .to_str()?
        .strip_prefix(PREFIX)?
        .strip_suffix(SUFFIX)?
        .parse()
        .ok()
}
