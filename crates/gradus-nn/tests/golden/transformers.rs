//! Whole models against `transformers`: logits, cached and not, losses and gradients (golden/make_transformers.py).

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use gradus_nn::Module;
use gradus_nn::families::transformer::{
    TextInput, Transformer, TransformerConfig, TransformerOptions, WeightType,
};
use gradus_nn::generation::{GenerateOptions, Session};
use gradus_tensor::{CacheType, DType, Tensor, no_grad};
use safetensors::SafeTensors;

use super::file::to_tensor;

/// Logits are of order 1 to 10; the references themselves are uncertain by about 1e-5.
const LOGITS: f64 = 1e-4;

/// Relative to the largest gradient of the whole model.
const GRADIENTS: f64 = 1e-4;

pub(super) struct Golden {
    pub(super) name: String,
    pub(super) config: TransformerConfig,
    weights: Vec<(String, Tensor)>,
    expected: HashMap<String, Tensor>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/transformers")
}

fn tensors(path: &Path) -> Vec<(String, Tensor)> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = SafeTensors::deserialize(&bytes).expect("a golden file");
    file.tensors()
        .iter()
        .map(|(name, view)| (name.clone(), to_tensor(view)))
        .collect()
}

fn config(path: &Path) -> TransformerConfig {
    let json = std::fs::read(path).expect("a golden file");
    let json = serde_json::from_slice(&json).expect("a golden file");
    TransformerConfig::from_huggingface(&json).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn open(name: &str) -> Golden {
    let folder = folder().join(name);
    Golden {
        name: name.to_owned(),
        config: config(&folder.join("config.json")),
        weights: tensors(&folder.join("model.safetensors")),
        expected: tensors(&folder.join("expected.safetensors"))
            .into_iter()
            .collect(),
    }
}

/// Every model in the folder.
fn all() -> Vec<Golden> {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .expect("golden files")
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() >= 14, "{names:?}");
    names.iter().map(|name| open(name)).collect()
}

impl Golden {
    pub(super) fn model(&self) -> Transformer {
        let options = TransformerOptions::default();
        Transformer::from_file_tensors(&self.config, options, self.weights.clone(), WeightType::F32)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    pub(super) fn expected(&self, name: &str) -> &Tensor {
        &self.expected[name]
    }
}

pub(super) fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().to_vec::<f64>().unwrap()
}

fn assert_close(what: &str, got: &Tensor, expected: &Tensor, tolerance: f64) {
    assert_eq!(got.shape(), expected.shape(), "{what}");
    let (got, expected) = (values(got), values(expected));
    let worst = got
        .iter()
        .zip(&expected)
        .map(|(g, e)| (g - e).abs())
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .expect("elements");
    assert!(
        worst.1 <= tolerance,
        "{what}: element {} is {}, expected {}, off by {:.2e}",
        worst.0,
        got[worst.0],
        expected[worst.0],
        worst.1
    );
}

pub(super) fn causal() -> impl Iterator<Item = Golden> {
    all().into_iter().filter(|golden| golden.config.causal)
}

#[test]
fn logits_are_those_of_transformers() {
    let _no_grad = no_grad();
    for golden in causal() {
        let model = golden.model();
        for prefix in ["", "short."] {
            let Some(ids) = golden.expected.get(&format!("{prefix}input_ids")) else {
                continue;
            };
            let hidden = model.hidden_states(&TextInput::from(ids)).unwrap();
            let logits = model.logits(&hidden).unwrap();
            let what = format!("{} {prefix}", golden.name);
            assert_close(
                &what,
                &logits,
                golden.expected(&format!("{prefix}logits")),
                LOGITS,
            );
        }
    }
}

#[test]
fn configs_in_the_words_of_an_older_version_mean_the_same() {
    let mut found = 0;
    for golden in causal() {
        let older = folder().join(&golden.name).join("config_v4.json");
        if older.is_file() {
            let older = config(&older);
            assert_eq!(older.positions, golden.config.positions, "{}", golden.name);
            assert_eq!(older.windows, golden.config.windows, "{}", golden.name);
            found += 1;
        }
    }
    assert!(found > 5, "{found}");
}

#[test]
fn greedy_text_is_that_of_transformers_with_every_cache() {
    let mut compared = 0;
    for golden in causal() {
        // Models whose frequencies change with the length of the text have no cached reference.
        let Some(generated) = golden.expected.get("generated") else {
            continue;
        };
        compared += 1;
        let model = golden.model();
        let ids = golden.expected("input_ids");
        for row in 0..ids.shape()[0] {
            let tokens = |tensor: &Tensor| -> Vec<u32> {
                let row = tensor.narrow(0, row, 1).unwrap().to_vec::<i64>().unwrap();
                row.iter().map(|&id| u32::try_from(id).unwrap()).collect()
            };
            let (prompt, expected) = (tokens(ids), tokens(generated));
            let options = GenerateOptions {
                max_tokens: expected.len(),
                ..GenerateOptions::default()
            };
            let mut session = Session::new(&model, prompt.len() + expected.len(), CacheType::F32);
            let generate = |session: &mut Session, prompt: &[u32]| -> Vec<u32> {
                let generation = session.generate(prompt, &options).unwrap();
                generation.map(|token| token.unwrap().id).collect()
            };
            assert_eq!(
                generate(&mut session, &prompt),
                expected,
                "{} row {row}",
                golden.name
            );
            // Once more, from what the session still holds, and from a shorter beginning.
            assert_eq!(generate(&mut session, &prompt), expected, "{} again", golden.name);
            drop(generate(&mut session, &prompt[..3]));
            assert_eq!(
                generate(&mut session, &prompt),
                expected,
                "{} after another",
                golden.name
            );
        }
    }
    assert!(compared >= 8, "{compared}");
}

