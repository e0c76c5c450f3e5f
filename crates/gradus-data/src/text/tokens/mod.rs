//! Tokens on disk: a corpus is tokenised once, into files that are mapped into memory.

mod build;
mod loader;
mod permutation;
mod set;
mod shard;

pub(crate) use loader::positions;

pub use build::{TokenizeOptions, TokenizeProgress, tokenize};
pub use loader::{EpochBatches, EvaluationBatches, TokenBatch, TokenLoader, TokenLoaderConfig};
pub use set::TokenSet;
