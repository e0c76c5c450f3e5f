//! Training a byte-level byte-pair encoding (Sennrich et al., 2016; bytes as in Radford et al., 2019).

use std::sync::{Arc, Mutex, PoisonError};

use gradus_kernels::pool;
use serde_json::{Map, Value, json};
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, TokenizerBuilder};

use super::{Tokenizer, guarded};
use crate::limits::MAX_VOCABULARY;
use crate::text::error::{Result, TextError};

/// What ends a text, unless the options say otherwise: GPT-2's spelling.
pub(super) const END_OF_TEXT: &str = "<|endoftext|>";

/// Every byte has a token of its own.
const BYTES: usize = 256;

/// The most text that is learned from: 2 GiB less a byte. The library counts pairs in 32 bits, and a pair cannot occur
/// more often than there are bytes. A vocabulary of 50,000 does not change any more after a hundredth of it.
const MAX_TRAINING_BYTES: u64 = i32::MAX as u64;

/// How a byte-pair encoding is trained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BpeOptions {
    /// Tokens, special ones and the 256 bytes included. Smaller texts give fewer.
    pub vocab_size: usize,
    /// Special tokens, which get the first ids. The first one ends a text.
    pub special_tokens: Vec<String>,
    /// A pair seen less often than this is not merged; at least 1.
    pub min_frequency: u64,
}

impl BpeOptions {
    /// For a vocabulary of this size: `<|endoftext|>` is the only special token, and a pair must occur twice.
    pub fn new(vocab_size: usize) -> BpeOptions {
        BpeOptions {
            vocab_size,
            special_tokens: vec![END_OF_TEXT.to_owned()],
            min_frequency: 2,
        }
    }

    fn validate(&self) -> Result<()> {
        let smallest = BYTES + self.special_tokens.len();
        if self.vocab_size < smallest || self.vocab_size > MAX_VOCABULARY {
            return Err(TextError::TrainOption {
                field: "vocab_size",
                expected: format!("from {smallest} (the bytes and the special tokens) to {MAX_VOCABULARY}"),
                found: self.vocab_size.to_string(),
            });
        }
        let mut distinct = self.special_tokens.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let empty = distinct.iter().any(String::is_empty);
        if distinct.len() != self.special_tokens.len() || distinct.is_empty() || empty {
            return Err(TextError::TrainOption {
                field: "special_tokens",
                expected: "one or more different texts".to_owned(),
                found: format!("{:?}", self.special_tokens),
            });
        }
        Ok(())
    }
}

impl Tokenizer {
    /// Trains a byte-level byte-pair encoding, split before pairing as GPT-2's. Texts are taken as they come and not
    /// kept: only their different words are. Past 2 GiB of text the rest is not looked at.
    ///
    /// The threads are those of the pool's setting; the same texts give the same tokenizer on any number of them.
    ///
    /// # Errors
    /// [`TextError::TrainOption`] for options out of range, [`TextError::NoText`], and what `texts` gives.
    pub fn train_bpe<E>(
        texts: impl Iterator<Item = std::result::Result<String, E>> + Send,
        options: &BpeOptions,
    ) -> Result<Tokenizer>
    where
        E: Send,
        TextError: From<E>,
    {
        options.validate()?;
        let mut feed = Feed {
            texts,
            bytes: 0,
            failed: Arc::new(Mutex::new(None)),
        };
        let failed = Arc::clone(&feed.failed);
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(pool::threads())
            .build();
        let threads = threads.map_err(|source| TextError::Train {
            source: source.into(),
        })?;
        let trained = guarded("training a tokenizer", || {
            threads.install(|| train(&mut feed, options))
        })?;
        if let Some(error) = failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(TextError::from(error));
        }
        let json = trained.map_err(|source| TextError::Train { source })?;
        if feed.bytes == 0 {
            return Err(TextError::NoText);
        }
        Tokenizer::assemble(json, config(&options.special_tokens[0]), None)
    }
}

/// `tokenizer_config.json` of a tokenizer made here.
pub(super) fn config(end_of_text: &str) -> Map<String, Value> {
    let fields = [
        ("tokenizer_class", json!("PreTrainedTokenizerFast")),
        ("bos_token", json!(end_of_text)),
        ("eos_token", json!(end_of_text)),
        ("clean_up_tokenization_spaces", json!(false)),
    ];
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn train<E: Send>(
    feed: &mut Feed<impl Iterator<Item = std::result::Result<String, E>> + Send, E>,
    options: &BpeOptions,
) -> tokenizers::Result<Vec<u8>> {
    let special = options
        .special_tokens
        .iter()
        .map(|text| AddedToken::from(text.as_str(), true));
    let mut trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(options.vocab_size)
        .min_frequency(options.min_frequency.max(1))
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(special.collect())
        .build();
    let byte_level = ByteLevel::new(false, false, true);
    let mut tokenizer =
        TokenizerBuilder::<BPE, tokenizers::NormalizerWrapper, ByteLevel, ByteLevel, ByteLevel>::default()
            .with_model(BPE::default())
            .with_normalizer(None)
            .with_pre_tokenizer(Some(byte_level))
            .with_post_processor(Some(byte_level))
            .with_decoder(Some(byte_level))
            .build()?;
    tokenizer.train(&mut trainer, feed)?;
    tokenizer.to_string(false).map(String::into_bytes)
}

/// The texts, up to the first error or the limit.
struct Feed<I, E> {
    texts: I,
    bytes: u64,
    failed: Arc<Mutex<Option<E>>>,
}

impl<E, I: Iterator<Item = std::result::Result<String, E>>> Iterator for Feed<I, E> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        match self.texts.next()? {
            Ok(text) => {
                self.bytes += text.len() as u64;
                (self.bytes <= MAX_TRAINING_BYTES).then_some(text)
            }
            Err(error) => {
                *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                None
            }
        }
    }
}
