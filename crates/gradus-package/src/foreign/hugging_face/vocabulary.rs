//! `tokenizer.json` from the older files: `vocab.json` with `merges.txt`, or `vocab.txt`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use crate::error::{Error, Result};
use crate::files::ExtraFiles;
use crate::foreign::hugging_face::{HuggingFaceProblem, TOKENIZER_CONFIG_FILE};
use crate::foreign::tokenizer_json::{
    AddedToken, Bpe, Model, TokenizerJson, Vocabulary, WordPiece, byte_level, template,
};

const VOCABULARY_FILE: &str = "vocab.json";
const MERGES_FILE: &str = "merges.txt";
const WORDS_FILE: &str = "vocab.txt";

/// What GPT-2's tokenizer calls the end of a text where nothing says otherwise.
const END_OF_TEXT: &str = "<|endoftext|>";
/// The special tokens of BERT.
const BERT_SPECIALS: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// The tokenizer that the files describe; `None` where there are none.
pub(super) fn tokenizer(folder: &Path, files: &ExtraFiles) -> Result<Option<Vec<u8>>> {
    if let (Some(vocabulary), Some(merges)) = (files.get(VOCABULARY_FILE), files.get(MERGES_FILE)) {
        return byte_level_tokenizer(folder, vocabulary, merges).map(Some);
    }
    match files.get(WORDS_FILE) {
        Some(words) => word_piece_tokenizer(folder, words, files).map(Some),
        None => Ok(None),
    }
}

/// GPT-2's: bytes written as letters, joined by the rules of `merges.txt`.
fn byte_level_tokenizer(folder: &Path, vocabulary: &[u8], merges: &[u8]) -> Result<Vec<u8>> {
    let path = folder.join(VOCABULARY_FILE);
    let vocabulary: BTreeMap<Cow<'_, str>, usize> =
        serde_json::from_slice(vocabulary).map_err(Error::json(&path))?;
    let mut vocabulary: Vec<(Cow<'_, str>, usize)> = vocabulary.into_iter().collect();
    vocabulary.sort_by_key(|(_, id)| *id);
    let end = vocabulary.iter().find(|(token, _)| token == END_OF_TEXT);
    let end = end.map(|(_, id)| AddedToken::new(*id, END_OF_TEXT, true));
    let merges = read_merges(&folder.join(MERGES_FILE), merges)?;
    let model = Model::Bpe(Bpe::new(vocabulary, merges));
    let mut tokenizer = TokenizerJson::new(model, end.into_iter().collect());
    tokenizer.pre_tokenizer = Some(byte_level(true));
    tokenizer.decoder = Some(byte_level(true));
    tokenizer.post_processor = Some(byte_level(true));
    Ok(tokenizer.to_bytes())
}

fn read_merges<'a>(path: &Path, merges: &'a [u8]) -> Result<Vec<(&'a str, &'a str)>> {
    let text = str::from_utf8(merges).map_err(|_| Error::hugging_face(path)(HuggingFaceProblem::Utf8))?;
    let lines = text
        .lines()
        .zip(1..)
        .filter(|(line, _)| !line.starts_with("#version") && !line.is_empty());
    let split = |(line, number): (&'a str, usize)| {
        let pair = line
            .split_once(' ')
            .filter(|(left, right)| !left.is_empty() && !right.is_empty());
        pair.ok_or_else(|| Error::hugging_face(path)(HuggingFaceProblem::Merge { line: number }))
    };
    lines.map(split).collect()
}

/// BERT's: a word a line, its number the line's.
fn word_piece_tokenizer(folder: &Path, words: &[u8], files: &ExtraFiles) -> Result<Vec<u8>> {
    #[derive(Default, Deserialize)]
    struct Settings {
        do_lower_case: Option<bool>,
        strip_accents: Option<bool>,
    }
    let utf8 = || Error::hugging_face(&folder.join(WORDS_FILE))(HuggingFaceProblem::Utf8);
    let text = str::from_utf8(words).map_err(|_| utf8())?;
    let words: BTreeMap<&str, usize> = text.lines().zip(0..).collect();
    let settings = match files.get(TOKENIZER_CONFIG_FILE) {
        Some(bytes) => {
            serde_json::from_slice(bytes).map_err(Error::json(&folder.join(TOKENIZER_CONFIG_FILE)))?
        }
        None => Settings::default(),
    };
    let mut vocabulary: Vec<(Cow<'_, str>, usize)> = words
        .iter()
        .map(|(word, id)| (Cow::Borrowed(*word), *id))
        .collect();
    vocabulary.sort_by_key(|(_, id)| *id);
    let model = Model::WordPiece(WordPiece {
        unk_token: "[UNK]",
        continuing_subword_prefix: "##",
        max_input_chars_per_word: 100,
        vocab: Vocabulary(vocabulary),
    });
    let place = |name: &'static str| words.get(name).map(|id| (name, *id));
    let mut added: Vec<_> = BERT_SPECIALS.into_iter().filter_map(place).collect();
    added.sort_by_key(|(_, id)| *id);
    let added = added
        .into_iter()
        .map(|(name, id)| AddedToken::new(id, name, true))
        .collect();
    let mut tokenizer = TokenizerJson::new(model, added);
    tokenizer.normalizer = Some(json!({
        "type": "BertNormalizer",
        "clean_text": true,
        "handle_chinese_chars": true,
        "strip_accents": settings.strip_accents,
        "lowercase": settings.do_lower_case.unwrap_or(true),
    }));
    tokenizer.pre_tokenizer = Some(json!({ "type": "BertPreTokenizer" }));
    tokenizer.decoder = Some(json!({ "type": "WordPiece", "prefix": "##", "cleanup": true }));
    tokenizer.post_processor = template(place("[CLS]"), place("[SEP]"));
    Ok(tokenizer.to_bytes())
}
