//! The layers, one per file. Each starts as PyTorch starts it and names its tensors as PyTorch does, so weights move
//! between the two by name.

mod activation;
mod avg_pool2d;
mod batch_norm;
mod conv2d;
mod dropout;
mod embedding;
mod flatten;
mod global_avg_pool2d;
mod int8_linear;
mod layer_norm;
mod linear;
mod lora;
mod max_pool2d;
mod sequential;

pub use activation::{Gelu, GeluTanh, Relu, Sigmoid, Silu, Tanh};
pub use avg_pool2d::AvgPool2d;
pub use batch_norm::{BatchNorm1d, BatchNorm2d, BatchNormConfig};
pub use conv2d::{Conv2d, Conv2dConfig};
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use global_avg_pool2d::GlobalAvgPool2d;
pub use int8_linear::{Int8Linear, quantize_weight};
pub use layer_norm::{LayerNorm, LayerNormConfig};
pub use linear::{Linear, LinearConfig};
pub use lora::{Lora, LoraConfig};
pub use max_pool2d::MaxPool2d;
pub use sequential::Sequential;
