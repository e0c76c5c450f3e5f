//! Every optimiser against the trajectories that `torch.optim` takes (golden/optimizers.safetensors).

use gradus_tensor::{Parameter, Tensor};
use gradus_train::optimizers::{Optimizer, OptimizerConfig};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Over 100 steps in f32, PyTorch itself is up to 3e-6 from the same run in f64.
const RELATIVE_TOLERANCE: f64 = 1e-5;

const PARAMETERS: usize = 2;

struct Golden {
    tensors: HashMap<String, (Vec<usize>, Vec<f32>)>,
    cases: Vec<Value>,
}

/// Reads the file with nothing but the format's definition: a length, a JSON header, the data.
fn golden() -> Golden {
    let bytes = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../golden/optimizers.safetensors"
    ))
    .unwrap();
    let header_len = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + header_len]).unwrap();
    let data = &bytes[8 + header_len..];
    let cases = serde_json::from_str(header["__metadata__"]["cases"].as_str().unwrap()).unwrap();
    let tensors = header
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| *name != "__metadata__");
    let tensors = tensors.map(|(name, entry)| {
        let numbers = |key: &str| -> Vec<usize> { serde_json::from_value(entry[key].clone()).unwrap() };
        let offsets = numbers("data_offsets");
        let values = data[offsets[0]..offsets[1]].chunks_exact(4);
        let values = values
            .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
            .collect();
        (name.clone(), (numbers("shape"), values))
    });
    Golden {
        tensors: tensors.collect(),
        cases,
    }
}

impl Golden {
    fn tensor(&self, name: &str) -> Tensor {
        let (shape, values) = &self.tensors[name];
        Tensor::from_slice(values, shape).unwrap()
    }

    /// Row `index` along the first axis.
    fn row(&self, name: &str, index: usize) -> Tensor {
        let (shape, values) = &self.tensors[name];
        let len: usize = shape[1..].iter().product();
        Tensor::from_slice(&values[index * len..][..len], &shape[1..]).unwrap()
    }
}

/// The case as a recipe's `[optimizer]`, and its learning rate.
fn optimizer(case: &Value, parameters: Vec<Parameter>) -> Box<dyn Optimizer> {
    let mut section = json!({"name": case["op"]});
    let attrs = case["attrs"].as_object().unwrap();
    for (key, value) in attrs.iter().filter(|(key, _)| *key != "lr") {
        section[key] = value.clone();
    }
    let config: OptimizerConfig = serde_json::from_value(section).unwrap();
    config.build(parameters, attrs["lr"].as_f64().unwrap())
}

fn worst_relative_difference(got: &[f32], expected: &[f32]) -> f64 {
    let difference = |(&got, &expected): (&f32, &f32)| {
        (f64::from(got) - f64::from(expected)).abs() / f64::from(expected).abs()
    };
    got.iter().zip(expected).map(difference).fold(0.0, f64::max)
}

#[test]
fn every_optimizer_follows_pytorch_for_100_steps() {
    let golden = golden();
    let mut seen = std::collections::BTreeSet::new();
    for case in &golden.cases {
        let start = |index| Parameter::new(golden.tensor(&format!("initial.{index}"))).unwrap();
        let parameters: Vec<Parameter> = (0..PARAMETERS).map(start).collect();
        let mut optimizer = optimizer(case, parameters.clone());
        let snapshots: Vec<usize> = serde_json::from_value(case["snapshots"].clone()).unwrap();
        for step in 1..=*snapshots.last().unwrap() {
            for (index, parameter) in parameters.iter().enumerate() {
                parameter.set_grad(Some(golden.row(&format!("gradients.{index}"), step - 1)));
            }
            optimizer.step().unwrap();
            let Some(row) = snapshots.iter().position(|&at| at == step) else {
                continue;
            };
            for (index, parameter) in parameters.iter().enumerate() {
                let expected = golden.row(&format!("{}.params.{index}", case["name"].as_str().unwrap()), row);
                let (got, expected) = (parameter.value().to_vec::<f32>(), expected.to_vec::<f32>());
                let worst = worst_relative_difference(&got.unwrap(), &expected.unwrap());
                assert!(
                    worst < RELATIVE_TOLERANCE,
                    "{}: step {step}, parameter {index}: {worst:e}",
                    case["name"]
                );
            }
        }
        seen.insert(case["op"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen.len(), 7, "{seen:?}");
}
