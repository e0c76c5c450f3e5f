use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use gradus_tensor::Tensor;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::foreign::ForeignTensor;
use crate::safetensors::write_safetensors;

fn folder(config: &Value) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    folder
}

fn write(path: &Path, names: &[&str]) {
    let tensors: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(i, name)| {
            (
                name.to_string(),
                Tensor::from_vec(vec![i as f32; 2], [2]).unwrap(),
            )
        })
        .collect();
    write_safetensors(path, &tensors, &BTreeMap::new()).unwrap();
}

fn names(model: &ForeignModel) -> Vec<&str> {
    model.tensors.iter().map(ForeignTensor::name).collect()
}

fn problem(folder: &Path) -> HuggingFaceProblem {
    match read(folder) {
        Err(Error::HuggingFace { source, .. }) => *source,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was read"),
    }
}

#[test]
fn a_folder_is_read_with_the_files_around_the_weights() {
    let folder = folder(&json!({ "model_type": "llama" }));
    write(
        &folder.path().join("model.safetensors"),
        &["model.norm.weight", "lm_head.weight"],
    );
    fs::write(folder.path().join("tokenizer.json"), "{}").unwrap();
    fs::create_dir(folder.path().join("1_Pooling")).unwrap();
    fs::write(folder.path().join("1_Pooling/config.json"), "{\"a\":1}").unwrap();
    fs::write(folder.path().join("README.md"), "not held").unwrap();
    let model = ForeignModel::open(folder.path()).unwrap();
    assert_eq!(model.config["model_type"], "llama");
    assert_eq!(names(&model), ["lm_head.weight", "model.norm.weight"]);
    let norm = model.tensor("model.norm.weight").unwrap();
    assert_eq!(
        (norm.shape(), norm.tensor().to_vec::<f32>().unwrap()),
        (&[2][..], vec![0.0; 2])
    );
    assert!(model.tensor("model.norm.bias").is_none());
    assert_eq!(
        model.files.keys().collect::<Vec<_>>(),
        ["1_Pooling/config.json", "tokenizer.json"]
    );
    assert_eq!(model.tokenizer_json(folder.path()).unwrap(), b"{}");
}

#[test]
fn shards_are_read_as_the_index_says() {
    let folder = folder(&json!({ "model_type": "llama" }));
    let at = |name: &str| folder.path().join(name);
    write(&at("model-00001-of-00002.safetensors"), &["model.a", "model.b"]);
    write(&at("model-00002-of-00002.safetensors"), &["model.b", "model.c"]);
    let index = |of_c: &str| {
        let map = json!({
            "model.a": "model-00001-of-00002.safetensors",
            "model.b": "model-00002-of-00002.safetensors",
            "model.c": of_c,
        });
        let index = json!({ "metadata": { "total_size": 24 }, "weight_map": map });
        fs::write(at("model.safetensors.index.json"), index.to_string()).unwrap();
    };
    index("model-00002-of-00002.safetensors");
    let model = read(folder.path()).unwrap();
    assert_eq!(names(&model), ["model.a", "model.b", "model.c"]);
    assert_eq!(model.tensors[1].tensor().to_vec::<f32>().unwrap(), [0.0, 0.0]);
    index("model-00001-of-00002.safetensors");
    assert!(
        matches!(problem(folder.path()), HuggingFaceProblem::NotInShard { tensor, .. } if tensor == "model.c")
    );
    index("../elsewhere.safetensors");
    assert!(
        matches!(problem(folder.path()), HuggingFaceProblem::ShardName { tensor, .. } if tensor == "model.c")
    );
    index("model-00003-of-00002.safetensors");
    assert!(matches!(read(folder.path()), Err(Error::MissingFile { .. })));
}

#[test]
fn names_become_those_of_the_class() {
    let read = |config: Value, stored: &[&str]| {
        let folder = folder(&config);
        write(&folder.path().join("model.safetensors"), stored);
        names(&read(folder.path()).unwrap()).join(" ")
    };
    let gpt2 = [
        "wte.weight",
        "h.0.attn.bias",
        "h.0.attn.c_attn.bias",
        "lm_head.weight",
    ];
    assert_eq!(
        read(json!({ "model_type": "gpt2" }), &gpt2),
        "transformer.h.0.attn.c_attn.bias transformer.wte.weight"
    );
    assert_eq!(
        read(
            json!({ "model_type": "gpt2", "tie_word_embeddings": false }),
            &gpt2
        ),
        "lm_head.weight transformer.h.0.attn.c_attn.bias transformer.wte.weight"
    );
    assert_eq!(
        read(
            json!({ "model_type": "llama", "tie_word_embeddings": true }),
            &[
                "model.norm.weight",
                "model.layers.0.self_attn.rotary_emb.inv_freq",
                "lm_head.weight"
            ]
        ),
        "model.norm.weight"
    );
    assert_eq!(
        read(
            json!({ "model_type": "bert" }),
            &[
                "bert.embeddings.position_ids",
                "bert.pooler.dense.bias",
                "cls.predictions.bias"
            ]
        ),
        "cls.predictions.bias pooler.dense.bias"
    );
    assert_eq!(
        read(json!({ "model_type": "other" }), &["b.attn.bias", "a"]),
        "a b.attn.bias"
    );
}

#[test]
fn what_is_no_model_is_told() {
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(read(empty.path()), Err(Error::MissingFile { .. })));
    let bare = folder(&json!({}));
    assert!(matches!(
        problem(bare.path()),
        HuggingFaceProblem::NoWeights { .. }
    ));
    assert!(matches!(
        problem(folder(&json!([1])).path()),
        HuggingFaceProblem::ConfigShape
    ));
    let quantized = folder(&json!({ "quantization_config": { "quant_method": "gptq" } }));
    assert!(
        matches!(problem(quantized.path()), HuggingFaceProblem::Quantized { method } if method == "gptq")
    );
    write(&bare.path().join("model.safetensors"), &["a"]);
    let model = read(bare.path()).unwrap();
    assert!(matches!(
        model.tokenizer_json(bare.path()),
        Err(Error::HuggingFace { .. })
    ));
}
