//! Tokenizers: text to ids and back.
//!
//! The work is done by Hugging Face's `tokenizers`; what is here decides what surrounds it: which files a tokenizer is
//! read from and saved to, what its special tokens are for, who may use how many threads, and that damaged files end
//! in an error. Ids of byte-level vocabularies, which nearly all models have, are decoded through a table.

mod bytes;
mod characters;
mod files;
mod special;
mod train_bpe;

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use gradus_kernels::pool::parallel_chunks_mut;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokenizers::{DecoderWrapper, PostProcessor, PostProcessorWrapper};

use crate::limits::MAX_VOCABULARY;
use crate::text::chat::ChatTemplate;
use crate::text::error::{Result, TextError};

pub(crate) use bytes::ByteTable;
pub use special::{SpecialToken, SpecialTokens};
pub use train_bpe::BpeOptions;

/// A tokenizer, cheap to clone and usable from many threads.
#[derive(Clone)]
pub struct Tokenizer {
    inner: Arc<Inner>,
}

struct Inner {
    /// Reads special tokens in a text as such.
    library: tokenizers::Tokenizer,
    /// Puts special tokens around a text. Kept apart, because some of them also move the offsets of tokens.
    post_processor: Option<PostProcessorWrapper>,
    /// Reads them as text; made when first needed, because a large vocabulary takes tens of megabytes.
    plain: OnceLock<tokenizers::Tokenizer>,
    /// `tokenizer.json`, as it was read or made.
    json: Vec<u8>,
    /// `tokenizer_config.json`.
    config: Map<String, Value>,
    special: SpecialTokens,
    chat_template: Option<ChatTemplate>,
    vocab_size: usize,
    byte_table: Option<ByteTable>,
    /// Ids that decoding leaves out, ascending.
    hidden: Vec<u32>,
    fingerprint: [u8; 32],
}

impl Tokenizer {
    /// A tokenizer from the contents of its files: `tokenizer.json`, and where there is one `tokenizer_config.json`.
    /// Truncation and padding that the file asks for are ignored; whoever makes batches sees to that.
    ///
    /// # Errors
    /// When a part is damaged, too large or contradicts the other; see [`TextError`].
    pub fn from_json(json: impl Into<Vec<u8>>, config: Option<&str>) -> Result<Tokenizer> {
        let config = match config {
            Some(text) => serde_json::from_str(text).map_err(|source| TextError::Json {
                origin: files::CONFIG.to_owned(),
                source,
            })?,
            None => Map::new(),
        };
        let template = files::template_in(&config)?;
        Tokenizer::assemble(json.into(), config, template.as_deref())
    }

    /// The common end of all constructors. A template of a file of its own takes precedence over the configuration's.
    fn assemble(json: Vec<u8>, config: Map<String, Value>, template: Option<&str>) -> Result<Tokenizer> {
        let (library, post_processor) = guarded("reading the tokenizer", || read_library(&json))??;
        let vocabulary = library.get_vocab(true);
        let vocab_size = vocabulary
            .values()
            .max()
            .map_or(0, |&greatest| greatest as usize + 1);
        if vocab_size == 0 || vocab_size > MAX_VOCABULARY {
            return Err(TextError::Tokenizer {
                origin: files::TOKENIZER.to_owned(),
                source: format!("its ids go up to {vocab_size}, at most {MAX_VOCABULARY} are allowed").into(),
            });
        }
        let special = SpecialTokens::read(&config, |text| library.token_to_id(text))?;
        let chat_template = template
            .map(|source| ChatTemplate::new(source, &special))
            .transpose()?;
        let byte_table = matches!(library.get_decoder(), Some(DecoderWrapper::ByteLevel(_)))
            .then(|| ByteTable::new(vocab_size, |id| library.id_to_token(id)));
        let inner = Inner {
            hidden: hidden_ids(&library, &vocabulary),
            fingerprint: Sha256::digest(&json).into(),
            plain: OnceLock::new(),
            library,
            post_processor,
            json,
            config,
            special,
            chat_template,
            vocab_size,
            byte_table,
        };
        Ok(Tokenizer {
            inner: Arc::new(inner),
        })
    }

