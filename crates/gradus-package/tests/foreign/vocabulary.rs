use std::fs;

use gradus_package::foreign::ForeignModel;
use gradus_package::foreign::gguf::read_vocabulary;
use serde_json::Value;
use tokenizers::Tokenizer;

use super::golden;

/// The tokens that the original tokenizer answers for each text, and ours.
fn compare(name: &str, tokenizer: &[u8], expected: &std::path::Path) {
    let tokenizer = Tokenizer::from_bytes(tokenizer).unwrap();
    let rows: Vec<Value> = serde_json::from_slice(&fs::read(expected).unwrap()).unwrap();
    assert!(rows.len() > 5);
    for row in rows {
        let text = row["text"].as_str().unwrap();
        let want: Vec<u32> = row["ids"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_u64().unwrap() as u32)
            .collect();
        let got = tokenizer.encode(text, true).unwrap();
        assert_eq!(got.get_ids(), want, "{name}: {text:?} is {:?}", got.get_tokens());
    }
}

#[test]
fn vocabularies_answer_as_the_tokenizers_they_were_made_of() {
    for name in ["gpt-2", "smollm", "llama-bpe", "qwen2", "spm"] {
        let folder = golden("foreign/vocabulary");
        let files = read_vocabulary(folder.join(format!("{name}.gguf"))).unwrap();
        compare(
            name,
            &files["tokenizer.json"],
            &folder.join(format!("{name}.json")),
        );
        let config: Value = serde_json::from_slice(&files["tokenizer_config.json"]).unwrap();
        assert_eq!(
            config["add_bos_token"],
            matches!(name, "llama-bpe" | "spm"),
            "{name}"
        );
    }
}

#[test]
fn text_comes_back_from_its_tokens() {
    for name in ["smollm", "spm"] {
        let files = read_vocabulary(golden(&format!("foreign/vocabulary/{name}.gguf"))).unwrap();
        let tokenizer = Tokenizer::from_bytes(&files["tokenizer.json"]).unwrap();
        for text in ["Hello,  world\n 🙂", "naïve", " a"] {
            let ids = tokenizer.encode(text, false).unwrap().get_ids().to_vec();
            assert_eq!(tokenizer.decode(&ids, true).unwrap(), text, "{name}");
        }
    }
}

#[test]
fn a_tokenizer_is_made_of_vocabulary_and_merges() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["vocab.json", "merges.txt"] {
        fs::copy(golden("foreign/bpe").join(name), dir.path().join(name)).unwrap();
    }
    fs::write(dir.path().join("config.json"), "{}").unwrap();
    fs::copy(
        golden("foreign/torch/protocol5.bin"),
        dir.path().join("pytorch_model.bin"),
    )
    .unwrap();
    let model = ForeignModel::open(dir.path()).unwrap();
    let tokenizer = model.tokenizer_json(dir.path()).unwrap();
    compare("bpe", tokenizer, &golden("foreign/bpe/expected.json"));
}
