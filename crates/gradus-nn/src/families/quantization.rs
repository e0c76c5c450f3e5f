//! What a quantised model's config says about its numbers.

use gradus_tensor::Rng;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::layers::{Int8Linear, Linear, LinearConfig};

/// The `quantization_config` of a config: present, it makes every fully connected layer an
/// [`Int8Linear`]. The only scheme there is today is the default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantizationConfig {
    /// Who defines the scheme.
    pub quant_method: QuantizationMethod,
    /// Bits per weight; 8.
    pub bits: u8,
    /// How weights are quantised.
    pub weights: WeightQuantization,
    /// How activations are quantised.
    pub activations: ActivationQuantization,
}

/// Who defines the scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QuantizationMethod {
    /// Tensors `<layer>.weight` of `I8` and `<layer>.weight_scale` of `F32`.
    #[serde(rename = "gradus-int8")]
    GradusInt8,
}

/// How weights are quantised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightQuantization {
    /// One scale per output feature, no zero point.
    PerChannelSymmetric,
}

/// How activations are quantised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivationQuantization {
    /// One scale per row, found as it comes.
    DynamicPerRow,
}

impl Default for QuantizationConfig {
    fn default() -> Self {
        QuantizationConfig {
            quant_method: QuantizationMethod::GradusInt8,
            bits: 8,
            weights: WeightQuantization::PerChannelSymmetric,
            activations: ActivationQuantization::DynamicPerRow,
        }
    }
}

impl QuantizationConfig {
    /// # Errors
    /// [`Error::InvalidSetting`] for another number of bits than 8.
    pub(super) fn validate(&self, owner: &'static str) -> Result<()> {
        match self.bits {
            8 => Ok(()),
            other => {
                let (value, rule) = (other.to_string(), "gradus-int8 has 8 bits");
                Err(Error::InvalidSetting {
                    owner,
                    setting: "quantization_config.bits",
                    value,
                    rule,
                })
            }
        }
    }
}

/// The fully connected layer of a family: in floats, or an empty quantised one that waits for its tensors.
pub(super) fn dense(config: &LinearConfig, quantized: bool, rng: &mut Rng) -> Box<dyn Layer> {
    match quantized {
        true => Box::new(Int8Linear::empty(config)),
        false => Box::new(Linear::with_config(config, rng)),
    }
}
