//! Writing and opening packages.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use gradus_tensor::Tensor;
use serde_json::Value;

use crate::atomic::{NewFolder, recover_folder};
use crate::digest::{HashingWriter, sha256_hex, sha256_of_file};
use crate::error::{Error, Result};
use crate::files::{is_inner_name, read_limited};
use crate::manifest::{FORMAT_VERSION, FileRecord, Manifest};
use crate::safetensors::{map, parse, tensors_of, write_tensors};
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
}

impl Package {
    /// Writes a package folder, all or nothing: a crash at any instant leaves what was at `folder` before, or the new
    /// package. A package that is there is replaced; it may be the one the contents were read from. Parent folders
    /// are created. Equal contents give equal bytes.
    ///
    /// # Errors
    /// [`Error::WouldReplace`] when the folder holds something else than a package, [`Error::DuplicateTensor`] and
    /// [`Error::ReservedName`] for names that cannot be stored, [`Error::Io`] from the system.
    pub fn save(folder: impl AsRef<Path>, contents: &PackageContents) -> Result<Saved> {
        let folder = folder.as_ref();
        refuse_to_replace(folder)?;
        let new = NewFolder::create(folder)?;
        let stored = encode(contents)?;
        let mut manifest = Manifest {
            format_version: FORMAT_VERSION,
            sparse_tensors: stored.in_parts,
            ..contents.manifest.clone()
        };
        manifest.files = BTreeMap::from([
            (
                CONFIG_FILE.to_owned(),
                write_config(&new.path().join(CONFIG_FILE), &contents.config)?,
            ),
            (
                WEIGHTS_FILE.to_owned(),
                write_weights(&new.path().join(WEIGHTS_FILE), &stored.tensors)?,
            ),
        ]);
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
        let folder = folder.as_ref();
        recover_folder(folder)?;
        let (manifest, fingerprint) = read_manifest(folder)?;
        for (name, record) in &manifest.files {
            if name != CONFIG_FILE && name != WEIGHTS_FILE {
                verify_file(folder, name, record)?;
            }
        }
        let config = read_config(folder, &manifest)?;
        let tensors = read_weights(folder, &manifest)?;
        Ok(Package {
            path: folder.to_path_buf(),
            config,
            tensors,
            manifest,
            fingerprint,
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

fn write_config(path: &Path, config: &Value) -> Result<FileRecord> {
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

fn write_weights(path: &Path, tensors: &[(String, Tensor)]) -> Result<FileRecord> {
    write_new(path, |file| {
        let mut out = HashingWriter::new(file);
        write_tensors(&mut out, path, tensors)?;
        Ok(FileRecord {
            bytes: out.bytes(),
            sha256: out.digest(),
        })
    })
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
    let (path, record) = required(folder, manifest, CONFIG_FILE)?;
    let bytes = read_limited(&path)?;
    verify(&path, record, bytes.len() as u64, || Ok(sha256_hex(&bytes)))?;
    serde_json::from_slice(&bytes).map_err(Error::json(&path))
}

fn read_weights(folder: &Path, manifest: &Manifest) -> Result<Vec<(String, Tensor)>> {
    let (path, record) = required(folder, manifest, WEIGHTS_FILE)?;
    let file = map(&path)?;
    verify(&path, record, file.bytes().len() as u64, || {
        Ok(sha256_hex(file.bytes()))
    })?;
    let header = parse(&path, file.bytes())?;
    let mut tensors: BTreeMap<_, _> = tensors_of(&path, &file, &header.tensors)?.into_iter().collect();
    for name in &manifest.sparse_tensors {
        sparse::unpack(name, &mut tensors).map_err(|problem| Error::Sparse {
            path: path.clone(),
            tensor: name.clone(),
            source: Box::new(problem),
        })?;
    }
    Ok(tensors.into_iter().collect())
}

/// The path and record of a file without which there is no package.
fn required<'a>(
    folder: &Path,
    manifest: &'a Manifest,
    name: &'static str,
) -> Result<(PathBuf, &'a FileRecord)> {
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
        return Err(missing("the package's manifest lists it; restore it from a copy"));
    }
    Ok((path, record))
}

/// Verifies a file that is not read for anything else.
fn verify_file(folder: &Path, name: &str, record: &FileRecord) -> Result<()> {
    let path = folder.join(name);
    if !path.exists() {
        let needed_by = "the package's manifest lists it; restore it from a copy";
        return Err(Error::MissingFile { path, needed_by });
    }
    let bytes = fs::metadata(&path).map_err(Error::io("read", &path))?.len();
    verify(&path, record, bytes, || Ok(sha256_of_file(&path)?.1))
}

/// Compares length and digest with the record; a wrong length is told without hashing.
fn verify(
    path: &Path,
    record: &FileRecord,
    bytes: u64,
    digest: impl FnOnce() -> Result<String>,
) -> Result<()> {
    if bytes != record.bytes {
        return Err(Error::Length {
            path: path.to_path_buf(),
            expected: record.bytes,
            got: bytes,
        });
    }
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
