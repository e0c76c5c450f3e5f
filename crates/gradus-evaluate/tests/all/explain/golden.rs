//! The golden file: networks, questions and answers.

use std::path::{Path, PathBuf};

use gradus_evaluate::explain::Explained;
use gradus_nn::{Layer, ModelConfig};
use gradus_tensor::Tensor;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

pub struct Golden {
    bytes: Vec<u8>,
    pub cases: Vec<Value>,
    models: Value,
}

pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../golden")
        .join(name)
}

impl Golden {
    pub fn open() -> Golden {
        let bytes = std::fs::read(path("explain.safetensors")).expect("a golden file");
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a golden file");
        let metadata = header.metadata().as_ref().expect("a golden file");
        let read = |key: &str| serde_json::from_str::<Value>(&metadata[key]).expect("a golden file");
        let cases = read("cases").as_array().expect("a golden file").clone();
        Golden {
            cases,
            models: read("models"),
            bytes,
        }
    }

    /// The cases of a kind.
    pub fn of_kind(&self, kind: &str) -> Vec<&Value> {
        let cases: Vec<&Value> = self.cases.iter().filter(|case| case["kind"] == kind).collect();
        assert!(!cases.is_empty(), "no case of {kind}");
        cases
    }

    /// A tensor of a case: its shape and numbers.
    pub fn numbers(&self, case: &Value, name: &str) -> Vec<f32> {
        let name = format!("{}.{name}", case["name"].as_str().expect("a golden file"));
        tensor(&self.bytes, &name).1
    }

    /// The network of a case.
    pub fn model(&self, case: &Value) -> Box<dyn Layer> {
        let name = case["model"].as_str().expect("a golden file");
        let config: ModelConfig = serde_json::from_value(self.models[name].clone()).expect("a golden file");
        let prefix = format!("model.{name}.");
        let file = SafeTensors::deserialize(&self.bytes).expect("a golden file");
        let mut state: Vec<(String, Tensor)> = file
            .names()
            .into_iter()
            .filter_map(|full| {
                let key = full.strip_prefix(&prefix)?;
                let (shape, values) = tensor(&self.bytes, full);
                Some((
                    key.to_owned(),
                    Tensor::from_vec(values, shape).expect("a golden file"),
                ))
            })
            .collect();
        // PyTorch's count of batches, which evaluation does not use.
        let counts = state
            .iter()
            .filter_map(|(name, _)| name.strip_suffix("norm.weight"));
        let counts: Vec<String> = counts
            .map(|path| format!("{path}norm.num_batches_tracked"))
            .collect();
        state.extend(counts.into_iter().map(|name| (name, Tensor::scalar(0i64))));
        config.load(&state).expect("a golden file")
    }

    /// The network's input shape.
    pub fn row_shape(&self, case: &Value) -> Vec<usize> {
        let name = case["model"].as_str().expect("a golden file");
        numbers_of(&self.models[name]["input_shape"])
    }
}

/// A network as the methods see it.
pub fn explained<'a>(golden: &Golden, case: &Value, model: &'a dyn Layer) -> Explained<'a> {
    let shape = golden.row_shape(case);
    let outputs = golden.models[case["model"].as_str().expect("a golden file")]["num_classes"]
        .as_u64()
        .expect("a golden file") as usize;
    Explained::new(shape, outputs, move |x| Ok(model.forward(x)?))
}

pub fn numbers_of(value: &Value) -> Vec<usize> {
    let items = value.as_array().expect("a golden file");
    items
        .iter()
        .map(|item| item.as_u64().expect("a golden file") as usize)
        .collect()
}

pub fn tensor(bytes: &[u8], name: &str) -> (Vec<usize>, Vec<f32>) {
    let file = SafeTensors::deserialize(bytes).expect("a golden file");
    let view = file
        .tensor(name)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let values = match view.dtype() {
        Dtype::F32 => view
            .data()
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")))
            .collect(),
        Dtype::I64 => view
            .data()
            .chunks_exact(8)
            .map(|bytes| i64::from_le_bytes(bytes.try_into().expect("eight bytes")) as f32)
            .collect(),
        other => panic!("{name} holds {other:?}"),
    };
    (view.shape().to_vec(), values)
}

/// Every number within `tolerance` of what is expected.
pub fn assert_close(what: &str, got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (at, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!(
            (got - expected).abs() <= tolerance,
            "{what}[{at}] is {got}, expected {expected}"
        );
    }
}
