//! Models in the formats of other programs, in and out: Hugging Face folders and GGUF files.
//!
//! Every reader gives a [`ForeignModel`]: `config.json` as `transformers` writes it, the weights under the names and in
//! the layouts that `transformers` gives them, and the tokenizer's files. Whoever builds models from a config needs to
//! know no other format. Weights are views of the mapped files wherever the layouts agree; the few that do not (the
//! query and key rows that GGUF permutes) are copied.
//!
//! | format | read by | written by |
//! |---|---|---|
//! | a folder with `config.json` and `model.safetensors`, or shards with an index | [`hugging_face::read`] | |
//!
//! What is here reads bytes and never runs anything that stands in them. Sizes, counts and depths are checked against
//! the length of the file before anything is allocated by them.

pub mod hugging_face;
mod model;
mod narrow;

pub use model::{ForeignModel, ForeignTensor};
