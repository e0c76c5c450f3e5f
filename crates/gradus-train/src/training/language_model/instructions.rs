//! Conversations as a source of tokens: only answers are learnt.

use super::tokens::TokenSource;
use crate::Result;
use crate::training::observer::SampleUnit;
use gradus_data::text::{InstructionLoader, TokenBatch};
use std::ops::Range;

/// Conversations to learn from and conversations held out.
pub(crate) struct Instructions {
    pub train: InstructionLoader,
    pub validation: Option<InstructionLoader>,
    /// Rows in a batch.
    pub batch_size: usize,
    /// Tokens in a row.
    pub seq_len: usize,
}

impl TokenSource for Instructions {
    const UNIT: SampleUnit = SampleUnit::AnswerToken;

    fn num_batches(&self) -> u64 {
        self.train.num_batches() as u64
    }

    fn batch_size(&self) -> usize {
        self.batch_size
    }

    fn batch(&self, epoch: u64, index: u64) -> Result<TokenBatch> {
        let batch = self.train.epoch(epoch, index as usize).next();
        Ok(batch.expect("bug: the loop asks for batches of the epoch alone"))
    }

    fn targets(&self, epoch: u64, batches: Range<u64>) -> u64 {
        let count = (batches.end - batches.start) as usize;
        let drawn = self.train.epoch(epoch, batches.start as usize).take(count);
        drawn.map(|batch| batch.learned_tokens as u64).sum()
    }

    fn train_targets(&self) -> u64 {
        self.train.data().counts().learned_tokens as u64
    }

    fn positions_per_target(&self) -> f64 {
        let positions = self.train.num_rows() * self.seq_len;
        positions as f64 / self.train_targets() as f64
    }

    fn held_out_targets(&self) -> u64 {
        let counts = self.validation.as_ref().map(|loader| loader.data().counts());
        counts.map_or(0, |counts| counts.learned_tokens as u64)
    }

    fn held_out(&self, most: Option<u64>) -> Box<dyn Iterator<Item = Result<TokenBatch>> + '_> {
        let most = most.map_or(usize::MAX, |most| most as usize);
        let batches = self.validation.iter().flat_map(InstructionLoader::evaluation);
        Box::new(batches.take(most).map(Ok))
    }

    fn bytes_per_token(&self) -> Option<f64> {
        None
    }
}
