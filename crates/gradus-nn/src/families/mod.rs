//! The model families that a recipe or a package names: a config becomes a model.
//!
//! [`ModelConfig`] is the `[model]` table of a recipe and the `config.json` of a package. A family is a config, a
//! module made of shared layers, and stable names for its tensors; the same config and seed build the same values.

mod cnn;
mod config;
mod mlp;
mod quantization;
pub mod transformer;

pub use cnn::{Cnn, CnnConfig, CnnStyle};
pub use config::{ActivationName, MAX_PARAMETERS, ModelConfig};
pub use mlp::{Mlp, MlpConfig};
pub use quantization::{ActivationQuantization, QuantizationConfig, QuantizationMethod, WeightQuantization};
