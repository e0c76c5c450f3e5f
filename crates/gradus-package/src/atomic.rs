//! Files and folders that appear whole or not at all.
//!
//! A file is written under a temporary name beside its target, flushed to the disk, renamed over the target, and the
//! folder is flushed so that the rename lasts. A crash at any instant leaves the old file or the new one, and perhaps
//! a temporary that nobody reads and the next write to the same target removes.
//!
//! A temporary is locked while its writer lives, so that a second process never takes one for a leftover; the system
//! drops the lock with the process, however it ends. A folder cannot be renamed over another one, so replacing one
//! moves the old one aside first; [`recover_folder`] puts it back if a crash fell between the two renames.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// Marks a file or folder that is being written.
const TEMPORARY: &str = "gradus-tmp";
/// Marks a folder that is being replaced.
const REPLACED: &str = "gradus-old";

/// Replaces or creates a file, all or nothing, and returns once it will survive a power cut.
///
/// # Errors
/// [`Error::Io`] naming the step that failed; the target is then as it was.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomic_with(path, |file, temporary| {
        file.write_all(bytes).map_err(Error::io("write", temporary))
    })
}

/// As [`write_atomic`], for contents that `fill` writes to the file it is given (with its temporary path, for errors).
pub(crate) fn write_atomic_with<T>(
    path: &Path,
    fill: impl FnOnce(&mut File, &Path) -> Result<T>,
) -> Result<T> {
    remove_leftovers(path);
    let temporary = sibling(path, TEMPORARY);
    let result = fill_and_rename(&temporary, path, fill);
    if result.is_err() {
        // The error at hand is the one to report; a temporary that stays is removed by the next write.
        let _ = fs::remove_file(&temporary);
    }
    result
}

fn fill_and_rename<T>(
    temporary: &Path,
    path: &Path,
    fill: impl FnOnce(&mut File, &Path) -> Result<T>,
) -> Result<T> {
    let mut file = File::create_new(temporary).map_err(Error::io("create", temporary))?;
    // On file systems without locks a temporary is only less protected from a concurrent cleaner.
    let _ = file.try_lock();
    let value = fill(&mut file, temporary)?;
    file.sync_all().map_err(Error::io("flush", temporary))?;
    fs::rename(temporary, path).map_err(Error::io("move the new file to", path))?;
    sync_folder(folder_of(path))?;
    Ok(value)
}

/// A folder under construction beside its target; dropped without [`commit`](NewFolder::commit), it is removed.
pub(crate) struct NewFolder {
    temporary: PathBuf,
    target: PathBuf,
    _lock: Option<File>,
}

impl NewFolder {
    /// Creates the empty temporary folder, and the target's parents if need be.
    pub(crate) fn create(target: &Path) -> Result<NewFolder> {
        let parent = folder_of(target);
        fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        recover_folder(target)?;
        remove_leftovers(target);
        let temporary = sibling(target, TEMPORARY);
        fs::create_dir(&temporary).map_err(Error::io("create", &temporary))?;
        let lock = open_folder(&temporary)
            .ok()
            .flatten()
            .filter(|folder| folder.try_lock().is_ok());
        Ok(NewFolder {
            temporary,
            target: target.to_path_buf(),
            _lock: lock,
        })
    }

    /// Where to put the files.
    pub(crate) fn path(&self) -> &Path {
        &self.temporary
    }

    /// Makes the folder appear under its target's name, in place of what was there.
    pub(crate) fn commit(self) -> Result<()> {
        sync_folder(&self.temporary)?;
        let aside = self.move_old_aside()?;
        if let Err(source) = fs::rename(&self.temporary, &self.target) {
            if let Some(aside) = &aside {
                // If this fails too, recover_folder repairs it at the next use.
                let _ = fs::rename(aside, &self.target);
            }
            return Err(Error::io("move the new folder to", &self.target)(source));
        }
        sync_folder(folder_of(&self.target))?;
        if let Some(aside) = aside {
            // The new folder stands; an old one that cannot be removed now is removed by the next write.
            let _ = fs::remove_dir_all(aside);
        }
        Ok(())
    }

    fn move_old_aside(&self) -> Result<Option<PathBuf>> {
        if fs::symlink_metadata(&self.target).is_err() {
            return Ok(None);
        }
        let aside = sibling(&self.target, REPLACED);
        fs::rename(&self.target, &aside).map_err(Error::io("move aside", &self.target))?;
        Ok(Some(aside))
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        // After a commit the temporary name is gone and this does nothing.
        let _ = fs::remove_dir_all(&self.temporary);
    }
}

/// Puts a folder back that a crash left moved aside, half-way through being replaced.
///
/// Waits for a living writer to finish. Does nothing when the target exists.
pub(crate) fn recover_folder(target: &Path) -> Result<()> {
    if fs::symlink_metadata(target).is_ok() {
        return Ok(());
    }
    for temporary in marked(target, TEMPORARY) {
        if let Ok(Some(folder)) = open_folder(&temporary) {
            let _ = folder.lock();
        }
    }
    if fs::symlink_metadata(target).is_ok() {
        return Ok(());
    }
    let Some(aside) = marked(target, REPLACED).pop() else {
        return Ok(());
    };
    fs::rename(&aside, target).map_err(Error::io("put back", target))?;
    sync_folder(folder_of(target))
}

/// Removes what crashed writers of `target` left behind. Best effort: leftovers are never read, only in the way.
pub(crate) fn remove_leftovers(target: &Path) {
    for path in marked(target, TEMPORARY) {
        if !has_living_writer(&path) {
            remove(&path);
        }
    }
    if fs::symlink_metadata(target).is_ok() {
        marked(target, REPLACED).iter().for_each(|path| remove(path));
    }
}

fn remove(path: &Path) {
    let _ = if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
}

fn has_living_writer(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Flushes a folder's entries to the disk, so that a rename within it outlives a power cut.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    match open_folder(path).map_err(Error::io("open", path))? {
        Some(folder) => folder.sync_all().map_err(Error::io("flush", path)),
        None => Ok(()),
    }
}

/// The folder as a file, where the system has such a thing; elsewhere its entries are flushed by the system itself.
fn open_folder(path: &Path) -> std::io::Result<Option<File>> {
    if cfg!(unix) {
        File::open(path).map(Some)
    } else {
        Ok(None)
    }
}

/// The folder that holds a path.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    }
}

/// A fresh hidden name beside `target`, recognised by [`marked`].
fn sibling(target: &Path, mark: &str) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut name = marked_prefix(target, mark);
    name.push(format!(
        "{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    ));
    folder_of(target).join(name)
}

fn marked_prefix(target: &Path, mark: &str) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(target.file_name().unwrap_or(target.as_os_str()));
    prefix.push(format!(".{mark}-"));
    prefix
}

/// The hidden siblings of `target` with a mark, in order of name.
fn marked(target: &Path, mark: &str) -> Vec<PathBuf> {
    let prefix = marked_prefix(target, mark);
    let Ok(entries) = fs::read_dir(folder_of(target)) else {
        return Vec::new();
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    let ours = names.filter(|name| name.as_encoded_bytes().starts_with(prefix.as_encoded_bytes()));
    let mut paths: Vec<PathBuf> = ours.map(|name| folder_of(target).join(name)).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests;
