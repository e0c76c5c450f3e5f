//! The tokens that stand for no text: where a text begins and ends, what fills a batch.

use serde_json::{Map, Value};

use crate::text::error::{Result, TextError};

/// Spellings of the token that ends a text, for tokenizers that come without a `tokenizer_config.json`: GPT-2 and its
/// kin, Llama 3, ChatML models, Gemma, Llama 1 and 2.
const WELL_KNOWN_ENDS: [&str; 5] = ["<|endoftext|>", "<|end_of_text|>", "<|im_end|>", "<eos>", "</s>"];

/// One special token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecialToken {
    /// Its spelling.
    pub text: String,
    /// Its id.
    pub id: u32,
}

/// What a tokenizer calls its special tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecialTokens {
    /// What a text begins with.
    pub bos: Option<SpecialToken>,
    /// What ends a text, or the model's turn.
    pub eos: Option<SpecialToken>,
    /// What fills the shorter rows of a batch.
    pub pad: Option<SpecialToken>,
    /// What stands for text that the vocabulary has no token for.
    pub unk: Option<SpecialToken>,
}

impl SpecialTokens {
    /// What `tokenizer_config.json` names, as `bos_token` and so on: a text, or an object with a `content`.
    pub(super) fn read(
        config: &Map<String, Value>,
        id_of: impl Fn(&str) -> Option<u32>,
    ) -> Result<SpecialTokens> {
        let token = |field: &str, role: &'static str| -> Result<Option<SpecialToken>> {
            let named = match config.get(field) {
                Some(Value::String(text)) => Some(text.as_str()),
                Some(Value::Object(token)) => token.get("content").and_then(Value::as_str),
                _ => None,
            };
            let known = named.map(|text| match id_of(text) {
                Some(id) => Ok(SpecialToken {
                    text: text.to_owned(),
                    id,
                }),
                None => Err(TextError::UnknownSpecialToken {
                    role,
                    token: text.to_owned(),
                }),
            });
            known.transpose()
        };
        let mut tokens = SpecialTokens {
            bos: token("bos_token", "bos")?,
            eos: token("eos_token", "eos")?,
            pad: token("pad_token", "pad")?,
            unk: token("unk_token", "unk")?,
        };
        if tokens.eos.is_none() {
            let known = |text: &&str| {
                Some(SpecialToken {
                    text: (*text).to_owned(),
                    id: id_of(text)?,
                })
            };
            tokens.eos = WELL_KNOWN_ENDS.iter().find_map(known);
        }
        Ok(tokens)
    }

    /// As a template knows them.
    pub(crate) fn named(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("bos_token", &self.bos),
            ("eos_token", &self.eos),
            ("pad_token", &self.pad),
            ("unk_token", &self.unk),
        ];
        let given = all
            .into_iter()
            .filter_map(|(name, token)| Some((name, token.as_ref()?.text.clone())));
        given.collect()
    }
}
