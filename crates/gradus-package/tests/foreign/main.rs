//! Models of other programs, read and written, against files that those programs made (golden/make_foreign.py).
#![cfg(test)]

mod gguf;
mod hostile;
mod hugging_face;
mod pickle;
mod real;
#[path = "../../../../fuzz/targets.rs"]
mod targets;
mod vocabulary;
mod written;

use std::path::{Path, PathBuf};

use gradus_package::foreign::ForeignModel;

/// The golden models that GGUF has a place for, encoders aside.
const MODELS: [&str; 12] = [
    "gpt2",
    "llama",
    "llama-untied",
    "llama-linear",
    "llama-yarn",
    "llama-longrope",
    "llama-llama3",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma2",
    "gemma3",
];

/// Those whose conversion by llama.cpp is whole: of LongRoPE it leaves out the factors, unless the model is a Phi.
fn converted_models() -> impl Iterator<Item = &'static str> {
    MODELS.into_iter().filter(|&name| name != "llama-longrope")
}

/// A file or folder of golden/.
fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../golden")
        .join(name)
}

/// A golden model, as `transformers` saved it.
fn original(name: &str) -> ForeignModel {
    ForeignModel::open(golden("transformers").join(name)).unwrap()
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