    /// The ids of a text. Special tokens that are spelled out in it (as chat templates do) become their ids; none are
    /// added.
    ///
    /// # Errors
    /// [`TextError::Encode`], which damaged tokenizers give.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        encode(&self.inner.library, text)
    }

    /// As [`encode`](Self::encode), with the special tokens around it that the tokenizer puts around a text (Llama's
    /// first token, BERT's `[CLS]` and `[SEP]`).
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_with_special(&self, text: &str) -> Result<Vec<u32>> {
        let Some(processor) = &self.inner.post_processor else {
            return self.encode(text);
        };
        let encoding = guarded("encoding a text", || {
            let encoding = self.inner.library.encode_fast(text, false)?;
            processor.process(encoding, None, true)
        })?;
        let encoding = encoding.map_err(|source| TextError::Encode { source })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The ids of a text that comes from others: the spelling of a special token in it is text like any other, so
    /// nobody can end a turn from inside it.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_plain(&self, text: &str) -> Result<Vec<u32>> {
        encode(self.plain_library(), text)
    }

    /// As [`encode`](Self::encode), and for each id the bytes of the text that it stands for, as `[start, end]`.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_with_offsets(&self, text: &str) -> Result<(Vec<u32>, Vec<[usize; 2]>)> {
        let encoding = guarded("encoding a text", || self.inner.library.encode(text, false))?
            .map_err(|source| TextError::Encode { source })?;
        let offsets = encoding
            .get_offsets()
            .iter()
            .map(|&(start, end)| [start, end])
            .collect();
        Ok((encoding.get_ids().to_vec(), offsets))
    }

    /// Encodes many texts on the threads of the pool; the result does not depend on their number.
    ///
    /// # Errors
    /// As [`encode`](Self::encode), for the first text that has one.
    pub fn encode_batch<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<Vec<u32>>> {
        self.batch(texts, |text| self.encode(text))
    }

    /// As [`encode_batch`](Self::encode_batch), with [`encode_plain`](Self::encode_plain).
    ///
    /// # Errors
    /// As [`encode`](Self::encode), for the first text that has one.
    pub fn encode_plain_batch<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<Vec<u32>>> {
        self.batch(texts, |text| self.encode_plain(text))
    }

    fn batch<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        encode: impl Fn(&str) -> Result<Vec<u32>> + Sync,
    ) -> Result<Vec<Vec<u32>>> {
        let mut results: Vec<Result<Vec<u32>>> = texts.iter().map(|_| Ok(Vec::new())).collect();
        parallel_chunks_mut(&mut results, 1, |index, result| {
            result[0] = encode(texts[index].as_ref())
        });
        results.into_iter().collect()
    }

    /// The text of ids, without special tokens. Ids past the vocabulary are left out, bytes that are in no character
    /// become U+FFFD.
    ///
    /// # Errors
    /// [`TextError::Decode`], which damaged tokenizers give.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        match &self.inner.byte_table {
            Some(_) => {
                let bytes: Vec<u8> = ids.iter().flat_map(|&id| self.bytes_of(id)).copied().collect();
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            None => self.decode_by_library(ids, true),
        }
    }

    /// As [`decode`](Self::decode), special tokens spelled out.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub fn decode_with_special(&self, ids: &[u32]) -> Result<String> {
        match &self.inner.byte_table {
            Some(table) => {
                let bytes: Vec<u8> = ids.iter().flat_map(|&id| table.of(id)).copied().collect();
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            None => self.decode_by_library(ids, false),
        }
    }

    fn decode_by_library(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        guarded("decoding ids", || self.inner.library.decode(ids, skip_special))?
            .map_err(|source| TextError::Decode { source })
    }

    /// Ids go from 0 to one less than this.
    pub fn vocab_size(&self) -> usize {
        self.inner.vocab_size
    }

    /// The id of a token by its spelling in the vocabulary.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.library.token_to_id(token)
    }

    /// The spelling of an id in the vocabulary, which for byte-level ones is not its text.
    pub fn id_to_token(&self, id: u32) -> Option<String> {
        self.inner.library.id_to_token(id)
    }

    /// Whether decoding leaves the id out.
    pub fn is_special(&self, id: u32) -> bool {
        self.inner.hidden.binary_search(&id).is_ok()
    }

    /// The tokens that stand for no text.
    pub fn special(&self) -> &SpecialTokens {
        &self.inner.special
    }

    /// The token that ends a text.
    ///
    /// # Errors
    /// [`TextError::NoSpecialToken`] when the tokenizer has none.
    pub fn end_of_text(&self) -> Result<u32> {
        let eos = self.inner.special.eos.as_ref();
        eos.map(|token| token.id)
            .ok_or(TextError::NoSpecialToken { role: "eos" })
    }

    /// The template of conversations, if the tokenizer came with one.
    pub fn chat_template(&self) -> Option<&ChatTemplate> {
        self.inner.chat_template.as_ref()
    }

    /// The template of conversations, or ChatML where the tokenizer came without one.
    pub fn chat_template_or_chatml(&self) -> ChatTemplate {
        self.inner
            .chat_template
            .clone()
            .unwrap_or_else(ChatTemplate::chatml)
    }

    /// SHA-256 of `tokenizer.json`: two tokenizers with one fingerprint give the same ids.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.inner.fingerprint
    }

    /// `tokenizer.json`.
    pub fn json(&self) -> &[u8] {
        &self.inner.json
    }

    /// Of byte-level vocabularies, the bytes of each id.
    pub(crate) fn byte_table(&self) -> Option<&ByteTable> {
        self.inner.byte_table.as_ref()
    }

    /// The bytes of an id of a byte-level vocabulary; none for special tokens.
    pub(crate) fn bytes_of(&self, id: u32) -> &[u8] {
        match &self.inner.byte_table {
            Some(table) if !self.is_special(id) => table.of(id),
            Some(_) | None => &[],
        }
    }

    fn plain_library(&self) -> &tokenizers::Tokenizer {
        self.inner.plain.get_or_init(|| {
            let mut library = self.inner.library.clone();
            library.set_encode_special_tokens(true);
            library
        })
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokenizer")
            .field("vocab_size", &self.inner.vocab_size)
            .field("special", &self.inner.special)
            .finish_non_exhaustive()
    }
}

