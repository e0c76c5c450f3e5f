//! gradus carries a model through its whole life: data → train → evaluate → compress → package → serve.
//!
//! This crate is the facade: each stage is a crate of its own, found here under its name, and [`prelude`] brings in
//! what most programs use. The `gradus` command is a thin shell over the same functions.
//!
//! The PyTorch way, with a struct of layers and a loop:
//!
//! ```
#![doc = include_str!("../examples/pytorch_way.rs")]
//! ```
//!
//! The Keras way, with a list of layers and `fit`:
//!
//! ```
#![doc = include_str!("../examples/keras_way.rs")]
//! ```
#![forbid(unsafe_code)]

#[cfg(feature = "train")]
pub use gradus_compress as compress;
pub use gradus_data as data;
pub use gradus_evaluate as evaluate;
pub use gradus_kernels as kernels;
pub use gradus_package as package;
#[cfg(feature = "serve")]
pub use gradus_serve as serve;
pub use gradus_tensor as tensor;
#[cfg(feature = "train")]
pub use gradus_train as train;
#[cfg(feature = "train")]
pub use gradus_tune as tune;

pub mod prelude;

/// Layers, losses, initialisers and model families: all of `gradus-nn`.
pub mod nn {
    // The derive whose expansion names this module, so that depending on `gradus` alone is enough.
    pub use gradus_derive::FacadeModule as Module;
    pub use gradus_nn::*;
}
