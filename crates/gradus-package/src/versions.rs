//! Folders of numbered packages: `name/1`, `name/2`, …, as TensorFlow Serving lays out a model's versions.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::package::is_package;

/// One version of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The number that names its folder; a higher one is newer.
    pub number: u64,
    /// Its package folder.
    pub path: PathBuf,
}

/// The versions in a model folder, oldest first.
///
/// A version is a package in a folder whose name is a decimal number that fits 63 bits, as TensorFlow Serving reads
/// them (leading zeros allowed). Everything else is skipped, among it packages still being written. Where two names
/// mean the same number, the one without leading zeros counts.
///
/// # Errors
/// [`Error::Io`] when the folder cannot be listed.
pub fn versions(folder: &Path) -> Result<Vec<Version>> {
    let entries = fs::read_dir(folder).map_err(Error::io("list", folder))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("list", folder))?;
        let number = entry.file_name().to_str().and_then(version_number);
        found.extend(number.map(|number| Version {
            number,
            path: entry.path(),
        }));
    }
    found.retain(|version| is_package(&version.path));
    found.sort_by_key(|version| (version.number, version.path.as_os_str().len()));
    found.dedup_by_key(|version| version.number);
    Ok(found)
}

fn version_number(name: &str) -> Option<u64> {
    let digits_only = name.bytes().all(|b| b.is_ascii_digit());
    let number = name.parse().ok().filter(|_| digits_only)?;
    (number <= i64::MAX as u64).then_some(number)
}

/// The package that a path means: the path itself when it is one, else its newest version.
///
/// # Errors
/// [`Error::NotAPackage`] when it is neither, [`Error::Io`] when the folder cannot be listed.
pub fn resolve(path: &Path) -> Result<PathBuf> {
    crate::atomic::recover_folder(path)?;
    if is_package(path) {
        return Ok(path.to_path_buf());
    }
    let newest = if path.is_dir() {
        versions(path)?.pop()
    } else {
        None
    };
    newest
        .map(|version| version.path)
        .ok_or_else(|| Error::NotAPackage {
            path: path.to_path_buf(),
        })
}

/// Where to save the version after the newest: `folder/1` when there is none yet.
///
/// # Errors
/// [`Error::Io`] when the folder is there and cannot be listed.
pub fn next_version(folder: &Path) -> Result<Version> {
    let newest = if folder.is_dir() {
        versions(folder)?.pop()
    } else {
        None
    };
    let number = newest.map_or(1, |version| version.number + 1);
    Ok(Version {
        number,
        path: folder.join(number.to_string()),
    })
}
