//! The folder of a cross-validation.
//!
//! | entry | holds |
//! |---|---|
//! | `identity.json` | recipe, division, seed and data: what must be the same to go on |
//! | `folds/r001-f001.json`, `.csv` | a finished fold's figures, and its predictions |
//! | `runs/r001-f001/` | the run of a fold that is not finished, or of one whose model is kept |
//! | `predictions.csv`, `crossval.json` | at the end: all predictions, and the summary |
//! | `.lock` | locked while a process works here |

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use gradus_package::write_atomic;
use serde::{Deserialize, Serialize};

use super::division::Division;
use super::fold::{FoldId, FoldResult};
use super::summary::Crossval;
use crate::{Error, Result};

pub(super) struct Store {
    folder: PathBuf,
}

/// What must be the same for a cross-validation to go on.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub recipe: String,
    pub division: Division,
    pub repeats: usize,
    pub seed: u64,
    pub data_sha256: String,
}

impl Identity {
    /// The first thing that differs.
    fn difference(&self, other: &Identity) -> Option<&'static str> {
        let same = [
            ("recipe", self.recipe == other.recipe),
            ("division", self.division == other.division),
            ("number of repetitions", self.repeats == other.repeats),
            ("seed", self.seed == other.seed),
            ("data", self.data_sha256 == other.data_sha256),
        ];
        same.into_iter()
            .find(|(_, is_same)| !is_same)
            .map(|(what, _)| what)
    }
}

impl Store {
    pub(super) fn create(folder: &Path) -> Result<Store> {
        let folds = folder.join("folds");
        fs::create_dir_all(&folds).map_err(at(&folds))?;
        let folder = folder.to_owned();
        Ok(Store { folder })
    }

    /// Keeps other processes out for as long as the file is held.
    pub(super) fn lock(&self) -> Result<File> {
        let path = self.folder.join(".lock");
        let file = File::create(&path).map_err(at(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => Err(Error::InUse {
                folder: self.folder.clone(),
            }),
            Err(fs::TryLockError::Error(source)) => Err(at(&path)(source)),
        }
    }

    /// Refuses a folder of another cross-validation; marks a new one as this one's.
    pub(super) fn check_identity(&self, identity: &Identity) -> Result<()> {
        let path = self.folder.join("identity.json");
        match read_json::<Identity>(&path)? {
            Some(found) => match found.difference(identity) {
                Some(what) => Err(Error::CrossvalChanged {
                    folder: self.folder.clone(),
                    what,
                }),
                None => Ok(()),
            },
            None => write_json(&path, identity),
        }
    }

    /// A finished fold's result.
    pub(super) fn read(&self, id: FoldId) -> Result<Option<FoldResult>> {
        read_json(&self.fold_file(id, "json"))
    }

    /// Marks a fold as finished. Its predictions must be there already.
    pub(super) fn write(&self, result: &FoldResult) -> Result<()> {
        write_json(&self.fold_file(result.id, "json"), result)
    }

    pub(super) fn write_predictions(&self, id: FoldId, text: &str) -> Result<()> {
        Ok(write_atomic(&self.fold_file(id, "csv"), text.as_bytes())?)
    }

    /// Puts the predictions of all folds into one file.
    pub(super) fn join_predictions(&self, ids: &[FoldId]) -> Result<PathBuf> {
        let mut all = String::new();
        for &id in ids {
            let path = self.fold_file(id, "csv");
            let text = fs::read_to_string(&path).map_err(at(&path))?;
            let (heading, lines) = text.split_once('\n').unwrap_or((&text, ""));
            if all.is_empty() {
                all = format!("{heading}\n");
            }
            all.push_str(lines);
        }
        let path = self.folder.join("predictions.csv");
        write_atomic(&path, all.as_bytes())?;
        Ok(path)
    }

    pub(super) fn write_summary(&self, crossval: &Crossval) -> Result<()> {
        write_json(&self.folder.join("crossval.json"), crossval)
    }

    /// Where a fold is trained.
    pub(super) fn run_folder(&self, id: FoldId) -> PathBuf {
        self.folder.join("runs").join(name(id))
    }

    pub(super) fn remove_run(&self, id: FoldId) -> Result<()> {
        let folder = self.run_folder(id);
        fs::remove_dir_all(&folder).map_err(at(&folder))
    }

    fn fold_file(&self, id: FoldId, extension: &str) -> PathBuf {
        self.folder
            .join("folds")
            .join(format!("{}.{extension}", name(id)))
    }
}

/// Counted from 1, as people count.
fn name(id: FoldId) -> String {
    format!("r{:03}-f{:03}", id.repeat + 1, id.fold + 1)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Files { path, source }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| at(path)(error.into()))?;
    text.push(b'\n');
    Ok(write_atomic(path, &text)?)
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| at(path)(error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(path)(error)),
    }
}
