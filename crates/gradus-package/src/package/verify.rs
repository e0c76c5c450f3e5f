//! Comparing files with what the manifest says of them.

use std::fs;
use std::path::Path;

use crate::digest::sha256_of_file;
use crate::error::{Error, Result};
use crate::manifest::FileRecord;
use crate::package::LISTED;

/// How much of a package is verified when it is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// Every byte of every file. Files of weights are read side by side, as many as there are processors.
    #[default]
    Full,
    /// Every byte of the small files; of the weights their length and their header, which must fit each other. What a
    /// disk has garbled within a tensor is not noticed. For starting at once from a package that was verified before.
    Quick,
}

/// Verifies a file that is not read for anything else.
pub(super) fn verify_file(path: &Path, record: &FileRecord) -> Result<()> {
    if !path.exists() {
        return Err(Error::MissingFile {
            path: path.to_path_buf(),
            needed_by: LISTED,
        });
    }
    let bytes = fs::metadata(path).map_err(Error::io("read", path))?.len();
    verify(path, record, bytes, || Ok(sha256_of_file(path)?.1))
}

/// Compares length and digest with the record; a wrong length is told without hashing.
pub(super) fn verify(
    path: &Path,
    record: &FileRecord,
    bytes: u64,
    digest: impl FnOnce() -> Result<String>,
) -> Result<()> {
    verify_length(path, record, bytes)?;
    let got = digest()?;
    if got != record.sha256 {
        let expected = record.sha256.clone();
        return Err(Error::Checksum {
            path: path.to_path_buf(),
            expected,
            got,
        });
    }
    Ok(())
}

/// Compares the length alone.
pub(super) fn verify_length(path: &Path, record: &FileRecord, bytes: u64) -> Result<()> {
    if bytes == record.bytes {
        return Ok(());
    }
    Err(Error::Length {
        path: path.to_path_buf(),
        expected: record.bytes,
        got: bytes,
    })
}
