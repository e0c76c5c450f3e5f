//! The operations on tensors: one op, or one family of a single shape, per file.
//!
//! Each file holds the forward (a method of [`Tensor`](crate::Tensor)) and, directly below it, the gradient it
//! records. Adding an op is four edits: its kernel in `gradus-kernels`, its file here, its line in this list, and
//! its row in the gradient-check list of `tests/all/gradients.rs`, which fails when a file here has none.
//!
//! Conventions: ops take any strides; the result is contiguous unless the op is a view. Half types compute through
//! `f32` and round once. Shapes broadcast by NumPy's rules where an op says so.

mod attention;
mod batch_norm;
mod binary;
mod cast;
mod cat;
mod checkpoint;
mod contiguous;
mod conv2d;
mod cross_entropy;
mod dropout;
mod gated;
mod index;
mod layer_norm;
mod linear;
mod linear_cross_entropy;
mod matmul;
mod max;
mod packed_linear;
mod pooling;
mod reduce;
mod rms_norm;
mod rope;
mod select;
mod softmax;
mod unary;
mod views;

pub use attention::AttentionOptions;
pub(crate) use attention::{check_mask, heads, rows_contiguous};
pub use batch_norm::{BatchStatistics, ChannelAffine};
pub use conv2d::Conv2dOptions;
pub use cross_entropy::{CrossEntropyOptions, Reduction};
pub(crate) use index::checked_ids;
pub use linear::Activation;
pub use linear_cross_entropy::LinearCrossEntropyOptions;
pub use packed_linear::PackedLinear;
pub use pooling::PoolOptions;
pub use rope::RopePositions;
