//! Models in the formats of other programs, in and out: Hugging Face folders and GGUF files.
//!
//! Every reader gives a [`ForeignModel`]: `config.json` as `transformers` writes it, the weights under the names and in
//! the layouts that `transformers` gives them, and the tokenizer's files. Whoever builds models from a config needs to
//! know no other format. Weights are views of the mapped files wherever the layouts agree; the few that do not (the
//! query and key rows that GGUF permutes) are copied.
//!
//! | format | read by | written by |
//! |---|---|---|
//! | a folder with `config.json` and safetensors or PyTorch weights, whole or in shards | [`hugging_face::read`] | [`hugging_face::write`] |
//! | a GGUF file | [`gguf::read`] | [`gguf::write`] |
//!
//! What is here reads bytes and never runs anything that stands in them. Sizes, counts and depths are checked against
//! the length of the file before anything is allocated by them.

pub mod gguf;
pub mod hugging_face;
mod model;
mod narrow;
pub mod pickle;
mod tokenizer_json;

pub use model::{ForeignModel, ForeignTensor};

pub use gradus_kernels::quant::BlockType;
