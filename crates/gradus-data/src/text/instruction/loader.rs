//! Batches of instruction data.

use std::ops::Range;
use std::sync::Arc;

use gradus_tensor::{Rng, Tensor};

use super::data::InstructionData;
use super::packing::pack;
use super::render::LEARNED;
use crate::text::error::{Result, TextError};
use crate::text::tokens::{TokenBatch, positions};

/// Streams of random numbers below a loader's seed.
const STREAM_PACKING: u64 = 5;
const STREAM_ROWS: u64 = 6;

/// The target that no loss looks at, PyTorch's `ignore_index`.
const IGNORED: i64 = -100;

/// Rows that are not packed are padded to the longest of their batch, rounded up to this, so that there are few shapes.
const ROW_MULTIPLE: usize = 64;

/// How examples are put into rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packing {
    /// As many as fit share a row, and none sees another.
    #[default]
    Packed,
    /// Each has a row of its own.
    Padded,
}

/// What a loader's batches look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstructionLoaderConfig {
    /// Rows of a batch.
    pub batch_size: usize,
    /// Tokens of a row, at least those that the data was read for.
    pub seq_len: usize,
    /// The seed of the order.
    pub seed: u64,
    /// How examples are put into rows.
    pub packing: Packing,
    /// The id that fills rows up; it is neither learned nor seen.
    pub pad: u32,
}

/// Draws batches from instruction data. They are a function of the data, the configuration and the epoch alone.
#[derive(Clone, Debug)]
pub struct InstructionLoader {
    data: Arc<InstructionData>,
    config: InstructionLoaderConfig,
    /// The examples of each row.
    rows: Arc<Vec<Vec<usize>>>,
}

impl InstructionLoader {
    /// A loader for `data`; examples are packed here, once for all epochs.
    ///
    /// # Errors
    /// [`TextError::NoBatch`] when a size is 0 or an example is longer than a row.
    pub fn new(data: Arc<InstructionData>, config: InstructionLoaderConfig) -> Result<InstructionLoader> {
        let examples = data.counts().examples;
        let lengths: Vec<usize> = (0..examples).map(|index| data.marked(index).len() - 1).collect();
        if config.batch_size == 0 || lengths.iter().any(|&length| length > config.seq_len) {
            return Err(TextError::NoBatch {
                batch_size: config.batch_size,
                seq_len: config.seq_len,
                tokens: data.counts().tokens as u64,
            });
        }
        let rows = match config.packing {
            Packing::Packed => {
                let mut order: Vec<usize> = (0..examples).collect();
                Rng::derive(config.seed, &[STREAM_PACKING]).shuffle(&mut order);
                pack(&lengths, &order, config.seq_len)
            }
            Packing::Padded => (0..examples).map(|index| vec![index]).collect(),
        };
        Ok(InstructionLoader {
            data,
            config,
            rows: Arc::new(rows),
        })
    }

    /// The examples.
    pub fn data(&self) -> &Arc<InstructionData> {
        &self.data
    }

    /// Rows of an epoch.
    pub fn num_rows(&self) -> usize {
        self.rows.len()
    }

    /// Batches of an epoch; the last one may be smaller.
    pub fn num_batches(&self) -> usize {
        self.rows.len().div_ceil(self.config.batch_size)
    }

