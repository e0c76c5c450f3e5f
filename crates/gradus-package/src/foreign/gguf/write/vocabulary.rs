//! A `tokenizer.json` in the words of GGUF's metadata.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use crate::foreign::ForeignModel;
use crate::foreign::gguf::vocabulary::{PRE_TOKENIZERS, PreTokenizer, TokenKind};
use crate::foreign::gguf::write::keys::Keys;
use crate::foreign::gguf::{GgufProblem, VocabularyProblem};
use crate::foreign::hugging_face::{
    CHAT_TEMPLATE_FILE, GENERATION_CONFIG_FILE, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE,
};

/// The mark of a space in SentencePiece's vocabularies.
const SPACE: &str = "\u{2581}";

/// As much of the file as a vocabulary needs.
#[derive(Deserialize)]
struct Tokenizer {
    #[serde(default)]
    added_tokens: Vec<Added>,
    normalizer: Option<Value>,
    pre_tokenizer: Option<Value>,
    post_processor: Option<Value>,
    model: Model,
}

#[derive(Deserialize)]
struct Added {
    id: usize,
    content: String,
    #[serde(default)]
    special: bool,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: Option<String>,
    vocab: HashMap<String, usize>,
    #[serde(default)]
    merges: Vec<Merge>,
    unk_token: Option<String>,
    #[serde(default)]
    byte_fallback: bool,
}

/// Older files have both in one text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Pair(String, String),
    Text(String),
}

impl Merge {
    fn parts(&self) -> Option<(&str, &str)> {
        match self {
            Merge::Pair(left, right) => Some((left, right)),
            Merge::Text(text) => text.split_once(' '),
        }
    }
}

/// Writes the vocabulary of a model, filled up to the rows of its embedding.
pub(super) fn write(keys: &mut Keys, model: &ForeignModel, rows: usize) -> Result<(), GgufProblem> {
    let Some(bytes) = model.files.get(TOKENIZER_FILE) else {
        keys.text("tokenizer.ggml.model", "no_vocab");
        return Ok(());
    };
    let unreadable = || GgufProblem::Value {
        key: TOKENIZER_FILE.to_owned(),
        expected: "a tokenizer of kind BPE or WordPiece",
    };
    let tokenizer: Tokenizer = serde_json::from_slice(bytes).map_err(|_| unreadable())?;
    let tokens = Tokens::new(&tokenizer, rows)?;
    match tokenizer.model.kind.as_deref() {
        Some("BPE") | None if tokenizer.model.byte_fallback => tokens.write_sentence_piece(keys, &tokenizer),
        Some("BPE") | None => tokens.write_byte_level(keys, &tokenizer)?,
        Some("WordPiece") => tokens.write_word_piece(keys),
        Some(_) => return Err(unreadable()),
    }
    write_roles(keys, model, &tokenizer, &tokens);
    Ok(())
}

/// Tokens in order of id.
struct Tokens {
    texts: Vec<String>,
    kinds: Vec<TokenKind>,
    ids: HashMap<String, usize>,
}

impl Tokens {
    fn new(tokenizer: &Tokenizer, rows: usize) -> Result<Tokens, GgufProblem> {
        let vocabulary = tokenizer.model.vocab.iter().map(|(text, id)| (text, *id));
        let added = tokenizer
            .added_tokens
            .iter()
            .map(|token| (&token.content, token.id));
        let mut texts = vec![None; rows];
        for (text, id) in vocabulary.chain(added) {
            let place = texts.get_mut(id).ok_or(VocabularyProblem::TokenId {
                key: TOKENIZER_FILE,
                id: id as u64,
                tokens: rows,
            })?;
            *place = Some(text.clone());
        }
        let mut kinds: Vec<TokenKind> = texts
            .iter()
            .map(|text| match text {
                Some(_) => TokenKind::Normal,
                None => TokenKind::Unused,
            })
            .collect();
        for token in &tokenizer.added_tokens {
            kinds[token.id] = if token.special {
                TokenKind::Control
            } else {
                TokenKind::UserDefined
            };
        }
        // Names for rows without a token, as llama.cpp's converter gives them.
        let texts: Vec<String> = texts
            .into_iter()
            .zip(0..)
            .map(|(text, id)| text.unwrap_or_else(|| format!("[PAD{id}]")))
            .collect();
        let ids = texts.iter().cloned().zip(0..).collect();
        let mut tokens = Tokens { texts, kinds, ids };
        if let Some(id) = tokenizer
            .model
            .unk_token
            .as_ref()
            .and_then(|name| tokens.ids.get(name))
        {
            tokens.kinds[*id] = TokenKind::Unknown;
        }
        Ok(tokens)
    }

