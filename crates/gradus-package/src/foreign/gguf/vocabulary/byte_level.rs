//! Byte-pair encoding over bytes written as letters: the vocabularies of GPT-2, Llama 3, Qwen, SmolLM.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::foreign::gguf::metadata::GgufMetadata;
use crate::foreign::gguf::vocabulary::pre_tokenizers;
use crate::foreign::gguf::vocabulary::tokens::Tokens;
use crate::foreign::gguf::{GgufProblem, VocabularyProblem};
use crate::foreign::tokenizer_json::{Bpe, Model, TokenizerJson, byte_level, sequence, template};

/// The bytes of `tokenizer.json`.
pub(super) fn tokenizer(metadata: &GgufMetadata<'_>, tokens: &Tokens<'_>) -> Result<Vec<u8>, GgufProblem> {
    let pre = metadata.text("tokenizer.ggml.pre")?.unwrap_or("default");
    let rules = pre_tokenizers::find(pre);
    let rules = rules.ok_or_else(|| VocabularyProblem::PreTokenizer { pre: pre.to_owned() })?;
    let ids = ids(tokens);
    let merges = merges(metadata, &ids)?;
    let mut vocabulary: Vec<(Cow<'_, str>, usize)> =
        ids.iter().map(|(text, id)| (Cow::Borrowed(*text), *id)).collect();
    vocabulary.sort_by_key(|(_, id)| *id);
    let model = Model::Bpe(Bpe {
        ignore_merges: rules.ignores_merges,
        ..Bpe::new(vocabulary, merges)
    });
    let mut tokenizer = TokenizerJson::new(model, tokens.added());
    tokenizer.normalizer = rules.normalizer();
    tokenizer.pre_tokenizer = Some(rules.pre_tokenizer());
    tokenizer.decoder = Some(byte_level(true));
    let bos = tokens.named(tokens.bos).filter(|_| tokens.add_bos);
    let eos = tokens.named(tokens.eos).filter(|_| tokens.add_eos);
    tokenizer.post_processor = Some(match template(bos, eos) {
        Some(template) => sequence("processors", vec![byte_level(true), template]),
        None => byte_level(true),
    });
    Ok(tokenizer.to_bytes())
}

/// Tokens that can be looked up. Where two have the same text the later one counts, as in llama.cpp.
fn ids<'a>(tokens: &Tokens<'a>) -> HashMap<&'a str, usize> {
    let all = tokens.texts.iter().copied().zip(0..);
    all.filter(|(_, id)| !tokens.is_filler(*id)).collect()
}

/// The rules: two tokens, with a space between.
fn merges<'a>(
    metadata: &GgufMetadata<'a>,
    ids: &HashMap<&str, usize>,
) -> Result<Vec<(&'a str, &'a str)>, GgufProblem> {
    let merges = metadata.texts("tokenizer.ggml.merges")?.unwrap_or_default();
    let mut joined = String::new();
    let mut split = |(at, merge): (usize, &&'a [u8])| {
        let wrong = || VocabularyProblem::Merge {
            at,
            merge: String::from_utf8_lossy(merge).into_owned(),
        };
        let text = str::from_utf8(merge).map_err(|_| wrong())?;
        // The first letter may itself be a space.
        let space = text
            .char_indices()
            .skip(1)
            .find(|(_, letter)| *letter == ' ')
            .ok_or_else(wrong)?;
        let (left, right) = (&text[..space.0], &text[space.0 + 1..]);
        joined.clear();
        joined.push_str(left);
        joined.push_str(right);
        let known = ids.contains_key(left) && ids.contains_key(right) && ids.contains_key(joined.as_str());
        if known { Ok((left, right)) } else { Err(wrong()) }
    };
    let split: Result<Vec<_>, VocabularyProblem> = merges.iter().enumerate().map(&mut split).collect();
    Ok(split?)
}
