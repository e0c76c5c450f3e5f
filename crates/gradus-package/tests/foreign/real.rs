//! SmolLM2-135M-Instruct from its GGUF file, where `GRADUS_REAL_MODELS` names a folder that has it
//! (golden/real_models.sh); skipped without.

use std::fs;
use std::path::PathBuf;

use gradus_package::foreign::gguf::{self, GgufType};
use gradus_package::foreign::{BlockType, ForeignModel};
use serde_json::{Value, json};
use tokenizers::Tokenizer;

use super::golden;

fn smollm2() -> Option<PathBuf> {
    let folder = std::env::var_os("GRADUS_REAL_MODELS");
    let path = folder.map(|folder| PathBuf::from(folder).join("SmolLM2-135M-Instruct.Q4_1.gguf"));
    let path = path.filter(|path| path.exists());
    if path.is_none() {
        eprintln!("skipped: GRADUS_REAL_MODELS names no folder with SmolLM2-135M-Instruct.Q4_1.gguf");
    }
    path
}

#[test]
fn smollm2_has_the_tokens_that_llama_cpp_gives() {
    let Some(path) = smollm2() else { return };
    let files = gguf::read_vocabulary(path).unwrap();
    let tokenizer = Tokenizer::from_bytes(&files["tokenizer.json"]).unwrap();
    let rows: Vec<Value> = serde_json::from_slice(&fs::read(golden("smollm2_tokens.json")).unwrap()).unwrap();
    for row in &rows {
        let text = row["text"].as_str().unwrap();
        assert_eq!(
            json!(tokenizer.encode(text, true).unwrap().get_ids()),
            row["ids"],
            "{text:?}"
        );
    }
    assert!(rows.len() > 200);
    let settings: Value = serde_json::from_slice(&files["tokenizer_config.json"]).unwrap();
    assert_eq!(
        (&settings["eos_token"], &settings["pad_token"]),
        (&json!("<|im_end|>"), &json!("<|im_end|>"))
    );
    assert!(settings["chat_template"].as_str().unwrap().contains("im_start"));
}

#[test]
fn smollm2_is_read_in_place_and_written_again_bit_for_bit() {
    let Some(path) = smollm2() else { return };
    let model = ForeignModel::open(&path).unwrap();
    assert_eq!(model.tensors.len(), 272);
    assert_eq!(model.config["model_type"], "llama");
    assert_eq!(model.config["rope_theta"], 100000.0);
    assert_eq!(model.config["rms_norm_eps"], 1e-5);
    assert_eq!(model.config["tie_word_embeddings"], true);
    let embedding = model.tensor("model.embed_tokens.weight").unwrap();
    assert_eq!(
        (embedding.block_type(), embedding.shape()),
        (Some(BlockType::Q8_0), &[49152, 576][..])
    );
    let dir = tempfile::tempdir().unwrap();
    let again = dir.path().join("again.gguf");
    gguf::write(&again, &model, GgufType::Held).unwrap();
    let (old, new) = (fs::read(&path).unwrap(), fs::read(&again).unwrap());
    let (old, new) = (
        (gguf::GgufHeader::parse(&old).unwrap(), &old),
        (gguf::GgufHeader::parse(&new).unwrap(), &new),
    );
    for want in &old.0.tensors {
        let got = new
            .0
            .tensors
            .iter()
            .find(|tensor| tensor.name == want.name)
            .unwrap();
        assert_eq!((got.kind, &got.shape), (want.kind, &want.shape));
        assert!(
            old.1[want.bytes.clone()] == new.1[got.bytes.clone()],
            "{}",
            want.name
        );
    }
    for key in [
        "tokens",
        "token_type",
        "merges",
        "pre",
        "model",
        "bos_token_id",
        "eos_token_id",
        "add_bos_token",
    ] {
        let key = format!("tokenizer.ggml.{key}");
        assert!(old.0.metadata.get(&key) == new.0.metadata.get(&key), "{key}");
    }
    assert_eq!(
        old.0.metadata.get("tokenizer.chat_template"),
        new.0.metadata.get("tokenizer.chat_template")
    );
}
