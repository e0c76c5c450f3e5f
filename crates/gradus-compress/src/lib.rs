#![forbid(unsafe_code)]
//! Making model packages smaller: clipping, pruning and quantisation.
//!
//! A compression reads a package and gives the contents of another one, whose manifest says what was done with which
//! parameters, what it did to each tensor, the bytes before and after, and the fingerprint of the package it came
//! from. Metrics are dropped, because they were measured on another model; evaluate the new one and record its own.
//!
//! - [`clip`]: weights limited to a range. No smaller by itself; it narrows the scales of quantisation.
//! - [`prune`]: the weights of least magnitude set to zero, and stored as a bit mask and the rest.
//! - [`quantize_int8`]: fully connected layers in bytes, run by integer kernels.
//! - [`compress`]: several of these at once.
//!
//! *Weights* are float tensors of two axes or more: matrices and convolution kernels. Biases and normalisation
//! parameters have one axis, take little room, and are left alone.
//!
//! Not here: the storage of sparse tensors (`gradus-package`), the integer kernels (`gradus-kernels`) and the layer
//! that calls them (`gradus-nn`).
//!
//! ```no_run
//! use gradus_compress::{PruneOptions, prune};
//! use gradus_package::Package;
//!
//! let package = Package::open("runs/first/model")?;
//! let smaller = prune(&package, PruneOptions::new(0.8))?;
//! Package::save("smaller", &smaller)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clip;
mod error;
mod plan;
mod prune;
mod quantize;
mod weights;

pub use clip::clip;
pub use error::{Error, Result};
pub use gradus_package::PruneScope;
pub use plan::{Plan, compress};
pub use prune::{PruneOptions, prune};
pub use quantize::quantize_int8;
