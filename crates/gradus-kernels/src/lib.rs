//! Numeric loops over slices and the thread pool that runs them.
//!
//! Each kernel is a plain function: `out` first, then inputs, then dimensions; no tensors and no allocation in hot
//! loops. Instruction sets are chosen at run time ([`isa`]), and no result depends on the number of threads ([`pool`]).

mod activation;
pub mod aligned;
pub mod attention;
pub mod batch_norm;
pub mod binary;
pub mod conv;
pub mod convert;
pub mod cross_entropy;
pub mod dropout;
pub mod gated;
pub mod gemm;
pub mod index;
pub mod int8;
pub mod isa;
pub mod layer_norm;
pub mod linear_cross_entropy;
pub mod math;
pub mod matrix;
pub mod optim;
mod partition;
pub mod pool;
pub mod pooling;
pub mod quant;
pub mod real;
pub mod reduce;
pub mod rms_norm;
pub mod rope;
mod row_blocks;
pub mod rows;
mod scratch;
pub mod select;
pub mod softmax;
pub mod strided;
#[cfg(test)]
mod testing;
pub mod unary;
mod vectorize;
