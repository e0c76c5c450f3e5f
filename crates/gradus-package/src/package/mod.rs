//! Writing and opening packages.

mod verify;
pub(crate) mod weights;

pub use verify::Verification;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gradus_tensor::Tensor;
use serde_json::Value;

use crate::atomic::{NewFolder, recover_folder, sync_folder};
use crate::digest::sha256_hex;
use crate::error::{Error, Result};
use crate::files::{ExtraFiles, MAX_TEXT_BYTES, is_inner_name, read_limited};
use crate::manifest::{FORMAT_VERSION, FileRecord, Manifest};
use crate::package::verify::{verify, verify_file};
use crate::package::weights::{INDEX_FILE, MAX_SHARD_BYTES};
use crate::safetensors::held;
use crate::sparse;

/// The architecture.
pub const CONFIG_FILE: &str = "config.json";
/// The weights.
pub const WEIGHTS_FILE: &str = "model.safetensors";
/// The manifest.
pub const MANIFEST_FILE: &str = "gradus.json";

/// What to put into a package.
#[derive(Clone)]
pub struct PackageContents {
    /// The architecture, for `config.json`.
    pub config: Value,
    /// The weights by name, for `model.safetensors`.
    pub tensors: Vec<(String, Tensor)>,
    /// What to say about them; `format_version`, `sparse_tensors` and `files` are filled in.
    pub manifest: Manifest,
    /// How to store the weights.
    pub encoding: Encoding,
    /// Files to keep beside them, as `tokenizer.json`; empty where there are none.
    pub files: ExtraFiles,
}

/// How tensors are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Every element.
    #[default]
    Dense,
    /// Each tensor as a mask and the elements that are not zero, where that takes fewer bytes.
    Sparse,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The package's identity: the SHA-256 that seals its manifest, and so all its files.
    pub fingerprint: String,
    /// Bytes of all its files.
    pub bytes: u64,
}

/// A package that was opened and found whole.
#[derive(Clone)]
pub struct Package {
    path: PathBuf,
    config: Value,
    tensors: Vec<(String, Tensor)>,
    manifest: Manifest,
    fingerprint: String,
    files: ExtraFiles,
}

impl Package {
    /// Writes a package folder, all or nothing: a crash at any instant leaves what was at `folder` before, or the new
    /// package. A package that is there is replaced; it may be the one the contents were read from. Parent folders
    /// are created. Equal contents give equal bytes. Weights are streamed to the disk; above 5 GB they are split into
    /// several files with an index, as `transformers` does.
    ///
    /// # Errors
    /// [`Error::WouldReplace`] when the folder holds something else than a package, [`Error::DuplicateTensor`] and
    /// [`Error::ReservedName`] for names that cannot be stored, [`Error::FileName`] for an extra file with the name of
    /// another or outside the folder, [`Error::Io`] from the system.
    pub fn save(folder: impl AsRef<Path>, contents: &PackageContents) -> Result<Saved> {
        Package::save_in_shards(folder.as_ref(), contents, MAX_SHARD_BYTES)
    }

    /// As [`save`](Self::save), with files of weights of at most `shard_bytes` each (or one tensor).
    fn save_in_shards(folder: &Path, contents: &PackageContents, shard_bytes: u64) -> Result<Saved> {
        refuse_to_replace(folder)?;
        check_file_names(&contents.files)?;
        let new = NewFolder::create(folder)?;
        let stored = encode(contents)?;
        let mut manifest = Manifest {
            format_version: FORMAT_VERSION,
            sparse_tensors: stored.in_parts,
            ..contents.manifest.clone()
        };
        let config = write_config(&new.path().join(CONFIG_FILE), &contents.config)?;
        manifest.files = weights::write(new.path(), held(&stored.tensors), &[], shard_bytes)?;
        manifest.files.insert(CONFIG_FILE.to_owned(), config);
        manifest
            .files
            .extend(write_extra_files(new.path(), &contents.files)?);
        let path = new.path().join(MANIFEST_FILE);
        let (bytes, fingerprint) = manifest.to_sealed_bytes(&path)?;
        write_new(&path, |file| {
            file.write_all(&bytes).map_err(Error::io("write", &path))
        })?;
        new.commit()?;
        let files: u64 = manifest.files.values().map(|file| file.bytes).sum();
        Ok(Saved {
            fingerprint,
            bytes: files + bytes.len() as u64,
        })
    }

    /// Opens a package folder and verifies every byte of it. The weights are mapped, not copied, and read once for
    /// their checksum; sparse tensors are unpacked.
    ///
    /// # Errors
    /// [`Error::NotAPackage`] or [`Error::MissingFile`] when files are not there; [`Error::Checksum`],
    /// [`Error::Length`], [`Error::Unsealed`] when bytes are not those that were written; [`Error::FutureVersion`] for
    /// a format this build does not know; [`Error::Json`], [`Error::SafeTensors`], [`Error::Sparse`],
    /// [`Error::UnsupportedDType`] for files that were never right.
    pub fn open(folder: impl AsRef<Path>) -> Result<Package> {
        Package::open_with(folder, Verification::Full)
    }

