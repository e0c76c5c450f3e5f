//! WordPiece, the vocabulary of BERT: words and, in BERT's own files, continuations marked by `##`. llama.cpp marks
//! the words instead, by `▁` in front.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::json;

use crate::foreign::gguf::GgufProblem;
use crate::foreign::gguf::vocabulary::tokens::{TokenKind, Tokens};
use crate::foreign::tokenizer_json::{Model, TokenizerJson, Vocabulary, WordPiece, template};

/// What BERT calls a word that it cannot write.
const UNKNOWN: &str = "[UNK]";
/// BERT's own limit on the letters of a word.
const MAX_WORD_CHARS: usize = 100;

/// The bytes of `tokenizer.json`. Letters are lowered and stripped of accents, as llama.cpp does for every such file.
pub(super) fn tokenizer(tokens: &Tokens<'_>) -> Result<Vec<u8>, GgufProblem> {
    let texts = tokens.texts.iter().zip(&tokens.kinds);
    let names: Vec<Cow<'_, str>> = texts
        .map(|(text, kind)| match (kind, text.strip_prefix('\u{2581}')) {
            (TokenKind::Control | TokenKind::Unknown, _) => Cow::Borrowed(*text),
            (_, Some(word)) => Cow::Borrowed(word),
            (_, None) => Cow::Owned(format!("##{text}")),
        })
        .collect();
    let unique: HashMap<&str, usize> = names.iter().map(|name| &**name).zip(0..).collect();
    let kept = names
        .iter()
        .enumerate()
        .filter(|(id, name)| unique.get(&***name) == Some(id));
    let vocabulary = kept.map(|(id, name)| (Cow::Borrowed(&**name), id)).collect();
    let model = Model::WordPiece(WordPiece {
        unk_token: tokens.named(tokens.unknown).map_or(UNKNOWN, |(name, _)| name),
        continuing_subword_prefix: "##",
        max_input_chars_per_word: MAX_WORD_CHARS,
        vocab: Vocabulary(vocabulary),
    });
    let mut tokenizer = TokenizerJson::new(model, tokens.added());
    tokenizer.normalizer = Some(json!({
        "type": "BertNormalizer",
        "clean_text": true,
        "handle_chinese_chars": true,
        "strip_accents": null,
        "lowercase": true,
    }));
    tokenizer.pre_tokenizer = Some(json!({ "type": "BertPreTokenizer" }));
    tokenizer.decoder = Some(json!({ "type": "WordPiece", "prefix": "##", "cleanup": true }));
    let first = tokens.named(tokens.bos).filter(|_| tokens.add_bos);
    let last = tokens
        .named(tokens.separator.or(tokens.eos))
        .filter(|_| tokens.add_eos);
    tokenizer.post_processor = template(first, last);
    Ok(tokenizer.to_bytes())
}
