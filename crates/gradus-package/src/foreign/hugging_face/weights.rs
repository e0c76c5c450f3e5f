//! The weights of a folder: one safetensors file, or shards that an index lists.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::files::{is_plain_name, read_limited};
use crate::foreign::ForeignTensor;
use crate::foreign::hugging_face::HuggingFaceProblem;
use crate::foreign::narrow::NarrowType;
use crate::foreign::pickle::read_torch_file;
use crate::package::WEIGHTS_FILE;
use crate::safetensors::{TensorEntry, map, parse, tensor_of};

/// Where the tensors of a sharded model lie.
pub(crate) const INDEX_FILE: &str = "model.safetensors.index.json";

/// The weights as PyTorch saves them, whole and in shards.
const TORCH_FILE: &str = "pytorch_model.bin";
const TORCH_INDEX_FILE: &str = "pytorch_model.bin.index.json";

/// In the order they are looked for.
const LOOKED_FOR: [&str; 4] = [WEIGHTS_FILE, INDEX_FILE, TORCH_FILE, TORCH_INDEX_FILE];

/// What an index says; its `metadata` is a size that the shards tell better.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// All tensors of a folder.
pub(super) fn read(folder: &Path) -> Result<Vec<ForeignTensor>> {
    let found = LOOKED_FOR.iter().find(|name| folder.join(name).exists());
    match found.copied() {
        Some(index @ (INDEX_FILE | TORCH_INDEX_FILE)) => read_sharded(folder, index),
        Some(name) => read_file(&folder.join(name)),
        None => {
            let problem = HuggingFaceProblem::NoWeights {
                looked_for: &LOOKED_FOR,
            };
            Err(Error::hugging_face(folder)(problem))
        }
    }
}

/// One file, in the format that its name tells.
fn read_file(path: &Path) -> Result<Vec<ForeignTensor>> {
    if path
        .extension()
        .is_some_and(|extension| extension == "safetensors")
    {
        read_safetensors_file(path)
    } else {
        read_torch_file(path)
    }
}

fn read_safetensors_file(path: &Path) -> Result<Vec<ForeignTensor>> {
    let file = map(path)?;
    let header = parse(path, file.bytes())?;
    let read = |entry: &TensorEntry| {
        let tensor = match NarrowType::from_safetensors(&entry.dtype) {
            Some(narrow) => narrow.widen(&file.bytes()[entry.bytes.clone()], &entry.shape),
            None => tensor_of(path, &file, entry)?,
        };
        Ok(ForeignTensor::plain(&entry.name, tensor))
    };
    header.tensors.iter().map(read).collect()
}

/// The tensors that an index lists, each from the shard that it names.
fn read_sharded(folder: &Path, index: &str) -> Result<Vec<ForeignTensor>> {
    let path = folder.join(index);
    let Index { weight_map } = serde_json::from_slice(&read_limited(&path)?).map_err(Error::json(&path))?;
    let mut tensors = Vec::with_capacity(weight_map.len());
    for (file, names) in by_shard(&path, &weight_map)? {
        let mut held: BTreeMap<String, ForeignTensor> = read_file(&folder.join(file))?
            .into_iter()
            .map(|tensor| (tensor.name().to_owned(), tensor))
            .collect();
        for name in names {
            let problem = || HuggingFaceProblem::NotInShard {
                tensor: name.to_owned(),
                file: file.to_owned(),
            };
            let tensor = held.remove(name);
            tensors.push(tensor.ok_or_else(|| Error::hugging_face(&path)(problem()))?);
        }
    }
    Ok(tensors)
}

fn by_shard<'a>(
    path: &Path,
    weight_map: &'a BTreeMap<String, String>,
) -> Result<BTreeMap<&'a str, Vec<&'a str>>> {
    let mut shards: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (tensor, file) in weight_map {
        if !is_plain_name(file) {
            let (tensor, file) = (tensor.clone(), file.clone());
            return Err(Error::hugging_face(path)(HuggingFaceProblem::ShardName {
                tensor,
                file,
            }));
        }
        shards.entry(file).or_default().push(tensor);
    }
    Ok(shards)
}
