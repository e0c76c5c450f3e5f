//! The vocabulary of a text's characters: for small models, and for seeing what a model learns.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Tokenizer;
use super::train_bpe::END_OF_TEXT;
use crate::text::error::{Result, TextError};

/// What stands for characters that the text did not have.
const UNKNOWN: &str = "<|unknown|>";

impl Tokenizer {
    /// A tokenizer whose tokens are the characters of the texts, in the order of their code points, after
    /// `<|endoftext|>` (id 0) and `<|unknown|>` (id 1), which stands for all others.
    ///
    /// It is a byte-pair encoding without a pair, which Hugging Face's libraries read as they read any other.
    ///
    /// # Errors
    /// [`TextError::NoText`] when there is no character, and what `texts` gives.
    pub fn characters<E>(texts: impl IntoIterator<Item = std::result::Result<String, E>>) -> Result<Tokenizer>
    where
        TextError: From<E>,
    {
        let mut characters = BTreeSet::new();
        for text in texts {
            characters.extend(text?.chars());
        }
        if characters.is_empty() {
            return Err(TextError::NoText);
        }
        let special = [END_OF_TEXT, UNKNOWN];
        let tokens = special
            .map(str::to_owned)
            .into_iter()
            .chain(characters.into_iter().map(String::from));
        let vocabulary: Map<String, Value> =
            tokens.zip(0u32..).map(|(token, id)| (token, id.into())).collect();
        let added = special.iter().zip(0u32..).map(|(content, id)| {
            json!({
                "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true,
            })
        });
        let tokenizer = json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": added.collect::<Vec<Value>>(),
            "normalizer": null,
            "pre_tokenizer": null,
            "post_processor": null,
            "decoder": { "type": "Fuse" },
            "model": {
                "type": "BPE", "dropout": null, "unk_token": UNKNOWN, "continuing_subword_prefix": null,
                "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                "vocab": vocabulary, "merges": [],
            },
        });
        let mut config = super::train_bpe::config(END_OF_TEXT);
        config.insert("unk_token".to_owned(), UNKNOWN.into());
        Tokenizer::assemble(
            serde_json::to_vec(&tokenizer).expect("JSON can be written"),
            config,
            None,
        )
    }
}
