//! Where a language model's batches come from.

use crate::Result;
use crate::training::observer::SampleUnit;
use gradus_data::text::{TokenBatch, TokenLoader};
use std::ops::Range;

/// Tokens to learn from and tokens held out. Batches are functions of the seed and their place alone.
pub(crate) trait TokenSource {
    /// What targets are.
    const UNIT: SampleUnit;

    /// Batches in an epoch, above 0.
    fn num_batches(&self) -> u64;

    /// Rows in a full batch.
    fn batch_size(&self) -> usize;

    /// One training batch.
    fn batch(&self, epoch: u64, index: u64) -> Result<TokenBatch>;

    /// Targets that are learnt in some batches of an epoch.
    fn targets(&self, epoch: u64, batches: Range<u64>) -> u64;

    /// Targets that are learnt in an epoch.
    fn train_targets(&self) -> u64;

    /// Places in rows that are computed for each target that is learnt, on average.
    fn positions_per_target(&self) -> f64;

    /// Targets held out.
    fn held_out_targets(&self) -> u64;

    /// The held-out batches, always the same; at most `most`, spread over all.
    fn held_out(&self, most: Option<u64>) -> Box<dyn Iterator<Item = Result<TokenBatch>> + '_>;

    /// Bytes of text that a held-out target stands for on average, where that is known.
    fn bytes_per_token(&self) -> Option<f64>;
}

/// Whole texts: every token is learnt.
#[derive(Clone)]
pub(crate) struct WholeText {
    pub train: TokenLoader,
    pub validation: Option<TokenLoader>,
    /// Rows in a batch.
    pub batch_size: usize,
    /// Tokens in a row.
    pub seq_len: usize,
}

impl TokenSource for WholeText {
    const UNIT: SampleUnit = SampleUnit::Token;

    fn num_batches(&self) -> u64 {
        self.train.num_batches()
    }

    fn batch_size(&self) -> usize {
        self.batch_size
    }

    fn batch(&self, epoch: u64, index: u64) -> Result<TokenBatch> {
        let batch = self.train.epoch(epoch, index).next();
        Ok(batch.expect("bug: the loop asks for batches of the epoch alone"))
    }

    fn targets(&self, _epoch: u64, batches: Range<u64>) -> u64 {
        let rows = (self.batch_size as u64).min(self.train.num_windows());
        (batches.end - batches.start) * rows * self.seq_len as u64
    }

    fn train_targets(&self) -> u64 {
        self.targets(0, 0..self.num_batches())
    }

    fn positions_per_target(&self) -> f64 {
        1.0
    }

    fn held_out_targets(&self) -> u64 {
        let windows = self.validation.as_ref().map_or(0, TokenLoader::num_windows);
        windows * self.seq_len as u64
    }

    fn held_out(&self, most: Option<u64>) -> Box<dyn Iterator<Item = Result<TokenBatch>> + '_> {
        let batches = self
            .validation
            .iter()
            .flat_map(move |loader| loader.evaluation(most));
        Box::new(batches.map(Ok))
    }

    fn bytes_per_token(&self) -> Option<f64> {
        Some(self.validation.as_ref()?.set().bytes_per_token())
    }
}
