//! What most programs use: `use gradus::prelude::*;`.

pub use crate::nn::losses::{bce_with_logits, cross_entropy, huber, kl_div, mae, mse, nll};
pub use crate::nn::{
    BatchNorm1d, BatchNorm2d, Buffer, Conv2d, Dropout, Embedding, Error, Flatten, Gelu, Layer, LayerNorm,
    Linear, MaxPool2d, Module, Relu, Result, Sequential, Sigmoid, Silu, Tanh,
};
pub use crate::tensor::{DType, Device, Parameter, Rng, Tensor, no_grad};
#[cfg(feature = "train")]
pub use crate::train::{
    Fit, FitOptions,
    optimizers::{Adam, AdamW, Optimizer, Sgd},
};
