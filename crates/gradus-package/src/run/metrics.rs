//! `metrics.jsonl`: one JSON object per line, for people, scripts and reports.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::run::append::{AppendFile, LogStart};

/// Appends records to `metrics.jsonl`.
///
/// To resume to the same bytes: [`sync`](MetricsLog::sync) and keep [`position`](MetricsLog::position) in each
/// checkpoint, and reopen with [`LogStart::AtByte`] of that position.
pub struct MetricsLog {
    file: AppendFile,
}

impl MetricsLog {
    /// Opens or creates a log.
    ///
    /// # Errors
    /// [`Error::LogTooShort`] when it ends before the place to go on from, [`Error::Io`] from the system.
    pub fn open(path: &Path, start: LogStart) -> Result<MetricsLog> {
        Ok(MetricsLog {
            file: AppendFile::open(path, start)?,
        })
    }

    /// Adds one line. Numbers that JSON does not know, infinite or none at all, become `null`.
    ///
    /// # Errors
    /// [`Error::Encode`] for a record that is no JSON, [`Error::Io`] from the system.
    pub fn append(&mut self, record: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(record).map_err(Error::encode(self.file.path()))?;
        line.push(b'\n');
        self.file.append(&line)
    }

    /// The log's length in bytes, to be kept in checkpoints.
    pub fn position(&self) -> u64 {
        self.file.position()
    }

    /// Returns once all lines will survive a power cut. Call it before a checkpoint remembers the position.
    ///
    /// # Errors
    /// [`Error::Io`] from the system.
    pub fn sync(&self) -> Result<()> {
        self.file.sync()
    }
}

/// Every whole line of a metrics log, oldest first. A last line without its end, still being written or cut by a
/// crash, is skipped.
///
/// # Errors
/// [`Error::Io`] when the file cannot be read, [`Error::Json`] for a line that is no JSON.
pub fn read_metrics(path: &Path) -> Result<Vec<Value>> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    whole_lines(&bytes)
        .map(|line| serde_json::from_slice(line).map_err(Error::json(path)))
        .collect()
}

/// The length of the log up to and with its last whole line whose `step` is at most `step`, for resuming from a
/// checkpoint that does not know its position in the log.
///
/// # Errors
/// As [`read_metrics`].
pub fn offset_after_step(path: &Path, step: u64) -> Result<u64> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let mut offset = 0;
    for line in whole_lines(&bytes) {
        let record: Value = serde_json::from_slice(line).map_err(Error::json(path))?;
        if record
            .get("step")
            .and_then(Value::as_u64)
            .is_some_and(|at| at > step)
        {
            break;
        }
        offset += line.len() as u64;
    }
    Ok(offset)
}

fn whole_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split_inclusive(|&b| b == b'\n')
        .filter(|line| line.ends_with(b"\n"))
}
