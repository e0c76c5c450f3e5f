//! The run directory: a training in progress.

mod append;
mod checkpoints;
mod events;
mod metrics;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::atomic::write_atomic;
use crate::error::{Error, Result};

pub use append::LogStart;
pub use checkpoints::{CheckpointSearch, Retention, SkippedCheckpoint};
pub use events::EventLog;
pub use metrics::{MetricsLog, offset_after_step, read_metrics};

const RECIPE_FILE: &str = "recipe.toml";
const METRICS_FILE: &str = "metrics.jsonl";
const MODEL_FOLDER: &str = "model";
const CHECKPOINT_FOLDER: &str = "checkpoints";
/// TensorBoard takes every file with `tfevents` in its name, and tells runs apart by their folders.
const EVENTS_FILE: &str = "tensorboard/events.out.tfevents.gradus";
const LOCK_FILE: &str = ".lock";

/// A run directory, held by one process at a time.
pub struct RunDir {
    path: PathBuf,
    /// Locked for as long as the value lives; the system releases it however the process ends.
    _lock: File,
}

impl RunDir {
    /// Makes a new run directory (parents too) with a copy of the recipe.
    ///
    /// # Errors
    /// [`Error::RunExists`] when there is a recipe already, [`Error::RunBusy`] when another process trains there,
    /// [`Error::Io`] from the system.
    pub fn create(path: impl AsRef<Path>, recipe: &str) -> Result<RunDir> {
        let path = path.as_ref();
        for folder in [CHECKPOINT_FOLDER, "tensorboard"].map(|name| path.join(name)) {
            fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        }
        let run = RunDir {
            path: path.to_path_buf(),
            _lock: lock(path)?,
        };
        if run.recipe_path().exists() {
            return Err(Error::RunExists {
                path: path.to_path_buf(),
            });
        }
        write_atomic(&run.recipe_path(), recipe.as_bytes())?;
        Ok(run)
    }

    /// Opens a run directory to go on with it.
    ///
    /// # Errors
    /// [`Error::MissingFile`] when there is no recipe, [`Error::RunBusy`] when another process trains there,
    /// [`Error::Io`] from the system.
    pub fn open(path: impl AsRef<Path>) -> Result<RunDir> {
        let path = path.as_ref();
        let recipe = path.join(RECIPE_FILE);
        if !recipe.exists() {
            return Err(Error::MissingFile {
                path: recipe,
                needed_by: "a run is resumed by its recipe",
            });
        }
        Ok(RunDir {
            path: path.to_path_buf(),
            _lock: lock(path)?,
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text of the recipe the run was created with.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read.
    pub fn recipe(&self) -> Result<String> {
        let path = self.recipe_path();
        fs::read_to_string(&path).map_err(Error::io("read", &path))
    }

    /// Where the finished model's package goes.
    pub fn model_folder(&self) -> PathBuf {
        self.path.join(MODEL_FOLDER)
    }

    /// Where the metrics log lies.
    pub fn metrics_path(&self) -> PathBuf {
        self.path.join(METRICS_FILE)
    }

    /// Opens the metrics log, `metrics.jsonl`.
    ///
    /// # Errors
    /// [`Error::LogTooShort`] when it ends before the place to go on from, [`Error::Io`] from the system.
    pub fn metrics_log(&self, start: LogStart) -> Result<MetricsLog> {
        MetricsLog::open(&self.metrics_path(), start)
    }

    /// Opens the TensorBoard log.
    ///
    /// # Errors
    /// [`Error::LogTooShort`] when it ends before the place to go on from, [`Error::Io`] from the system.
    pub fn event_log(&self, start: LogStart) -> Result<EventLog> {
        EventLog::open(&self.path.join(EVENTS_FILE), start)
    }

    fn recipe_path(&self) -> PathBuf {
        self.path.join(RECIPE_FILE)
    }
}

fn lock(path: &Path) -> Result<File> {
    let lock = path.join(LOCK_FILE);
    let file = File::create(&lock).map_err(Error::io("create", &lock))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Error::RunBusy {
            path: path.to_path_buf(),
        }),
        // A file system without locks cannot tell us of another process; the run goes on as it always could.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}

#[cfg(test)]
mod tests;
