//! Batches for training a language model on a long row of tokens.

use std::ops::Range;
use std::sync::Arc;

use gradus_tensor::{Rng, Tensor};

use super::permutation::Permutation;
use super::set::TokenSet;
use crate::text::error::{Result, TextError};

/// Streams of random numbers below a loader's seed.
const STREAM_OFFSETS: u64 = 3;
const STREAM_WINDOWS: u64 = 4;

/// What a loader's batches look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenLoaderConfig {
    /// Rows of a batch.
    pub batch_size: usize,
    /// Tokens of a row.
    pub seq_len: usize,
    /// The seed of the order.
    pub seed: u64,
    /// The end-of-text token, if documents must not see those before them in a row; `None` lets them, as GPT-2 did.
    pub separate_documents: Option<u32>,
}

impl TokenLoaderConfig {
    /// Rows that documents share, in the order of seed 0.
    pub fn new(batch_size: usize, seq_len: usize) -> TokenLoaderConfig {
        TokenLoaderConfig {
            batch_size,
            seq_len,
            seed: 0,
            separate_documents: None,
        }
    }
}

/// One batch of a language model.
#[derive(Clone, Debug)]
pub struct TokenBatch {
    /// Tokens, i64 `[batch, seq]`.
    pub ids: Tensor,
    /// For each the token that follows it, i64 `[batch, seq]`; -100 where none is to be learned.
    pub targets: Tensor,
    /// For each the first place in its row that it may look at, i64 `[batch, seq]`; `None` when that is 0 everywhere.
    pub first_key: Option<Tensor>,
    /// For each its place in its document, i64 `[batch, seq]`; `None` when that is its place in the row.
    pub positions: Option<Tensor>,
    /// Number of targets that are to be learned.
    pub learned_tokens: usize,
}

/// Draws batches from a set of tokens. A batch is a function of the seed and of its number alone.
#[derive(Clone, Debug)]
pub struct TokenLoader {
    set: Arc<TokenSet>,
    config: TokenLoaderConfig,
}

impl TokenLoader {
    /// A loader for `set`.
    ///
    /// # Errors
    /// [`TextError::NoBatch`] when the set is shorter than a row and the token after it, or a size is 0.
    pub fn new(set: Arc<TokenSet>, config: TokenLoaderConfig) -> Result<TokenLoader> {
        let TokenLoaderConfig {
            batch_size, seq_len, ..
        } = config;
        let tokens = set.tokens();
        if batch_size == 0 || seq_len == 0 || tokens <= seq_len as u64 {
            return Err(TextError::NoBatch {
                batch_size,
                seq_len,
                tokens,
            });
        }
        Ok(TokenLoader { set, config })
    }

    /// The tokens.
    pub fn set(&self) -> &Arc<TokenSet> {
        &self.set
    }

    /// The batch of a training step: rows that start anywhere, drawn with replacement.
    pub fn random(&self, step: u64) -> TokenBatch {
        let mut rng = Rng::derive(self.config.seed, &[STREAM_OFFSETS, step]);
        let last = self.set.tokens() - self.config.seq_len as u64;
        let starts: Vec<u64> = (0..self.config.batch_size)
            .map(|_| rng.below(last as usize) as u64)
            .collect();
        self.batch(&starts)
    }

    /// Rows of an epoch: the set cut into rows without overlap. What does not fill a row at the end is left out.
    pub fn num_windows(&self) -> u64 {
        (self.set.tokens() - 1) / self.config.seq_len as u64
    }

    /// Full batches of an epoch; one, smaller than the others, when there are fewer rows than a batch takes.
    pub fn num_batches(&self) -> u64 {
        (self.num_windows() / self.config.batch_size as u64).max(1)
    }