    /// As [`open`](Self::open), with a choice of how much is verified: [`Verification::Quick`] does not read the
    /// weights, so that a model of gigabytes is at hand at once.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(folder: impl AsRef<Path>, verification: Verification) -> Result<Package> {
        let folder = folder.as_ref();
        recover_folder(folder)?;
        let (manifest, fingerprint) = read_manifest(folder)?;
        let config = read_config(folder, &manifest)?;
        let files = read_extra_files(folder, &manifest)?;
        let tensors = weights::read(folder, &manifest, verification)?;
        Ok(Package {
            path: folder.to_path_buf(),
            config,
            tensors,
            manifest,
            fingerprint,
            files,
        })
    }

    /// The folder it was opened from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The architecture: `config.json`.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// The weights by name, in order of name.
    pub fn tensors(&self) -> &[(String, Tensor)] {
        &self.tensors
    }

    /// The manifest: `gradus.json`.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The files beside the weights, as `tokenizer.json`.
    pub fn files(&self) -> &ExtraFiles {
        &self.files
    }

    /// The package's identity: the SHA-256 that seals its manifest, and so all its files.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Bytes of all its files except the manifest.
    pub fn file_bytes(&self) -> u64 {
        self.manifest.files.values().map(|file| file.bytes).sum()
    }

    /// Everything in it, to make a changed package of. Weights are shared, not copied.
    pub fn to_contents(&self) -> PackageContents {
        let encoding = if self.manifest.sparse_tensors.is_empty() {
            Encoding::Dense
        } else {
            Encoding::Sparse
        };
        let (config, tensors) = (self.config.clone(), self.tensors.clone());
        PackageContents {
            config,
            tensors,
            manifest: self.manifest.clone(),
            encoding,
            files: self.files.clone(),
        }
    }
}

impl PackageContents {
    /// Bytes that the tensors will take in `model.safetensors`, without its header.
    ///
    /// # Errors
    /// [`Error::Tensor`] when a tensor cannot be read.
    pub fn tensor_bytes(&self) -> Result<u64> {
        let stored = encode(self)?;
        Ok(stored
            .tensors
            .iter()
            .map(|(_, tensor)| crate::safetensors::stored_bytes(tensor) as u64)
            .sum())
    }
}

/// Whether a folder looks like a package: it has a manifest.
pub fn is_package(folder: &Path) -> bool {
    folder.join(MANIFEST_FILE).is_file()
}

/// Reads a package's manifest and verifies its own checksum, not those of the files it lists.
///
/// # Errors
/// As [`Package::open`], for the manifest.
pub fn read_manifest(folder: &Path) -> Result<(Manifest, String)> {
    let path = folder.join(MANIFEST_FILE);
    if !path.exists() {
        return Err(Error::NotAPackage {
            path: folder.to_path_buf(),
        });
    }
    let read = Manifest::from_sealed_bytes(&path, &read_limited(&path)?)?;
    if let Some(name) = read.0.files.keys().find(|name| !is_inner_name(name)) {
        return Err(Error::ForeignPath {
            manifest: path,
            name: name.clone(),
        });
    }
    Ok(read)
}

fn refuse_to_replace(folder: &Path) -> Result<()> {
    let Ok(mut entries) = fs::read_dir(folder) else {
        let occupied = fs::symlink_metadata(folder).is_ok();
        return if occupied {
            Err(Error::WouldReplace {
                path: folder.to_path_buf(),
            })
        } else {
            Ok(())
        };
    };
    if is_package(folder) || entries.next().is_none() {
        return Ok(());
    }
    Err(Error::WouldReplace {
        path: folder.to_path_buf(),
    })
}

/// Tensors as they will be stored.
struct Stored<'a> {
    tensors: Cow<'a, [(String, Tensor)]>,
    /// The names of those that are stored in parts, in order.
    in_parts: Vec<String>,
}

fn encode(contents: &PackageContents) -> Result<Stored<'_>> {
    match contents.encoding {
        Encoding::Dense => Ok(Stored {
            tensors: Cow::Borrowed(&contents.tensors),
            in_parts: Vec::new(),
        }),
        Encoding::Sparse => encode_sparse(&contents.tensors),
    }
}

fn encode_sparse(tensors: &[(String, Tensor)]) -> Result<Stored<'_>> {
    let (mut stored, mut in_parts) = (Vec::with_capacity(tensors.len()), Vec::new());
    for (name, tensor) in tensors {
        match sparse::pack(name, tensor).map_err(Error::tensor(name))? {
            Some(parts) => {
                stored.extend(parts);
                in_parts.push(name.clone());
            }
            None => stored.push((name.clone(), tensor.clone())),
        }
    }
    in_parts.sort();
    Ok(Stored {
        tensors: Cow::Owned(stored),
        in_parts,
    })
}

