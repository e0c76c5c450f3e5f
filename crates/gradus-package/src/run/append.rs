//! A log that grows at its end and can be cut back to where a checkpoint was taken.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Where a log begins when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStart {
    /// Empty: what was there is dropped.
    Fresh,
    /// After this many bytes: what follows was logged after the checkpoint that the run resumes from, and is dropped.
    AtByte(u64),
}

/// An append-only file. Every append reaches the system before it returns, so a killed process loses nothing; only
/// [`sync`](AppendFile::sync) guards against a power cut.
pub(crate) struct AppendFile {
    file: File,
    path: PathBuf,
    position: u64,
}

impl AppendFile {
    pub(crate) fn open(path: &Path, start: LogStart) -> Result<AppendFile> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(Error::io("open", path))?;
        let position = match start {
            LogStart::Fresh => 0,
            LogStart::AtByte(position) => position,
        };
        let got = file.metadata().map_err(Error::io("read", path))?.len();
        if got < position {
            return Err(Error::LogTooShort {
                path: path.to_path_buf(),
                expected: position,
                got,
            });
        }
        file.set_len(position).map_err(Error::io("cut back", path))?;
        file.seek(SeekFrom::Start(position))
            .map_err(Error::io("open", path))?;
        Ok(AppendFile {
            file,
            path: path.to_path_buf(),
            position,
        })
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(Error::io("write", &self.path))?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The log's length in bytes.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(Error::io("flush", &self.path))
    }
}
