//! Tensors, the buffer pool and automatic differentiation.
//!
//! A [`Tensor`] is an immutable strided view over shared memory; operations are methods that return
//! `Result<Tensor>`. Operations on tracked tensors record how to differentiate themselves; [`Tensor::backward`]
//! leaves gradients in [`Parameter`]s. Freed memory waits in a pool, so a steady training step allocates none.
//!
//! What is here: shapes, element types, storage, gradients, and the ops. What is not: the loops over numbers
//! (`gradus-kernels`), layers and losses (`gradus-nn`).
#![deny(unsafe_code)]

mod autograd;
mod blocks;
mod device;
mod dispatch;
mod dtype;
mod error;
mod kv_cache;
mod layout;
mod mapped;
mod ops;
mod parameter;
mod pool;
mod quantized_linear;
pub mod rng;
mod rope_table;
mod row_gradient;
mod storage;
mod tensor;

pub use autograd::{NoGradGuard, grad_enabled, no_grad};
pub use device::Device;
pub use dtype::{DType, Element};
pub use error::{Error, Result};
pub use gradus_kernels::attention::cache::CacheType;
pub use gradus_kernels::gemm::Precision;
pub use gradus_kernels::quant::BlockType;
pub use half::{bf16, f16};
pub use kv_cache::{KvCache, KvCacheLayer, KvCacheOptions};
pub use mapped::MappedFile;
pub use ops::{
    Activation, AttentionOptions, BatchStatistics, ChannelAffine, Conv2dOptions, CrossEntropyOptions,
    LinearCrossEntropyOptions, PackedLinear, PoolOptions, Reduction, RopePositions,
};
pub use parameter::Parameter;
pub use pool::{PoolStats, pool_stats, pool_trim};
pub use quantized_linear::QuantizedLinear;
pub use rng::Rng;
pub use rope_table::RopeTable;
pub use tensor::Tensor;
