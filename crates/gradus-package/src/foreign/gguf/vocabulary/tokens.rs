//! The tokens of a file, what kind each is, and which of them have a role.

use crate::foreign::gguf::metadata::{GgufMetadata, GgufNumbers};
use crate::foreign::gguf::{GgufProblem, VocabularyProblem};
use crate::foreign::tokenizer_json::AddedToken;

/// Far above any vocabulary, far below any memory; for the tokens and for their bytes.
const MAX_TOKENS: usize = 1 << 24;
const MAX_TOKEN_BYTES: usize = 1 << 28;

/// What a token is, by llama.cpp's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::foreign::gguf) enum TokenKind {
    Normal = 1,
    Unknown = 2,
    /// No text: begins, ends, or separates.
    Control = 3,
    /// Found in the text as a whole.
    UserDefined = 4,
    Unused = 5,
    /// One byte, written `<0x0A>`.
    Byte = 6,
}

impl TokenKind {
    fn find(number: Option<u64>) -> TokenKind {
        match number {
            Some(2) => TokenKind::Unknown,
            Some(3) => TokenKind::Control,
            Some(4) => TokenKind::UserDefined,
            Some(5) => TokenKind::Unused,
            Some(6) => TokenKind::Byte,
            // As llama.cpp treats numbers it does not know.
            Some(_) | None => TokenKind::Normal,
        }
    }
}

/// All tokens of a file.
pub(super) struct Tokens<'a> {
    pub(super) texts: Vec<&'a str>,
    pub(super) kinds: Vec<TokenKind>,
    pub(super) scores: Option<GgufNumbers<'a>>,
    pub(super) bos: Option<usize>,
    pub(super) eos: Option<usize>,
    pub(super) unknown: Option<usize>,
    pub(super) padding: Option<usize>,
    pub(super) separator: Option<usize>,
    pub(super) add_bos: bool,
    pub(super) add_eos: bool,
}

impl<'a> Tokens<'a> {
    /// Reads the lists and checks that they fit each other; `None` where the file has no tokens.
    pub(super) fn read(metadata: &GgufMetadata<'a>) -> Result<Option<Tokens<'a>>, GgufProblem> {
        let Some(texts) = metadata.texts("tokenizer.ggml.tokens")? else {
            return Ok(None);
        };
        let bytes = texts.iter().map(|text| text.len()).sum::<usize>();
        let tokens = texts.len();
        if tokens > MAX_TOKENS || bytes > MAX_TOKEN_BYTES {
            let limit = if tokens > MAX_TOKENS {
                MAX_TOKENS
            } else {
                MAX_TOKEN_BYTES
            };
            return Err(VocabularyProblem::TooLarge { tokens, bytes, limit }.into());
        }
        let checked = texts.iter().enumerate();
        let checked =
            checked.map(|(id, text)| str::from_utf8(text).map_err(|_| VocabularyProblem::Utf8 { id }));
        let texts: Vec<&str> = checked.collect::<Result<_, _>>()?;
        let kinds = listed(metadata, "tokenizer.ggml.token_type", tokens)?;
        let kinds = match kinds {
            Some(kinds) => kinds.iter().map(|kind| TokenKind::find(kind.as_u64())).collect(),
            None => vec![TokenKind::Normal; tokens],
        };
        let id = |key| token_id(metadata, key, tokens);
        let (model, pre) = (
            metadata.text("tokenizer.ggml.model")?,
            metadata.text("tokenizer.ggml.pre")?,
        );
        let [bos_by_default, eos_by_default] = added_by_default(model, pre);
        Ok(Some(Tokens {
            scores: listed(metadata, "tokenizer.ggml.scores", tokens)?,
            bos: id("tokenizer.ggml.bos_token_id")?,
            eos: id("tokenizer.ggml.eos_token_id")?,
            unknown: id("tokenizer.ggml.unknown_token_id")?,
            padding: id("tokenizer.ggml.padding_token_id")?,
            separator: id("tokenizer.ggml.seperator_token_id")?,
            add_bos: metadata
                .bool("tokenizer.ggml.add_bos_token")?
                .unwrap_or(bos_by_default),
            add_eos: metadata
                .bool("tokenizer.ggml.add_eos_token")?
                .unwrap_or(eos_by_default),
            texts,
            kinds,
        }))
    }

    /// A token with its id, as templates want it.
    pub(super) fn named(&self, id: Option<usize>) -> Option<(&'a str, usize)> {
        id.map(|id| (self.texts[id], id))
    }

    /// Tokens that are found in the text before it is split.
    pub(super) fn added(&self) -> Vec<AddedToken<'a>> {
        let each = self.texts.iter().zip(&self.kinds).enumerate();
        each.filter_map(|(id, (text, kind))| match kind {
            TokenKind::Control | TokenKind::Unknown => Some(AddedToken::new(id, text, true)),
            TokenKind::UserDefined => Some(AddedToken::new(id, text, false)),
            TokenKind::Normal | TokenKind::Unused | TokenKind::Byte => None,
        })
        .filter(|token| !token.content.is_empty())
        .collect()
    }

    /// Whether a token only fills the vocabulary up to the embedding's rows, as llama.cpp's converter names those.
    pub(super) fn is_filler(&self, id: usize) -> bool {
        let number = self.texts[id]
            .strip_prefix("[PAD")
            .and_then(|rest| rest.strip_suffix(']'));
        self.kinds[id] == TokenKind::Unused && number.and_then(|number| number.parse().ok()) == Some(id)
    }
}

/// Whether llama.cpp adds the first and the last token where the file does not say.
fn added_by_default(model: Option<&str>, pre: Option<&str>) -> [bool; 2] {
    match model {
        Some("llama") => [true, false],
        Some("bert") => [true, true],
        _ => {
            let rules = pre.and_then(super::pre_tokenizers::find);
            [rules.is_some_and(|rules| rules.adds_bos), false]
        }
    }
}

/// A list with one number for each token.
fn listed<'a>(
    metadata: &GgufMetadata<'a>,
    key: &'static str,
    tokens: usize,
) -> Result<Option<GgufNumbers<'a>>, GgufProblem> {
    let numbers = metadata.numbers(key)?;
    match numbers {
        Some(numbers) if numbers.len() != tokens => {
            let got = numbers.len();
            Err(VocabularyProblem::Length { key, got, tokens }.into())
        }
        Some(_) | None => Ok(numbers),
    }
}

fn token_id(
    metadata: &GgufMetadata<'_>,
    key: &'static str,
    tokens: usize,
) -> Result<Option<usize>, GgufProblem> {
    let Some(id) = metadata.u64(key)? else {
        return Ok(None);
    };
    if id == u64::from(u32::MAX) {
        // llama.cpp's way of saying that there is none.
        return Ok(None);
    }
    match usize::try_from(id) {
        Ok(place) if place < tokens => Ok(Some(place)),
        _ => Err(VocabularyProblem::TokenId { key, id, tokens }.into()),
    }
}
