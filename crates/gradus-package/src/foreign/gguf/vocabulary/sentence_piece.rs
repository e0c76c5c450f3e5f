//! SentencePiece's byte-pair vocabularies, of Llama 2, Mistral and Gemma: pieces with scores, in which a space is `▁`.
//!
//! The file has no merges; they follow from the pieces: two pieces may be joined if together they are a piece, the one
//! with the highest score first. That is how `transformers` converts such vocabularies, and what llama.cpp does as it
//! goes. Text that no piece covers is written byte by byte.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::json;

use crate::foreign::gguf::metadata::GgufMetadata;
use crate::foreign::gguf::vocabulary::tokens::{TokenKind, Tokens};
use crate::foreign::gguf::{GgufProblem, VocabularyProblem};
use crate::foreign::tokenizer_json::{Bpe, Model, TokenizerJson, sequence, template};

/// The mark of a space.
const SPACE: &str = "\u{2581}";

/// The longest piece that merges are made of. Every split of a piece is tried, so length costs its square; the longest
/// pieces of real vocabularies are runs of 31 spaces, which are user-defined, and words of some 30 letters.
const MAX_PIECE_BYTES: usize = 256;

/// How many ways there may be to make a piece, on average. Real vocabularies have two or three.
const MAX_WAYS: usize = 16;

/// The bytes of `tokenizer.json`.
pub(super) fn tokenizer(metadata: &GgufMetadata<'_>, tokens: &Tokens<'_>) -> Result<Vec<u8>, GgufProblem> {
    check_bytes(tokens)?;
    let ids: HashMap<&str, usize> = tokens.texts.iter().copied().zip(0..).collect();
    let mut vocabulary: Vec<(Cow<'_, str>, usize)> =
        ids.iter().map(|(text, id)| (Cow::Borrowed(*text), *id)).collect();
    vocabulary.sort_by_key(|(_, id)| *id);
    let model = Model::Bpe(Bpe {
        unk_token: tokens.named(tokens.unknown).map(|(name, _)| name),
        fuse_unk: true,
        byte_fallback: true,
        ..Bpe::new(vocabulary, merges(tokens, &ids)?)
    });
    let prefixed = metadata.bool("tokenizer.ggml.add_space_prefix")?.unwrap_or(true);
    let mut tokenizer = TokenizerJson::new(model, tokens.added());
    let replace = json!({ "type": "Replace", "pattern": { "String": " " }, "content": SPACE });
    let prepend = prefixed.then(|| json!({ "type": "Prepend", "prepend": SPACE }));
    tokenizer.normalizer = Some(sequence(
        "normalizers",
        prepend.into_iter().chain([replace]).collect(),
    ));
    let strip = prefixed.then(|| json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
    let decoders = [
        json!({ "type": "Replace", "pattern": { "String": SPACE }, "content": " " }),
        json!({ "type": "ByteFallback" }),
        json!({ "type": "Fuse" }),
    ];
    tokenizer.decoder = Some(sequence("decoders", decoders.into_iter().chain(strip).collect()));
    let bos = tokens.named(tokens.bos).filter(|_| tokens.add_bos);
    let eos = tokens.named(tokens.eos).filter(|_| tokens.add_eos);
    tokenizer.post_processor = template(bos, eos);
    Ok(tokenizer.to_bytes())
}

/// Without all bytes, some text could not be written at all.
fn check_bytes(tokens: &Tokens<'_>) -> Result<(), VocabularyProblem> {
    let mut held = [false; 256];
    for (text, kind) in tokens.texts.iter().zip(&tokens.kinds) {
        let digits = text.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let (TokenKind::Byte, Some(byte)) = (kind, byte) {
            held[usize::from(byte)] = true;
        }
    }
    match (0..=u8::MAX).find(|&byte| !held[usize::from(byte)]) {
        Some(byte) => Err(VocabularyProblem::MissingByte { byte }),
        None => Ok(()),
    }
}

/// A way to make a piece of two others.
struct Merge<'a> {
    left: &'a str,
    right: &'a str,
    score: f64,
}

fn merges<'a>(
    tokens: &Tokens<'a>,
    ids: &HashMap<&'a str, usize>,
) -> Result<Vec<(&'a str, &'a str)>, VocabularyProblem> {
    let scores: Vec<f64> = match tokens.scores {
        Some(scores) => scores.iter().map(|score| score.as_f64().unwrap_or(0.0)).collect(),
        None => vec![0.0; tokens.texts.len()],
    };
    let mut merges = Vec::new();
    let most = MAX_WAYS * tokens.texts.len();
    for (id, text) in tokens.texts.iter().enumerate() {
        match tokens.kinds[id] {
            TokenKind::Normal | TokenKind::UserDefined | TokenKind::Unused => {}
            TokenKind::Unknown | TokenKind::Control | TokenKind::Byte => continue,
        }
        if text.len() > MAX_PIECE_BYTES {
            return Err(VocabularyProblem::TooLarge {
                tokens: 1,
                bytes: text.len(),
                limit: MAX_PIECE_BYTES,
            });
        }
        let places = text.char_indices().skip(1).map(|(at, _)| text.split_at(at));
        let mut ways: Vec<(&str, &str, (usize, usize))> = places
            .filter_map(|(left, right)| Some((left, right, (*ids.get(left)?, *ids.get(right)?))))
            .collect();
        ways.sort_by_key(|(_, _, parts)| *parts);
        let score = scores[id];
        merges.extend(
            ways.into_iter()
                .map(|(left, right, _)| Merge { left, right, score }),
        );
        if merges.len() > most {
            return Err(VocabularyProblem::TooManyMerges { limit: most });
        }
    }
    // Highest score first; among equals the longer parts, then the order of the pieces, all as `transformers` sorts.
    let lengths = |merge: &Merge<'_>| (merge.left.chars().count(), merge.right.chars().count());
    merges.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then_with(|| lengths(b).cmp(&lengths(a)))
    });
    Ok(merges
        .into_iter()
        .map(|merge| (merge.left, merge.right))
        .collect())
}