    fn write_lists(&self, keys: &mut Keys, model: &str, pre: &str, texts: &[String]) {
        keys.text("tokenizer.ggml.model", model);
        keys.text("tokenizer.ggml.pre", pre);
        keys.texts("tokenizer.ggml.tokens", texts);
        let kinds: Vec<i32> = self.kinds.iter().map(|&kind| kind as i32).collect();
        keys.i32s("tokenizer.ggml.token_type", &kinds);
    }

    fn write_byte_level(&self, keys: &mut Keys, tokenizer: &Tokenizer) -> Result<(), GgufProblem> {
        let rules = pre_tokenizer(tokenizer)?;
        self.write_lists(keys, "gpt2", rules.names[0], &self.texts);
        let joined = |(at, merge): (usize, &Merge)| {
            let parts = merge.parts().filter(|(left, _)| !left.is_empty());
            let (left, right) = parts.ok_or_else(|| VocabularyProblem::Merge {
                at,
                merge: String::new(),
            })?;
            Ok(format!("{left} {right}"))
        };
        let merges: Result<Vec<String>, VocabularyProblem> =
            tokenizer.model.merges.iter().enumerate().map(joined).collect();
        keys.texts("tokenizer.ggml.merges", &merges?);
        Ok(())
    }

    /// SentencePiece's pieces have scores, the highest joined first. Those of a file without scores follow from the
    /// order of its merges: a piece made by an earlier rule scores higher.
    fn write_sentence_piece(&self, keys: &mut Keys, tokenizer: &Tokenizer) {
        let mut scores = vec![0.0f32; self.texts.len()];
        let mut made = vec![false; self.texts.len()];
        for (rank, merge) in tokenizer.model.merges.iter().enumerate() {
            let joined = merge.parts().map(|(left, right)| format!("{left}{right}"));
            let id = joined.and_then(|joined| self.ids.get(&joined).copied());
            if let Some(id) = id.filter(|&id| !made[id]) {
                (scores[id], made[id]) = (-(rank as f32), true);
            }
        }
        let is_byte = |text: &str| text.len() == 6 && text.starts_with("<0x") && text.ends_with('>');
        let kinds: Vec<i32> = self
            .texts
            .iter()
            .zip(&self.kinds)
            .map(|(text, &kind)| {
                let kind = if kind == TokenKind::Normal && is_byte(text) {
                    TokenKind::Byte
                } else {
                    kind
                };
                kind as i32
            })
            .collect();
        keys.text("tokenizer.ggml.model", "llama");
        keys.text("tokenizer.ggml.pre", "default");
        keys.texts("tokenizer.ggml.tokens", &self.texts);
        keys.f32s("tokenizer.ggml.scores", &scores);
        keys.i32s("tokenizer.ggml.token_type", &kinds);
        keys.bool("tokenizer.ggml.add_space_prefix", adds_space(tokenizer));
    }

    fn write_word_piece(&self, keys: &mut Keys) {
        let marked = |(text, kind): (&String, &TokenKind)| match (kind, text.strip_prefix("##")) {
            (TokenKind::Normal, Some(rest)) => rest.to_owned(),
            (TokenKind::Normal, None) => format!("{SPACE}{text}"),
            (_, _) => text.clone(),
        };
        let texts: Vec<String> = self.texts.iter().zip(&self.kinds).map(marked).collect();
        self.write_lists(keys, "bert", "default", &texts);
    }
}

/// The rules whose JSON is the tokenizer's, whatever else it says about offsets.
fn pre_tokenizer(tokenizer: &Tokenizer) -> Result<&'static PreTokenizer, GgufProblem> {
    let wanted = steps(tokenizer.pre_tokenizer.as_ref());
    let normalizes = tokenizer
        .normalizer
        .as_ref()
        .filter(|normalizer| !normalizer.is_null())
        .map(|n| n["type"].clone());
    let same = |rules: &&PreTokenizer| {
        steps(Some(&rules.pre_tokenizer())) == wanted
            && rules.normalizer().map(|n| n["type"].clone()) == normalizes
    };
    let found = PRE_TOKENIZERS.iter().find(same);
    found.ok_or_else(|| {
        let pre_tokenizer = tokenizer
            .pre_tokenizer
            .as_ref()
            .filter(|rules| !rules.is_null())
            .map_or_else(|| "by no rules".to_owned(), Value::to_string);
        VocabularyProblem::NoCounterpart { pre_tokenizer }.into()
    })
}

/// The steps of a pre-tokenizer as far as they decide where text is split.
fn steps(pre_tokenizer: Option<&Value>) -> Vec<String> {
    let Some(pre_tokenizer) = pre_tokenizer else {
        return Vec::new();
    };
    if let Some(inner) = pre_tokenizer.get("pretokenizers").and_then(Value::as_array) {
        return inner.iter().flat_map(|step| steps(Some(step))).collect();
    }
    let flag = |name: &str, default: bool| {
        pre_tokenizer
            .get(name)
            .and_then(Value::as_bool)
            .unwrap_or(default)
    };
    let step = match pre_tokenizer.get("type").and_then(Value::as_str) {
        Some("ByteLevel") => format!(
            "bytes {} {}",
            flag("use_regex", true),
            flag("add_prefix_space", true)
        ),
        Some("Digits") => format!("digits {}", flag("individual_digits", false)),
        Some("Split") => format!(
            "split {} {} {}",
            pre_tokenizer["pattern"],
            pre_tokenizer["behavior"],
            flag("invert", false)
        ),
        Some(_) | None => pre_tokenizer.to_string(),
    };
    vec![step]
}

