//! Numeric loops over slices and the thread pool that runs them.
//!
//! Each kernel is a plain function: `out` first, then inputs, then dimensions; no tensors and no allocation in hot
//! loops. Instruction sets are chosen at run time ([`isa`]), and no result depends on the number of threads ([`pool`]).

pub mod aligned;
pub mod gemm;
pub mod isa;
pub mod matrix;
pub mod pool;
