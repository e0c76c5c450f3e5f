//! Layers, losses, initialisers and the model families built from a config.
//!
//! A [`Module`] is anything that holds trained tensors; a [`Layer`] is a module that maps a tensor to a tensor. A
//! model of one's own is a struct of layers:
//!
//! ```
//! use gradus_nn::{Linear, Module, Result, losses::cross_entropy};
//! use gradus_tensor::{Rng, Tensor};
//!
//! #[derive(Module)]
//! struct Net {
//!     hidden: Linear,
//!     output: Linear,
//! }
//!
//! impl Net {
//!     fn forward(&self, x: &Tensor) -> Result<Tensor> {
//!         self.output.forward(&self.hidden.forward(x)?.relu()?)
//!     }
//! }
//!
//! # use gradus_nn::Layer;
//! let rng = &mut Rng::seed_from(0);
//! let net = Net { hidden: Linear::new(4, 8, rng), output: Linear::new(8, 3, rng) };
//! let x = Tensor::from_vec(vec![0.5f32; 8], [2, 4])?;
//! let loss = cross_entropy(&net.forward(&x)?, &Tensor::from_vec(vec![0i64, 2], [2])?)?;
//! loss.backward()?;
//! assert!(net.named_parameters().iter().all(|(_, parameter)| parameter.grad().is_some()));
//! # Ok::<(), gradus_nn::Error>(())
//! ```
//!
//! What is here: [`layers`], [`losses`], [`init`], the [`families`] that a recipe names, and state dicts. What is not:
//! the numerics (`gradus-tensor`), optimisers and the loop (`gradus-train`), files (`gradus-package`).
//!
//! Modules are shared and changed through `&self`: parameters, buffers and the training mode are cells. So one model
//! serves many threads, and an optimiser holds the same parameters as the model it trains.
#![forbid(unsafe_code)]

// So that `#[derive(Module)]`, which writes `::gradus_nn`, also works in this crate.
extern crate self as gradus_nn;

mod buffer;
mod error;
pub mod families;
pub mod generation;
pub mod init;
mod layer;
pub mod layers;
pub mod losses;
mod mode;
mod module;
mod state_dict;

pub use buffer::Buffer;
pub use error::{Error, Result};
pub use families::{CnnConfig, CnnStyle, MlpConfig, ModelConfig, QuantizationConfig};
pub use gradus_derive::Module;
pub use init::Init;
pub use layer::Layer;
pub use layers::*;
pub use mode::Mode;
pub use module::{Module, ModuleVisitor, visit_child};
pub use state_dict::{MismatchedTensor, MissingTensor, StateDictMismatch, TensorKind, UnexpectedTensor};
