//! A model together with the tokens it has read.

use gradus_tensor::{CacheType, KvCache, Tensor, no_grad};

use super::sampler::{Sampler, SamplingOptions};
use crate::error::{Error, Result};
use crate::families::transformer::Transformer;

/// Prompt tokens that are read at once: enough rows for fast products, few enough for little memory.
pub(super) const PREFILL_CHUNK: usize = 512;

/// When a generation ends, and how tokens are chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateOptions {
    /// The most tokens that are generated.
    pub max_tokens: usize,
    /// Tokens that end the text; they are read, but not given out.
    pub stop_tokens: Vec<u32>,
    /// How each is chosen.
    pub sampling: SamplingOptions,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        GenerateOptions {
            max_tokens: 128,
            stop_tokens: Vec::new(),
            sampling: SamplingOptions::default(),
        }
    }
}

/// Why a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// A stop token came.
    StopToken,
    /// `max_tokens` were generated.
    MaxTokens,
    /// The model's context, or the session's capacity, is full.
    ContextFull,
}

/// A generated token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token {
    /// Its number in the vocabulary.
    pub id: u32,
    /// The natural logarithm of the probability that the model gave it.
    pub log_probability: f32,
}

/// Tokens that a model has read, with the keys and values it made of them. Text that continues, or that shares its
/// beginning with what was read before, is not read again.
pub struct Session<'m> {
    pub(super) model: &'m Transformer,
    pub(super) cache: KvCache,
    /// The tokens in the cache.
    pub(super) tokens: Vec<u32>,
    pub(super) capacity: usize,
    /// The memory that continuations branched into last, for the next of as many.
    pub(super) branches: Option<KvCache>,
}

impl<'m> Session<'m> {
    /// An empty session for at most `capacity` tokens, or as many as the model has positions.
    pub fn new(model: &'m Transformer, capacity: usize, cache_type: CacheType) -> Session<'m> {
        let capacity = capacity.min(model.config().max_position_embeddings);
        Session {
            cache: model.new_cache(1, capacity, cache_type),
            model,
            tokens: Vec::new(),
            capacity,
            branches: None,
        }
    }

    /// The tokens that have been read.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// The most tokens it can hold.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Reads `prompt` from its first token and starts to continue it.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] for an empty prompt, one longer than the capacity, or sampling numbers outside their
    /// ranges; [`Error::Tensor`] for a token outside the vocabulary.
    pub fn generate(&mut self, prompt: &[u32], options: &GenerateOptions) -> Result<Generation<'_, 'm>> {
        let sampler = Sampler::new(options.sampling.clone())?;
        let logits = self.read(prompt)?;
        Ok(Generation {
            session: self,
            sampler,
            logits,
            left: options.max_tokens,
            stop_tokens: options.stop_tokens.clone(),
            stopped: None,
        })
    }

    /// Reads `text`, of which only what differs from the tokens held is computed; the logits after its last token,
    /// `[1, vocab]`.
    fn read(&mut self, text: &[u32]) -> Result<Tensor> {
        let refuse = |value: String, rule| {
            Err(Error::InvalidSetting {
                owner: "generation",
                setting: "prompt",
                value,
                rule,
            })
        };
        if text.is_empty() {
            return refuse("empty".to_owned(), "it needs at least one token to continue");
        }
        if text.len() > self.capacity {
            let value = format!("{} tokens long", text.len());
            return refuse(value, "it must fit the model's context; shorten it");
        }
        // The last token is always read: its logits are wanted.
        let shared = self
            .tokens
            .iter()
            .zip(text)
            .take_while(|(a, b)| a == b)
            .count()
            .min(text.len() - 1);
        self.cache.truncate(shared);
        self.tokens.truncate(shared);
        let _no_grad = no_grad();
        let mut logits = None;
        let mut at = shared;
        while at < text.len() {
            let end = text.len().min(at + PREFILL_CHUNK);
            let ids = ids_tensor(&text[at..end])?;
            match end == text.len() {
                true => logits = Some(self.model.next_logits(&ids, &mut self.cache)?),
                false => drop(self.model.hidden_states_cached(&ids, &mut self.cache)?),
            }
            self.tokens.extend_from_slice(&text[at..end]);
            at = end;
        }
        Ok(logits.expect("bug: the last token is always read"))
    }
}

pub(super) fn ids_tensor(tokens: &[u32]) -> Result<Tensor> {
    let ids: Vec<i64> = tokens.iter().map(|&id| i64::from(id)).collect();
    Ok(Tensor::from_slice(&ids, [1, ids.len()])?)
}

/// A text in the making: an iterator over its tokens. What it has given out stays in the session.
pub struct Generation<'s, 'm> {
    session: &'s mut Session<'m>,
    sampler: Sampler,
    /// After the last token of the session.
    logits: Tensor,
    left: usize,
    stop_tokens: Vec<u32>,
    stopped: Option<StopReason>,
}

impl Generation<'_, '_> {
    /// Why it ended, once it has.
    pub fn stopped(&self) -> Option<StopReason> {
        self.stopped
    }

    /// The logits after the tokens so far, `[1, vocab]`.
    pub fn logits(&self) -> &Tensor {
        &self.logits
    }

    fn advance(&mut self) -> Result<Option<Token>> {
        if self.left == 0 {
            self.stopped = Some(StopReason::MaxTokens);
            return Ok(None);
        }
        let (id, log_probability) = self
            .sampler
            .choose(self.logits.as_slice::<f32>()?, &self.session.tokens);
        if self.stop_tokens.contains(&id) {
            self.stopped = Some(StopReason::StopToken);
            return Ok(None);
        }
        if self.session.tokens.len() == self.session.capacity {
            self.stopped = Some(StopReason::ContextFull);
            return Ok(None);
        }
        self.left -= 1;
        // The last token's own logits are not wanted; it is read when something follows.
        if self.left > 0 {
            let _no_grad = no_grad();
            let ids = ids_tensor(&[id])?;
            self.logits = self.session.model.next_logits(&ids, &mut self.session.cache)?;
            self.session.tokens.push(id);
        }
        Ok(Some(Token { id, log_probability }))
    }
}

impl Iterator for Generation<'_, '_> {
    type Item = Result<Token>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.stopped.is_some() {
            return None;
        }
        self.advance().transpose()
    }
}
