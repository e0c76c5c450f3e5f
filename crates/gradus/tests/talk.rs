//! What the command says and where: closed streams, files that are there already, and flags that it refuses.
#![cfg(test)]

mod support;

use std::path::Path;
use std::process::Stdio;

use support::{command, refused, succeed};

/// A tiny language model with its tokenizer, as Hugging Face lays it out.
const LLAMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/transformers/llama");

/// The exit code when nobody reads what is said to standard error.
fn exit_code_unheard(folder: &Path, args: &[&str]) -> Option<i32> {
    let mut child = command(folder, args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    child.wait().unwrap().code()
}

#[test]
fn a_closed_standard_error_changes_no_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(exit_code_unheard(folder.path(), &["inspect", "missing"]), Some(2));
    assert_eq!(
        exit_code_unheard(folder.path(), &["generate", "missing"]),
        Some(2)
    );
    assert_eq!(exit_code_unheard(folder.path(), &["no-such-command"]), Some(2));
}

#[test]
fn import_and_export_keep_what_is_there_unless_forced() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    succeed(folder, &["import", LLAMA, "--out", "model"]);
    let said = refused(folder, &["import", LLAMA, "--out", "model"]);
    assert!(
        said.contains("model exists") && said.contains("--force"),
        "{said}"
    );
    succeed(folder, &["import", LLAMA, "--out", "model", "--force"]);

    succeed(folder, &["export", "model", "--format", "hf", "--out", "hf"]);
    let said = refused(folder, &["export", "model", "--format", "hf", "--out", "hf"]);
    assert!(said.contains("--force"), "{said}");
    succeed(
        folder,
        &["export", "model", "--format", "hf", "--out", "hf", "--force"],
    );
    std::fs::write(folder.join("model.gguf"), "mine").unwrap();
    refused(
        folder,
        &["export", "model", "--format", "gguf", "--out", "model.gguf"],
    );
    assert_eq!(std::fs::read(folder.join("model.gguf")).unwrap(), b"mine");
}

#[test]
fn inspect_names_the_axes_of_text_batch_and_seq() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["import", LLAMA, "--out", "model"]);
    let shown = succeed(folder.path(), &["inspect", "model"]);
    assert!(shown.contains("input_ids i64 [batch, seq]"), "{shown}");
    assert!(!shown.contains("batch, batch"), "{shown}");
}

#[test]
fn what_makes_no_sense_is_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let said = refused(folder.path(), &["chat", LLAMA, "--json"]);
    assert!(said.contains("gradus generate --chat --json"), "{said}");
    for temperature in ["-1", "-0.5", "warm", "inf"] {
        let said = refused(folder.path(), &["generate", LLAMA, "--temperature", temperature]);
        assert!(said.contains("at least 0"), "{said}");
    }
}

/// A language model that is trained in no time.
#[cfg(feature = "train")]
const RECIPE: &str = r#"
[data]
text = ["sums.txt"]
tokenizer = "bpe"
vocab_size = 300

[model]
model_type = "llama"
hidden_size = 16
intermediate_size = 32
num_hidden_layers = 1
num_attention_heads = 2
num_key_value_heads = 2

[train]
max_steps = 2
batch_size = 2
block_size = 16
"#;

#[cfg(feature = "train")]
#[test]
fn training_and_generating_go_on_unheard_and_a_run_that_is_there_names_no_other_command() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let text: String = (0..600)
        .map(|at| format!("{at} and {} make {}.\n", at % 7, at + at % 7))
        .collect();
    std::fs::write(folder.join("sums.txt"), text).unwrap();
    std::fs::write(folder.join("recipe.toml"), RECIPE).unwrap();
    let train = ["train", "recipe.toml", "--out", "run"];
    assert_eq!(exit_code_unheard(folder, &train), Some(0));
    let generate = ["generate", "run", "--prompt", "1 and", "--max-tokens", "3"];
    succeed(folder, &generate);
    assert_eq!(
        exit_code_unheard(folder, &generate),
        Some(0),
        "its speed goes unheard"
    );
    let said = refused(folder, &train);
    assert!(
        said.contains("the same command with --resume") && !said.contains("gradus train"),
        "{said}"
    );
}
