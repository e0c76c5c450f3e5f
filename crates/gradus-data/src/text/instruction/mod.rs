//! Examples of what a model should answer: conversations, or a prompt and its completion, one per line of JSON.
//!
//! The chat template writes an example as the model will see it, and only what the model would say itself is learned.
//! Several examples share a row, out of each other's sight, so that no work goes into padding.

mod data;
mod example;
mod loader;
mod packing;
mod render;

pub use data::{InstructionCounts, InstructionData, InstructionOptions, Truncation};
pub use loader::{InstructionBatches, InstructionLoader, InstructionLoaderConfig, Packing};
