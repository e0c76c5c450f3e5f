//! Reads the golden files: PyTorch's answers, laid out as `golden/golden_file.py` says.

use std::path::PathBuf;

use gradus_tensor::Tensor;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

/// Relative tolerance of a float32 answer against a float64 one, and absolute tolerance near 0.
const RELATIVE: f32 = 1e-5;
const ABSOLUTE: f32 = 1e-6;

pub struct GoldenFile {
    bytes: Vec<u8>,
    pub cases: Vec<Case>,
}

#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    pub op: String,
    pub attrs: serde_json::Map<String, serde_json::Value>,
    pub inputs: Vec<String>,
    pub grads: Vec<String>,
}

impl Case {
    pub fn number(&self, attribute: &str) -> f64 {
        self.attrs[attribute]
            .as_f64()
            .unwrap_or_else(|| panic!("{}: {attribute} is no number", self.name))
    }

    pub fn flag(&self, attribute: &str) -> bool {
        self.attrs[attribute]
            .as_bool()
            .unwrap_or_else(|| panic!("{}: {attribute} is no flag", self.name))
    }

    pub fn text(&self, attribute: &str) -> &str {
        self.attrs[attribute]
            .as_str()
            .unwrap_or_else(|| panic!("{}: {attribute} is no text", self.name))
    }

    /// Whether the case has an input of this short name.
    pub fn has(&self, input: &str) -> bool {
        self.inputs.contains(&format!("{}.{input}", self.name))
    }
}

impl GoldenFile {
    pub fn open(name: &str) -> GoldenFile {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../../golden")
            .join(name);
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a golden file");
        let cases = &header.metadata().as_ref().expect("a golden file")["cases"];
        let cases = serde_json::from_str(cases).expect("a golden file");
        GoldenFile { bytes, cases }
    }

    /// The cases of one op.
    pub fn cases_of(&self, op: &str) -> impl Iterator<Item = &Case> {
        self.cases.iter().filter(move |case| case.op == op)
    }

    /// A tensor of a case by its short name.
    pub fn tensor(&self, case: &Case, name: &str) -> Tensor {
        let file = SafeTensors::deserialize(&self.bytes).expect("a golden file");
        let view = file
            .tensor(&format!("{}.{name}", case.name))
            .expect("a golden file");
        to_tensor(&view)
    }

    /// As [`tensor`](GoldenFile::tensor), but a single number takes any shape: NumPy stores scalars as `[1]`.
    pub fn shaped(&self, case: &Case, name: &str, shape: &[usize]) -> Tensor {
        let tensor = self.tensor(case, name);
        if tensor.numel() == 1 {
            tensor.reshape(shape).expect("a golden file")
        } else {
            tensor
        }
    }

    /// Panics unless `got` is the case's tensor of this short name.
    pub fn assert_is(&self, case: &Case, name: &str, got: &Tensor) {
        let expected = self.shaped(case, name, got.shape());
        assert_eq!(got.shape(), expected.shape(), "{}.{name}", case.name);
        let (got, expected) = (
            got.to_vec::<f32>().expect("a golden file"),
            expected.to_vec::<f32>().expect("a golden file"),
        );
        for (index, (g, e)) in got.iter().zip(&expected).enumerate() {
            let close = g == e || (g - e).abs() <= ABSOLUTE + RELATIVE * e.abs();
            assert!(
                close,
                "{}.{name} element {index}: expected {e}, got {g}",
                case.name
            );
        }
    }
}

/// The numbers of a tensor in a golden file.
pub fn to_tensor(view: &TensorView) -> Tensor {
    let words = view.data();
    match view.dtype() {
        Dtype::F32 => {
            let values = words
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes(b.try_into().expect("a golden file")))
                .collect();
            Tensor::from_vec::<f32>(values, view.shape()).expect("a golden file")
        }
        Dtype::I64 => {
            let values = words
                .chunks_exact(8)
                .map(|b| i64::from_le_bytes(b.try_into().expect("a golden file")))
                .collect();
            Tensor::from_vec::<i64>(values, view.shape()).expect("a golden file")
        }
        other => panic!("no test reads {other:?}"),
    }
}
