//! The weights of a package: one file, or several with an index where one would be too large.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use gradus_tensor::{MappedFile, Tensor};
use serde::{Deserialize, Serialize};

use crate::digest::{HashingWriter, sha256_hex};
use crate::error::{Error, Result};
use crate::manifest::{FileRecord, Manifest};
use crate::package::verify::{Verification, verify, verify_length};
use crate::package::{WEIGHTS_FILE, required, write_new};
use crate::safetensors::{LazyTensor, map, parse, tensors_of, write_tensors};
use crate::sparse;

/// Where the tensors of a model in several files lie.
pub(crate) const INDEX_FILE: &str = "model.safetensors.index.json";

/// The most that one file of weights takes: the size at which `transformers` splits them.
pub(crate) const MAX_SHARD_BYTES: u64 = 5_000_000_000;

/// What an index says.
#[derive(Serialize, Deserialize)]
struct Index {
    metadata: IndexMetadata,
    weight_map: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct IndexMetadata {
    total_size: u64,
}

/// Whether a file of that name holds weights, or says where they lie.
pub(super) fn is_weights_file(name: &str) -> bool {
    name == INDEX_FILE || name.ends_with(".safetensors")
}

/// Writes tensors to a new folder, in files of at most `shard_bytes` (or one tensor), and tells what was written.
pub(crate) fn write(
    folder: &Path,
    tensors: Vec<LazyTensor<'_>>,
    metadata: &[(&str, &str)],
    shard_bytes: u64,
) -> Result<BTreeMap<String, FileRecord>> {
    let total_size = tensors.iter().map(|tensor| tensor.bytes() as u64).sum();
    let mut shards = split(tensors, shard_bytes);
    if shards.len() == 1 {
        let record = write_file(&folder.join(WEIGHTS_FILE), shards.remove(0), metadata)?;
        return Ok(BTreeMap::from([(WEIGHTS_FILE.to_owned(), record)]));
    }
    let count = shards.len();
    let (mut records, mut weight_map) = (BTreeMap::new(), BTreeMap::new());
    for (number, shard) in (1..).zip(shards) {
        let name = format!("model-{number:05}-of-{count:05}.safetensors");
        weight_map.extend(shard.iter().map(|tensor| (tensor.name.to_owned(), name.clone())));
        records.insert(name.clone(), write_file(&folder.join(&name), shard, metadata)?);
    }
    let index = Index {
        metadata: IndexMetadata { total_size },
        weight_map,
    };
    let path = folder.join(INDEX_FILE);
    let mut bytes = serde_json::to_vec_pretty(&index).map_err(Error::encode(&path))?;
    bytes.push(b'\n');
    write_new(&path, |file| {
        std::io::Write::write_all(file, &bytes).map_err(Error::io("write", &path))
    })?;
    let record = FileRecord {
        bytes: bytes.len() as u64,
        sha256: sha256_hex(&bytes),
    };
    records.insert(INDEX_FILE.to_owned(), record);
    Ok(records)
}

/// Cuts the tensors, in order of name, into runs that fit a file.
fn split(mut tensors: Vec<LazyTensor<'_>>, shard_bytes: u64) -> Vec<Vec<LazyTensor<'_>>> {
    tensors.sort_by(|a, b| a.name.cmp(b.name));
    let (mut shards, mut shard, mut filled) = (Vec::new(), Vec::new(), 0);
    for tensor in tensors {
        let bytes = tensor.bytes() as u64;
        if filled + bytes > shard_bytes && !shard.is_empty() {
            shards.push(std::mem::take(&mut shard));
            filled = 0;
        }
        filled += bytes;
        shard.push(tensor);
    }
    shards.push(shard);
    shards
}

fn write_file(path: &Path, tensors: Vec<LazyTensor<'_>>, metadata: &[(&str, &str)]) -> Result<FileRecord> {
    write_new(path, |file| {
        let mut out = HashingWriter::new(file);
        write_tensors(&mut out, path, tensors, metadata)?;
        Ok(FileRecord {
            bytes: out.bytes(),
            sha256: out.digest(),
        })
    })
}

/// A file of weights that is mapped and not yet believed.
struct Shard<'a> {
    path: PathBuf,
    file: Arc<MappedFile>,
    record: &'a FileRecord,
}

/// The tensors by name; sparse ones are unpacked.
pub(super) fn read(
    folder: &Path,
    manifest: &Manifest,
    verification: Verification,
) -> Result<Vec<(String, Tensor)>> {
    let shards = shards(folder, manifest)?;
    match verification {
        Verification::Full => verify_all(&shards)?,
        Verification::Quick => {}
    }
    let mut tensors = BTreeMap::new();
    for shard in &shards {
        let header = parse(&shard.path, shard.file.bytes())?;
        for (name, tensor) in tensors_of(&shard.path, &shard.file, &header.tensors)? {
            if tensors.insert(name.clone(), tensor).is_some() {
                return Err(Error::DuplicateTensor { name });
            }
        }
    }
    for name in &manifest.sparse_tensors {
        sparse::unpack(name, &mut tensors).map_err(|problem| Error::Sparse {
            path: folder.to_path_buf(),
            tensor: name.clone(),
            source: Box::new(problem),
        })?;
    }
    Ok(tensors.into_iter().collect())
}

/// The files of weights, of the right length.
fn shards<'a>(folder: &Path, manifest: &'a Manifest) -> Result<Vec<Shard<'a>>> {
    let names: Vec<&str> = if manifest.files.contains_key(INDEX_FILE) {
        let shards = manifest
            .files
            .keys()
            .filter(|name| name.ends_with(".safetensors"));
        shards.map(String::as_str).collect()
    } else {
        vec![WEIGHTS_FILE]
    };
    let open = |name: &&str| {
        let (path, record) = required(folder, manifest, name)?;
        let file = map(&path)?;
        verify_length(&path, record, file.bytes().len() as u64)?;
        Ok(Shard { path, file, record })
    };
    let index = manifest.files.get(INDEX_FILE);
    if index.is_some() {
        super::read_verified(folder, manifest, INDEX_FILE)?;
    }
    names.iter().map(open).collect()
}

/// Hashes the files side by side; the first in order that is damaged is told.
fn verify_all(shards: &[Shard<'_>]) -> Result<()> {
    let digest = |shard: &Shard<'_>| {
        let bytes = shard.file.bytes();
        verify(&shard.path, shard.record, bytes.len() as u64, || {
            Ok(sha256_hex(bytes))
        })
    };
    if let [only] = shards {
        return digest(only);
    }
    let workers = thread::available_parallelism().map_or(1, usize::from);
    for group in shards.chunks(workers) {
        thread::scope(|scope| {
            let running: Vec<_> = group
                .iter()
                .map(|shard| scope.spawn(move || digest(shard)))
                .collect();
            let results = running
                .into_iter()
                .map(|worker| worker.join().expect("bug: hashing does not panic"));
            results.collect::<Result<()>>()
        })?;
    }
    Ok(())
}