    /// The batches of an epoch after the first `skip_batches`, in an order of the seed and `epoch`.
    pub fn epoch(&self, epoch: u64, skip_batches: usize) -> InstructionBatches<'_> {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        Rng::derive(self.config.seed, &[STREAM_ROWS, epoch]).shuffle(&mut order);
        self.batches(order, skip_batches)
    }

    /// All batches, always in the same order, for measuring a model.
    pub fn evaluation(&self) -> InstructionBatches<'_> {
        self.batches((0..self.rows.len()).collect(), 0)
    }

    fn batches(&self, order: Vec<usize>, skip_batches: usize) -> InstructionBatches<'_> {
        let batches = skip_batches.min(self.num_batches())..self.num_batches();
        InstructionBatches {
            loader: self,
            order,
            batches,
        }
    }

    fn batch(&self, rows: &[usize]) -> TokenBatch {
        let layout = Layout {
            data: &self.data,
            rows: rows.iter().map(|&row| self.rows[row].as_slice()).collect(),
            seq_len: self.row_len(rows),
        };
        let ids = layout.build(i64::from(self.config.pad), |out, example| {
            for (out, &id) in out.iter_mut().zip(example) {
                *out = i64::from(id & !LEARNED);
            }
        });
        let targets = layout.build(IGNORED, |out, example| {
            for (out, &id) in out.iter_mut().zip(&example[1..]) {
                *out = if id & LEARNED == 0 {
                    IGNORED
                } else {
                    i64::from(id & !LEARNED)
                };
            }
        });
        let learned_tokens = targets.as_slice::<i64>().map_or(0, |targets| {
            targets.iter().filter(|&&target| target != IGNORED).count()
        });
        // A row of one example needs neither: what comes after it cannot be seen from it.
        let first_key = (self.config.packing == Packing::Packed).then(|| layout.first_keys());
        let positions = first_key.as_ref().map(positions);
        TokenBatch {
            ids,
            targets,
            first_key,
            positions,
            learned_tokens,
        }
    }

    fn row_len(&self, rows: &[usize]) -> usize {
        match self.config.packing {
            Packing::Packed => self.config.seq_len,
            Packing::Padded => {
                let lengths = rows.iter().flat_map(|&row| &self.rows[row]);
                let longest = lengths
                    .map(|&example| self.data.marked(example).len() - 1)
                    .max()
                    .unwrap_or(1);
                longest.next_multiple_of(ROW_MULTIPLE).min(self.config.seq_len)
            }
        }
    }
}

/// Where the examples of a batch stand.
struct Layout<'a> {
    data: &'a InstructionData,
    rows: Vec<&'a [usize]>,
    seq_len: usize,
}

impl Layout<'_> {
    /// An i64 `[rows, seq]` of `empty`, into which `write` puts each example: its part of the row, and its marked
    /// ids, one more than the part is long.
    fn build(&self, empty: i64, write: impl Fn(&mut [i64], &[u32])) -> Tensor {
        Tensor::build([self.rows.len(), self.seq_len], |out: &mut [i64]| {
            out.fill(empty);
            for (out, examples) in out.chunks_exact_mut(self.seq_len).zip(&self.rows) {
                let mut start = 0;
                for &example in *examples {
                    let ids = self.data.marked(example);
                    let end = start + ids.len() - 1;
                    write(&mut out[start..end], ids);
                    start = end;
                }
            }
        })
    }

    /// For each token the start of its example; what fills a row up sees only itself.
    fn first_keys(&self) -> Tensor {
        Tensor::build([self.rows.len(), self.seq_len], |out: &mut [i64]| {
            for (out, examples) in out.chunks_exact_mut(self.seq_len).zip(&self.rows) {
                let mut start = 0;
                for &example in *examples {
                    let end = start + self.data.marked(example).len() - 1;
                    out[start..end].fill(start as i64);
                    start = end;
                }
                for (place, key) in out.iter_mut().enumerate().skip(start) {
                    *key = place as i64;
                }
            }
        })
    }
}

/// The batches of one epoch.
#[derive(Clone, Debug)]
pub struct InstructionBatches<'a> {
    loader: &'a InstructionLoader,
    order: Vec<usize>,
    batches: Range<usize>,
}

impl Iterator for InstructionBatches<'_> {
    type Item = TokenBatch;

    fn next(&mut self) -> Option<TokenBatch> {
        let batch_size = self.loader.config.batch_size;
        let start = self.batches.next()? * batch_size;
        let end = (start + batch_size).min(self.order.len());
        Some(self.loader.batch(&self.order[start..end]))
    }
}
