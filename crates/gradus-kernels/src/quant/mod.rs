//! Weights in blocks of a few bits: ggml's formats, read, written and multiplied.
//!
//! What is here: the formats ([`BlockType`]), their conversion from and to f32 ([`quantize`], [`dequantize`]), matrices laid
//! out for products ([`QuantizedMatrix`]) and the products ([`linear_quantized`]). What is not: files that hold such blocks,
//! which are the business of `gradus-package`.

mod activations;
mod backward;
mod block_type;
mod blocks;
mod dequantize;
mod layout;
mod matrix;
mod product;
mod quantize;
mod search;

pub use backward::linear_quantized_backward;
pub use block_type::BlockType;
pub use dequantize::dequantize;
pub use matrix::{MatrixError, QuantizedMatrix};
pub use product::{Product, linear_quantized, linear_quantized_shared};
pub use quantize::quantize;
