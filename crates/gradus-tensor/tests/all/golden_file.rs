//! Reading the golden files; their layout is described in `golden/golden_file.py`.

use std::collections::HashMap;

use gradus_tensor::Tensor;
use serde::Deserialize;
use serde_json::Value;

/// One call of an op and what PyTorch answered, as names of tensors.
#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    pub op: String,
    pub attrs: Value,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub upstream: Vec<String>,
    pub grads: Vec<String>,
}

impl Case {
    pub fn has(&self, key: &str) -> bool {
        self.attrs.get(key).is_some()
    }

    pub fn number(&self, key: &str) -> f64 {
        self.attrs[key]
            .as_f64()
            .unwrap_or_else(|| panic!("{}: attribute {key} is no number", self.name))
    }

    pub fn integer(&self, key: &str) -> i64 {
        self.attrs[key]
            .as_i64()
            .unwrap_or_else(|| panic!("{}: attribute {key} is no integer", self.name))
    }

    pub fn flag(&self, key: &str) -> bool {
        self.attrs[key]
            .as_bool()
            .unwrap_or_else(|| panic!("{}: attribute {key} is no truth value", self.name))
    }

    pub fn text(&self, key: &str) -> &str {
        self.attrs[key]
            .as_str()
            .unwrap_or_else(|| panic!("{}: attribute {key} is no text", self.name))
    }

    pub fn list(&self, key: &str) -> Vec<usize> {
        serde_json::from_value(self.attrs[key].clone())
            .unwrap_or_else(|e| panic!("{}: {key}: {e}", self.name))
    }

    pub fn numbers(&self, key: &str) -> Vec<f64> {
        serde_json::from_value(self.attrs[key].clone())
            .unwrap_or_else(|e| panic!("{}: {key}: {e}", self.name))
    }

    pub fn pair(&self, key: &str) -> [usize; 2] {
        self.list(key)
            .try_into()
            .unwrap_or_else(|list| panic!("{}: {key} is {list:?}, no pair", self.name))
    }

    /// An axis, counted from the end where PyTorch did.
    pub fn axis(&self, key: &str, rank: usize) -> usize {
        from_end(self.integer(key), rank)
    }

    pub fn axes(&self, key: &str, rank: usize) -> Vec<usize> {
        let axes: Vec<i64> = serde_json::from_value(self.attrs[key].clone()).unwrap();
        axes.into_iter().map(|axis| from_end(axis, rank)).collect()
    }
}

fn from_end(axis: i64, rank: usize) -> usize {
    if axis < 0 {
        rank - axis.unsigned_abs() as usize
    } else {
        axis as usize
    }
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// An open golden file.
pub struct GoldenFile {
    cases: Vec<Case>,
    entries: HashMap<String, Entry>,
    data: Vec<u8>,
}

impl GoldenFile {
    pub fn open(name: &str) -> GoldenFile {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../golden")
            .join(name);
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (length, rest) = bytes
            .split_first_chunk::<8>()
            .expect("a safetensors file starts with its header's length");
        let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
        let mut header: HashMap<String, Value> = serde_json::from_slice(header).unwrap();
        let metadata = header.remove("__metadata__").unwrap();
        let entries = header
            .into_iter()
            .map(|(name, entry)| (name, serde_json::from_value(entry).unwrap()))
            .collect();
        let cases = serde_json::from_str(metadata["cases"].as_str().unwrap()).unwrap();
        GoldenFile {
            cases,
            entries,
            data: data.to_vec(),
        }
    }

    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    pub fn tensor(&self, name: &str) -> Tensor {
        let entry = self
            .entries
            .get(name)
            .unwrap_or_else(|| panic!("the golden file holds no {name}"));
        let bytes = &self.data[entry.data_offsets[0]..entry.data_offsets[1]];
        let shape = &entry.shape;
        match entry.dtype.as_str() {
            "F32" => Tensor::from_vec(numbers(bytes, f32::from_le_bytes), shape),
            "I64" => Tensor::from_vec(numbers(bytes, i64::from_le_bytes), shape),
            "U8" => Tensor::from_slice(bytes, shape),
            other => panic!("{name} has unexpected type {other}"),
        }
        .unwrap()
    }
}

fn numbers<T, const N: usize>(bytes: &[u8], from: fn([u8; N]) -> T) -> Vec<T> {
    bytes
        .as_chunks::<N>()
        .0
        .iter()
        .map(|&chunk| from(chunk))
        .collect()
}