fn read_library(json: &[u8]) -> Result<(tokenizers::Tokenizer, Option<PostProcessorWrapper>)> {
    let failed = |source| TextError::Tokenizer {
        origin: files::TOKENIZER.to_owned(),
        source,
    };
    let mut library = tokenizers::Tokenizer::from_bytes(json).map_err(failed)?;
    library.with_padding(None).with_truncation(None).map_err(failed)?;
    let post_processor = library.get_post_processor().cloned();
    library.with_post_processor(None::<PostProcessorWrapper>);
    Ok((library, post_processor))
}

fn encode(library: &tokenizers::Tokenizer, text: &str) -> Result<Vec<u32>> {
    let encoding = guarded("encoding a text", || library.encode_fast(text, false))?
        .map_err(|source| TextError::Encode { source })?;
    Ok(encoding.get_ids().to_vec())
}

fn hidden_ids(library: &tokenizers::Tokenizer, vocabulary: &HashMap<String, u32>) -> Vec<u32> {
    let added = library.get_added_vocabulary();
    let special = vocabulary.iter().filter(|(text, _)| added.is_special_token(text));
    let mut ids: Vec<u32> = special.map(|(_, &id)| id).collect();
    ids.sort_unstable();
    ids
}

/// The library indexes by numbers that a damaged file gave it; what it breaks on is an error of the file.
fn guarded<T>(action: &'static str, work: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| TextError::TokenizerPanic {
        action,
        reason: match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
            (Some(reason), _) => reason.clone(),
            (None, Some(reason)) => (*reason).to_owned(),
            (None, None) => "a panic without a word".to_owned(),
        },
    })
}