#[test]
fn encoders_give_the_states_of_transformers() {
    let golden = open("bert");
    let model = golden.model();
    let _no_grad = no_grad();
    let hidden = model
        .hidden_states(&bert_input(&golden, &lengths(&golden)))
        .unwrap();
    let expected = golden.expected("last_hidden_state");
    // What stands at the padding means nothing.
    for (row, len) in lengths(&golden).to_vec::<i64>().unwrap().into_iter().enumerate() {
        let part = |tensor: &Tensor| {
            tensor
                .narrow(0, row, 1)
                .unwrap()
                .narrow(1, 0, len as usize)
                .unwrap()
        };
        assert_close("bert", &part(&hidden), &part(expected), LOGITS);
    }
}

fn lengths(golden: &Golden) -> Tensor {
    let mask = golden.expected("attention_mask");
    let rows = mask.to_vec::<i64>().unwrap();
    let lengths: Vec<i64> = rows.chunks(mask.shape()[1]).map(|row| row.iter().sum()).collect();
    Tensor::from_vec(lengths, [mask.shape()[0]]).unwrap()
}

fn bert_input<'a>(golden: &'a Golden, lengths: &'a Tensor) -> TextInput<'a> {
    TextInput {
        key_lengths: Some(lengths),
        token_types: Some(golden.expected("token_type_ids")),
        ..TextInput::from(golden.expected("input_ids"))
    }
}

/// Labels moved by one: what `transformers` does inside.
fn shifted(labels: &Tensor) -> Tensor {
    let seq = labels.shape()[1];
    let rows = labels.to_vec::<i64>().unwrap();
    let moved: Vec<i64> = rows
        .chunks(seq)
        .flat_map(|row| row[1..].iter().copied().chain([-100]).collect::<Vec<i64>>())
        .collect();
    Tensor::from_vec(moved, labels.shape()).unwrap()
}

#[test]
fn losses_and_gradients_are_those_of_pytorch() {
    for name in ["gpt2", "llama", "bert"] {
        for activation_checkpointing in [false, true] {
            let golden = open(name);
            let options = TransformerOptions {
                activation_checkpointing,
                ..TransformerOptions::default()
            };
            let weights = golden.weights.clone();
            let model =
                Transformer::from_file_tensors(&golden.config, options, weights, WeightType::F32).unwrap();
            model.train();
            let loss = match golden.config.causal {
                true => {
                    let labels = shifted(golden.expected("labels"));
                    model
                        .loss(&TextInput::from(golden.expected("input_ids")), &labels)
                        .unwrap()
                }
                false => {
                    let lengths = lengths(&golden);
                    let hidden = model.hidden_states(&bert_input(&golden, &lengths)).unwrap();
                    hidden
                        .mul(golden.expected("upstream"))
                        .unwrap()
                        .sum_all()
                        .unwrap()
                }
            };
            let expected_loss = golden.expected("loss").item::<f32>().unwrap();
            let loss_value = loss.item::<f32>().unwrap();
            assert!(
                (loss_value - expected_loss).abs() <= 1e-5 * (1.0 + expected_loss.abs()),
                "{name}: {loss_value}, expected {expected_loss}"
            );
            loss.backward().unwrap();
            assert_gradients(&golden, &model);
        }
    }
}

/// Gradients go to the layout of files the way weights do.
fn assert_gradients(golden: &Golden, model: &Transformer) {
    for (_, parameter) in model.named_parameters() {
        let grad = parameter
            .grad()
            .unwrap_or_else(|| Tensor::zeros(parameter.shape(), DType::F32));
        parameter.set(grad).unwrap();
    }
    let expected: HashMap<&str, &Tensor> = golden
        .expected
        .iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix("grad.")?, tensor)))
        .collect();
    let largest = expected
        .values()
        .flat_map(|tensor| values(tensor))
        .fold(0.0, |most: f64, value| most.max(value.abs()));
    let mut compared = 0;
    for (name, grad) in model.to_file_tensors().unwrap() {
        if let Some(expected) = expected.get(name.as_str()) {
            assert_close(
                &format!("{} {name}", golden.name),
                &grad,
                expected,
                GRADIENTS * largest,
            );
            compared += 1;
        }
    }
    assert_eq!(compared, expected.len(), "{}", golden.name);
}

#[test]
fn a_model_writes_the_tensors_it_was_read_from() {
    for golden in all() {
        let mut back = golden.model().to_file_tensors().unwrap();
        back.sort_by(|a, b| a.0.cmp(&b.0));
        let mut weights = golden.weights.clone();
        weights.sort_by(|a, b| a.0.cmp(&b.0));
        let names =
            |tensors: &[(String, Tensor)]| tensors.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&back), names(&weights), "{}", golden.name);
        for ((name, got), (_, expected)) in back.iter().zip(&weights) {
            assert_close(&format!("{} {name}", golden.name), got, expected, 0.0);
        }
        let json = golden.config.to_huggingface();
        assert_eq!(
            TransformerConfig::from_huggingface(&json).unwrap().positions,
            golden.config.positions
        );
    }
}