pub(crate) fn write_config(path: &Path, config: &Value) -> Result<FileRecord> {
    let mut bytes = serde_json::to_vec_pretty(config).map_err(Error::encode(path))?;
    bytes.push(b'\n');
    write_new(path, |file| {
        file.write_all(&bytes).map_err(Error::io("write", path))
    })?;
    Ok(FileRecord {
        bytes: bytes.len() as u64,
        sha256: sha256_hex(&bytes),
    })
}

/// Extra files must not stand in the way of the package's own.
pub(crate) fn check_file_names(files: &ExtraFiles) -> Result<()> {
    let is_own = |name: &str| {
        name == CONFIG_FILE || name == MANIFEST_FILE || name == INDEX_FILE || name.ends_with(".safetensors")
    };
    match files.keys().find(|name| !is_inner_name(name) || is_own(name)) {
        Some(name) => Err(Error::FileName { name: name.clone() }),
        None => Ok(()),
    }
}

pub(crate) fn write_extra_files(folder: &Path, files: &ExtraFiles) -> Result<BTreeMap<String, FileRecord>> {
    let mut records = BTreeMap::new();
    for (name, bytes) in files {
        let path = folder.join(name);
        let inner = path.parent().filter(|parent| *parent != folder);
        if let Some(inner) = inner {
            fs::create_dir_all(inner).map_err(Error::io("create", inner))?;
        }
        write_new(&path, |file| {
            file.write_all(bytes).map_err(Error::io("write", &path))
        })?;
        if let Some(inner) = inner {
            sync_folder(inner)?;
        }
        let record = FileRecord {
            bytes: bytes.len() as u64,
            sha256: sha256_hex(bytes),
        };
        records.insert(name.clone(), record);
    }
    Ok(records)
}

/// The files beside config and weights, verified. One too large for a text is verified and not kept in memory.
fn read_extra_files(folder: &Path, manifest: &Manifest) -> Result<ExtraFiles> {
    let mut files = ExtraFiles::new();
    for (name, record) in &manifest.files {
        if name == CONFIG_FILE || weights::is_weights_file(name) {
            continue;
        }
        let path = folder.join(name);
        if record.bytes > MAX_TEXT_BYTES {
            verify_file(&path, record)?;
            continue;
        }
        if !path.exists() {
            let needed_by = LISTED;
            return Err(Error::MissingFile { path, needed_by });
        }
        let bytes = read_limited(&path)?;
        verify(&path, record, bytes.len() as u64, || Ok(sha256_hex(&bytes)))?;
        files.insert(name.clone(), Arc::from(bytes));
    }
    Ok(files)
}

/// Creates a file in the new folder and flushes it to the disk.
fn write_new<T>(path: &Path, fill: impl FnOnce(&mut File) -> Result<T>) -> Result<T> {
    let mut file = File::create_new(path).map_err(Error::io("create", path))?;
    let value = fill(&mut file)?;
    file.sync_all().map_err(Error::io("flush", path))?;
    Ok(value)
}

/// Reads a JSON file of unverified contents.
pub(crate) fn read_json(path: &Path) -> Result<Value> {
    serde_json::from_slice(&read_limited(path)?).map_err(Error::json(path))
}

fn read_config(folder: &Path, manifest: &Manifest) -> Result<Value> {
    let bytes = read_verified(folder, manifest, CONFIG_FILE)?;
    serde_json::from_slice(&bytes).map_err(Error::json(&folder.join(CONFIG_FILE)))
}

/// A small file of the manifest, verified.
fn read_verified(folder: &Path, manifest: &Manifest, name: &str) -> Result<Vec<u8>> {
    let (path, record) = required(folder, manifest, name)?;
    let bytes = read_limited(&path)?;
    verify(&path, record, bytes.len() as u64, || Ok(sha256_hex(&bytes)))?;
    Ok(bytes)
}

/// Who needs a file that is not there.
const LISTED: &str = "the package's manifest lists it; restore it from a copy";

/// The path and record of a file without which there is no package.
fn required<'a>(folder: &Path, manifest: &'a Manifest, name: &str) -> Result<(PathBuf, &'a FileRecord)> {
    let path = folder.join(name);
    let missing = |needed_by| Error::MissingFile {
        path: path.clone(),
        needed_by,
    };
    let record = manifest
        .files
        .get(name)
        .ok_or_else(|| missing("the package's manifest does not list it"))?;
    if !path.exists() {
        return Err(missing(LISTED));
    }
    Ok((path, record))
}

#[cfg(test)]
mod tests;