    /// The batches of an epoch after the first `skip_batches`, which a resumed run has already seen: every row once, in
    /// an order of the seed and `epoch`. Rows that do not fill a last batch are left out.
    pub fn epoch(&self, epoch: u64, skip_batches: u64) -> EpochBatches<'_> {
        let mut rng = Rng::derive(self.config.seed, &[STREAM_WINDOWS, epoch]);
        EpochBatches {
            loader: self,
            order: Permutation::new(self.num_windows(), &mut rng),
            batches: skip_batches.min(self.num_batches())..self.num_batches(),
        }
    }

    /// Every row once and in order, the last batch perhaps smaller, for measuring a model. With a limit, that many
    /// batches spread evenly, the same ones each time.
    pub fn evaluation(&self, max_batches: Option<u64>) -> EvaluationBatches<'_> {
        let batches = self.num_windows().div_ceil(self.config.batch_size as u64);
        let count = max_batches.map_or(batches, |most| most.clamp(1, batches));
        EvaluationBatches {
            loader: self,
            batches,
            count,
            next: 0,
        }
    }

    /// A loss in nats per token as bits per byte of text.
    pub fn bits_per_byte(&self, nats_per_token: f64) -> f64 {
        nats_per_token / std::f64::consts::LN_2 / self.set.bytes_per_token()
    }

    /// The windows of a range, through an order.
    fn windows(&self, range: Range<u64>, order: impl Fn(u64) -> u64) -> TokenBatch {
        let starts: Vec<u64> = range
            .map(|window| order(window) * self.config.seq_len as u64)
            .collect();
        self.batch(&starts)
    }

    fn batch(&self, starts: &[u64]) -> TokenBatch {
        let seq_len = self.config.seq_len;
        let shape = [starts.len(), seq_len];
        let rows = |shift: u64| {
            Tensor::build(shape, |out: &mut [i64]| {
                for (row, &start) in out.chunks_exact_mut(seq_len).zip(starts) {
                    self.set.read(start + shift, row);
                }
            })
        };
        let (ids, targets) = (rows(0), rows(1));
        let separate = self.config.separate_documents;
        let first_key = separate.map(|end_of_text| first_keys(&ids, i64::from(end_of_text)));
        let positions = first_key.as_ref().map(positions);
        TokenBatch {
            ids,
            targets,
            first_key,
            positions,
            learned_tokens: starts.len() * seq_len,
        }
    }
}

/// For each token the start of its document in the row; the token that ends a document belongs to it.
fn first_keys(ids: &Tensor, end_of_text: i64) -> Tensor {
    let seq_len = ids.shape()[1];
    let ids = ids.as_slice::<i64>().expect("bug: a batch of other than i64");
    Tensor::build([ids.len() / seq_len, seq_len], |out: &mut [i64]| {
        for (keys, row) in out.chunks_exact_mut(seq_len).zip(ids.chunks_exact(seq_len)) {
            let mut first = 0;
            for (place, (key, &id)) in keys.iter_mut().zip(row).enumerate() {
                *key = first;
                if id == end_of_text {
                    first = place as i64 + 1;
                }
            }
        }
    })
}

/// For each token how far it is from the first that it may look at.
pub(crate) fn positions(first_key: &Tensor) -> Tensor {
    let seq_len = first_key.shape()[1];
    let keys = first_key
        .as_slice::<i64>()
        .expect("bug: first keys of other than i64");
    Tensor::build([keys.len() / seq_len, seq_len], |out: &mut [i64]| {
        for (index, (position, key)) in out.iter_mut().zip(keys).enumerate() {
            *position = (index % seq_len) as i64 - key;
        }
    })
}

/// The batches of one epoch.
#[derive(Clone, Debug)]
pub struct EpochBatches<'a> {
    loader: &'a TokenLoader,
    order: Permutation,
    batches: Range<u64>,
}

impl Iterator for EpochBatches<'_> {
    type Item = TokenBatch;

    fn next(&mut self) -> Option<TokenBatch> {
        let batch_size = self.loader.config.batch_size as u64;
        let start = self.batches.next()? * batch_size;
        let end = (start + batch_size).min(self.loader.num_windows());
        Some(self.loader.windows(start..end, |window| self.order.of(window)))
    }
}

/// The batches that a model is measured on.
#[derive(Clone, Debug)]
pub struct EvaluationBatches<'a> {
    loader: &'a TokenLoader,
    batches: u64,
    count: u64,
    next: u64,
}

impl Iterator for EvaluationBatches<'_> {
    type Item = TokenBatch;

    fn next(&mut self) -> Option<TokenBatch> {
        if self.next >= self.count {
            return None;
        }
        let batch = (u128::from(self.next) * u128::from(self.batches) / u128::from(self.count)) as u64;
        self.next += 1;
        let batch_size = self.loader.config.batch_size as u64;
        let start = batch * batch_size;
        let end = (start + batch_size).min(self.loader.num_windows());
        Some(self.loader.windows(start..end, |window| window))
    }
}
