//! What a package or a tensor file holds, without reading the tensors: for `inspect`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::error::Result;
use crate::manifest::Manifest;
use crate::package::weights::INDEX_FILE;
use crate::package::{CONFIG_FILE, WEIGHTS_FILE, read_json, read_manifest};
use crate::safetensors::{TensorEntry, map, parse};
use crate::versions::resolve;

/// What was found at a path.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Summary {
    /// A model package.
    Package(Box<PackageSummary>),
    /// A single safetensors file.
    File(FileSummary),
}

/// What a package holds. Its files are read as far as needed to tell; only opening the package verifies them all.
#[derive(Clone, Debug, Serialize)]
pub struct PackageSummary {
    /// The package folder; the newest version's where a folder of versions was given.
    pub path: PathBuf,
    /// The package's identity.
    pub fingerprint: String,
    /// The manifest.
    pub manifest: Manifest,
    /// The architecture.
    pub config: Value,
    /// The weights as stored: sparse ones in their parts.
    pub weights: FileSummary,
    /// Bytes of all files that the manifest lists.
    pub total_bytes: u64,
}

/// What a safetensors file holds.
#[derive(Clone, Debug, Serialize)]
pub struct FileSummary {
    /// The file.
    pub path: PathBuf,
    /// Its length.
    pub file_bytes: u64,
    /// Its tensors, in the order of their bytes.
    pub tensors: Vec<TensorSummary>,
    /// Elements of all tensors.
    pub total_elements: u64,
    /// Bytes of all tensors.
    pub tensor_bytes: u64,
    /// The free text that goes with the tensors.
    pub metadata: BTreeMap<String, String>,
}

/// One tensor of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TensorSummary {
    /// Its name.
    pub name: String,
    /// Its element type, as the safetensors format writes it.
    pub dtype: String,
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// The number of elements.
    pub elements: u64,
    /// The bytes they take.
    pub bytes: u64,
}

/// Looks at a package, a folder of versions (the newest counts) or a safetensors file.
///
/// # Errors
/// [`Error::NotAPackage`](crate::Error::NotAPackage) for a folder that is none; as
/// [`Package::open`](crate::Package::open) and [`read_safetensors`](crate::safetensors::read_safetensors) for files
/// that are damaged where they were looked at.
pub fn summarize(path: impl AsRef<Path>) -> Result<Summary> {
    let path = path.as_ref();
    if path.is_file() {
        return Ok(Summary::File(summarize_file(path)?));
    }
    Ok(Summary::Package(Box::new(summarize_package(&resolve(path)?)?)))
}

fn summarize_package(path: &Path) -> Result<PackageSummary> {
    let (manifest, fingerprint) = read_manifest(path)?;
    let config = read_json(&path.join(CONFIG_FILE))?;
    let weights = summarize_weights(path, &manifest)?;
    let total_bytes = manifest.files.values().map(|file| file.bytes).sum();
    Ok(PackageSummary {
        path: path.to_path_buf(),
        fingerprint,
        manifest,
        config,
        weights,
        total_bytes,
    })
}

/// The weights of a package, of all their files together.
fn summarize_weights(path: &Path, manifest: &Manifest) -> Result<FileSummary> {
    if !manifest.files.contains_key(INDEX_FILE) {
        return summarize_file(&path.join(WEIGHTS_FILE));
    }
    let mut whole = FileSummary {
        path: path.join(INDEX_FILE),
        file_bytes: 0,
        tensors: Vec::new(),
        total_elements: 0,
        tensor_bytes: 0,
        metadata: BTreeMap::new(),
    };
    for name in manifest
        .files
        .keys()
        .filter(|name| name.ends_with(".safetensors"))
    {
        let shard = summarize_file(&path.join(name))?;
        whole.file_bytes += shard.file_bytes;
        whole.total_elements += shard.total_elements;
        whole.tensor_bytes += shard.tensor_bytes;
        whole.tensors.extend(shard.tensors);
    }
    Ok(whole)
}

fn summarize_file(path: &Path) -> Result<FileSummary> {
    let file = map(path)?;
    let header = parse(path, file.bytes())?;
    let tensors: Vec<_> = header.tensors.into_iter().map(summarize_tensor).collect();
    Ok(FileSummary {
        path: path.to_path_buf(),
        file_bytes: file.bytes().len() as u64,
        total_elements: tensors.iter().map(|tensor| tensor.elements).sum(),
        tensor_bytes: tensors.iter().map(|tensor| tensor.bytes).sum(),
        tensors,
        metadata: header.metadata,
    })
}

fn summarize_tensor(entry: TensorEntry) -> TensorSummary {
    let elements = entry.shape.iter().product::<usize>() as u64;
    TensorSummary {
        name: entry.name,
        dtype: entry.dtype,
        elements,
        shape: entry.shape,
        bytes: entry.bytes.len() as u64,
    }
}
