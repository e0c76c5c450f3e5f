//! Transformer language models and encoders: one set of blocks, configured by data.
//!
//! [`TransformerConfig`] is read from Hugging Face's `config.json`; [`Transformer`] is built from it. A family is a reader
//! of its keys (`huggingface`), a table of its tensors' names (`family`) and nothing else, but for GPT-2's two habits of
//! storing (`gpt2`). The same blocks are trained, with gradients, and run with a cache of keys and values.
//!
//! What is not here: text and tokens (`gradus-data`), files (`gradus-package`), sampling ([`crate::generation`]).

mod attention;
mod block;
mod config;
mod context;
mod embedding;
mod family;
mod feed_forward;
mod gpt2;
mod huggingface;
mod keys;
mod lora;
mod model;
mod norm;
mod projection;
pub mod rope_scaling;
mod source;

pub use config::{Biases, NormConfig, NormKind, NormPlacement, Positions, TransformerConfig};
pub use family::Family;
pub use model::{TextInput, Transformer, TransformerOptions};
pub use projection::Projection;
pub use source::WeightType;
