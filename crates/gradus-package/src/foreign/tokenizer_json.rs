//! `tokenizer.json`, the format of the `tokenizers` library, written from a vocabulary.
//!
//! Pre-tokenizers, normalizers and decoders are plain JSON, as the library's documentation gives them; vocabulary and
//! merges are borrowed, as they can be hundreds of thousands.

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// A whole tokenizer.
#[derive(Serialize)]
pub(crate) struct TokenizerJson<'a> {
    version: &'static str,
    truncation: Option<Value>,
    padding: Option<Value>,
    pub(crate) added_tokens: Vec<AddedToken<'a>>,
    pub(crate) normalizer: Option<Value>,
    pub(crate) pre_tokenizer: Option<Value>,
    pub(crate) post_processor: Option<Value>,
    pub(crate) decoder: Option<Value>,
    pub(crate) model: Model<'a>,
}

/// A token that is found in the text before anything else.
#[derive(Serialize)]
pub(crate) struct AddedToken<'a> {
    pub(crate) id: usize,
    pub(crate) content: &'a str,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    /// Whether it is no text, and left out when tokens are shown.
    pub(crate) special: bool,
}

impl<'a> AddedToken<'a> {
    pub(crate) fn new(id: usize, content: &'a str, special: bool) -> AddedToken<'a> {
        AddedToken {
            id,
            content,
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: false,
            special,
        }
    }
}

/// How words become tokens.
#[derive(Serialize)]
#[serde(tag = "type")]
pub(crate) enum Model<'a> {
    #[serde(rename = "BPE")]
    Bpe(Bpe<'a>),
    WordPiece(WordPiece<'a>),
}

/// Byte-pair encoding: neighbours are joined, the earliest rule first.
#[derive(Serialize)]
pub(crate) struct Bpe<'a> {
    pub(crate) dropout: Option<f32>,
    pub(crate) unk_token: Option<&'a str>,
    pub(crate) continuing_subword_prefix: Option<&'a str>,
    pub(crate) end_of_word_suffix: Option<&'a str>,
    pub(crate) fuse_unk: bool,
    pub(crate) byte_fallback: bool,
    pub(crate) ignore_merges: bool,
    pub(crate) vocab: Vocabulary<'a>,
    pub(crate) merges: Vec<(&'a str, &'a str)>,
}

impl<'a> Bpe<'a> {
    /// With every option off, as byte-level tokenizers have them.
    pub(crate) fn new(vocab: Vec<(Cow<'a, str>, usize)>, merges: Vec<(&'a str, &'a str)>) -> Bpe<'a> {
        Bpe {
            dropout: None,
            unk_token: None,
            continuing_subword_prefix: None,
            end_of_word_suffix: None,
            fuse_unk: false,
            byte_fallback: false,
            ignore_merges: false,
            vocab: Vocabulary(vocab),
            merges,
        }
    }
}

/// The longest known beginning of a word, again and again.
#[derive(Serialize)]
pub(crate) struct WordPiece<'a> {
    pub(crate) unk_token: &'a str,
    pub(crate) continuing_subword_prefix: &'static str,
    pub(crate) max_input_chars_per_word: usize,
    pub(crate) vocab: Vocabulary<'a>,
}

/// Tokens with their ids, in order of id.
pub(crate) struct Vocabulary<'a>(pub(crate) Vec<(Cow<'a, str>, usize)>);

impl Serialize for Vocabulary<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (token, id) in &self.0 {
            map.serialize_entry(token, id)?;
        }
        map.end()
    }
}

impl<'a> TokenizerJson<'a> {
    /// A tokenizer around a model; all else is to be filled in.
    pub(crate) fn new(model: Model<'a>, added_tokens: Vec<AddedToken<'a>>) -> TokenizerJson<'a> {
        TokenizerJson {
            version: "1.0",
            truncation: None,
            padding: None,
            added_tokens,
            normalizer: None,
            pre_tokenizer: None,
            post_processor: None,
            decoder: None,
            model,
        }
    }

    /// The file's bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("bug: a tokenizer has no keys that are not texts")
    }
}

/// Bytes as letters, so that a vocabulary of texts can hold any byte; with GPT-2's way of splitting, or without.
pub(crate) fn byte_level(use_regex: bool) -> Value {
    json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex })
}

/// Several steps, one after the other.
pub(crate) fn sequence(kind: &str, steps: Vec<Value>) -> Value {
    json!({ "type": "Sequence", kind: steps })
}

/// Puts tokens before and after every text (and every text of a pair).
pub(crate) fn template(before: Option<(&str, usize)>, after: Option<(&str, usize)>) -> Option<Value> {
    if before.is_none() && after.is_none() {
        return None;
    }
    let special = |token: Option<(&str, usize)>, part: usize| {
        token.map(|(name, _)| json!({ "SpecialToken": { "id": name, "type_id": part } }))
    };
    let text = |which: &str, part: usize| json!({ "Sequence": { "id": which, "type_id": part } });
    let around = |which: &str, part: usize, before: Option<(&str, usize)>| -> Vec<Value> {
        let pieces = [
            special(before, part),
            Some(text(which, part)),
            special(after, part),
        ];
        pieces.into_iter().flatten().collect()
    };
    let single = around("A", 0, before);
    let pair = [single.clone(), around("B", 1, before)].concat();
    let tokens: serde_json::Map<String, Value> = [before, after]
        .into_iter()
        .flatten()
        .map(|(name, id)| {
            (
                name.to_owned(),
                json!({ "id": name, "ids": [id], "tokens": [name] }),
            )
        })
        .collect();
    Some(json!({ "type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": tokens }))
}