/// Whether a space is put before the text: by a normalizer of older files, a pre-tokenizer of newer ones.
fn adds_space(tokenizer: &Tokenizer) -> bool {
    let prepends = |step: &Value| step["type"] == "Prepend" && step["prepend"] == SPACE;
    let normalizer = tokenizer.normalizer.as_ref();
    let by_normalizer = normalizer.is_some_and(|normalizer| {
        let inner = normalizer.get("normalizers").and_then(Value::as_array);
        inner.map_or_else(|| prepends(normalizer), |inner| inner.iter().any(prepends))
    });
    let by_pre_tokenizer = tokenizer.pre_tokenizer.as_ref().is_some_and(|pre_tokenizer| {
        pre_tokenizer["type"] == "Metaspace" && pre_tokenizer["prepend_scheme"] != "never"
    });
    by_normalizer || by_pre_tokenizer
}

/// Which tokens begin, end and fill, and the chat template.
fn write_roles(keys: &mut Keys, model: &ForeignModel, tokenizer: &Tokenizer, tokens: &Tokens) {
    let read = |name: &str| -> Value {
        let file = model
            .files
            .get(name)
            .and_then(|bytes| serde_json::from_slice(bytes).ok());
        file.unwrap_or(Value::Null)
    };
    let (settings, generation) = (read(TOKENIZER_CONFIG_FILE), read(GENERATION_CONFIG_FILE));
    let named = |name: &str| {
        let token = &settings[name];
        let text = token.as_str().or_else(|| token["content"].as_str())?;
        tokens.ids.get(text).copied()
    };
    let first_id = |value: &Value| {
        value
            .as_u64()
            .or_else(|| value.get(0).and_then(Value::as_u64))
            .map(|id| id as usize)
    };
    let by_config = |name: &str| first_id(&model.config[name]).filter(|&id| id < tokens.texts.len());
    let eos = named("eos_token").or(by_config("eos_token_id"));
    for (key, id) in [
        ("bos_token_id", named("bos_token").or(by_config("bos_token_id"))),
        ("eos_token_id", eos),
        ("unknown_token_id", named("unk_token")),
        (
            "padding_token_id",
            named("pad_token").or(by_config("pad_token_id")),
        ),
        // The format's own spelling.
        ("seperator_token_id", named("sep_token")),
        ("cls_token_id", named("cls_token")),
        ("mask_token_id", named("mask_token")),
    ] {
        if let Some(id) = id {
            keys.u32(&format!("tokenizer.ggml.{key}"), id as u32);
        }
    }
    let ends = generation["eos_token_id"].as_array();
    let other_end = ends.and_then(|ends| {
        ends.iter()
            .filter_map(Value::as_u64)
            .find(|&id| Some(id as usize) != eos)
    });
    if let Some(end) = other_end {
        keys.u32("tokenizer.ggml.eot_token_id", end as u32);
    }
    let [before, after] = template_ends(tokenizer.post_processor.as_ref());
    keys.bool("tokenizer.ggml.add_bos_token", before);
    keys.bool("tokenizer.ggml.add_eos_token", after);
    let own_file = model
        .files
        .get(CHAT_TEMPLATE_FILE)
        .and_then(|bytes| str::from_utf8(bytes).ok());
    if let Some(template) = own_file.or(settings["chat_template"].as_str()) {
        keys.text("tokenizer.chat_template", template);
    }
}

/// Whether a special token stands before, and after, every text.
fn template_ends(post_processor: Option<&Value>) -> [bool; 2] {
    let Some(post_processor) = post_processor else {
        return [false; 2];
    };
    if let Some(inner) = post_processor.get("processors").and_then(Value::as_array) {
        return inner
            .iter()
            .map(|step| template_ends(Some(step)))
            .fold([false; 2], |a, b| [a[0] || b[0], a[1] || b[1]]);
    }
    match post_processor.get("type").and_then(Value::as_str) {
        Some("BertProcessing" | "RobertaProcessing") => [true; 2],
        _ => {
            let single = post_processor.get("single").and_then(Value::as_array);
            let is_special =
                |piece: Option<&Value>| piece.is_some_and(|piece| piece.get("SpecialToken").is_some());
            single.map_or([false; 2], |single| {
                [is_special(single.first()), is_special(single.last())]
            })
        }
    }
}
