//! The config of any family.

use gradus_tensor::{Activation, Tensor};
use serde::{Deserialize, Serialize};

use super::cnn::{Cnn, CnnConfig};
use super::mlp::{Mlp, MlpConfig};
use super::quantization::QuantizationConfig;
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::module::Module;

/// The most parameters that a config may ask for, 4 GiB in `f32`: it is checked before anything is allocated, so a
/// config that lies costs nothing. Far above what these families are for.
pub const MAX_PARAMETERS: usize = 1 << 30;

/// What a model is built from, tagged by `model_type`.
///
/// ```
/// use gradus_nn::{Module, ModelConfig};
/// let config: ModelConfig = serde_json::from_str(
///     r#"{"model_type": "mlp", "input_shape": [1, 28, 28], "hidden_sizes": [128], "num_classes": 10}"#,
/// )?;
/// let model = config.build(0)?;
/// assert_eq!(model.num_parameters(), 101_770);
/// assert_eq!(model.named_parameters()[2].0, "layers.1.weight");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model_type", rename_all = "snake_case")]
pub enum ModelConfig {
    /// Fully connected layers in a row.
    Mlp(MlpConfig),
    /// Convolutions in stages.
    Cnn(CnnConfig),
}

impl ModelConfig {
    /// The model, with fresh weights that depend on the seed alone, in training mode. A quantised config gives a
    /// model whose quantised tensors are zero until they are loaded.
    ///
    /// # Errors
    /// As [`validate`](ModelConfig::validate).
    pub fn build(&self, seed: u64) -> Result<Box<dyn Layer>> {
        self.validate()?;
        match self {
            ModelConfig::Mlp(config) => Ok(Box::new(Mlp::new(config, seed)?)),
            ModelConfig::Cnn(config) => Ok(Box::new(Cnn::new(config, seed)?)),
        }
    }

    /// The model with these tensors as its state, in evaluation mode.
    ///
    /// # Errors
    /// As [`validate`](ModelConfig::validate) and [`Module::load_state_dict`].
    pub fn load(&self, state: &[(String, Tensor)]) -> Result<Box<dyn Layer>> {
        let model = self.build(0)?;
        model.load_state_dict(state)?;
        model.eval();
        Ok(model)
    }

    /// Whether a model can be built.
    ///
    /// # Errors
    /// [`Error::MissingSetting`] where the data must complete the config first, [`Error::InvalidSetting`] for sizes of
    /// 0 and for more than [`MAX_PARAMETERS`], [`Error::PooledToNothing`] for more stages than pixels.
    pub fn validate(&self) -> Result<()> {
        match self {
            ModelConfig::Mlp(config) => config.validate(),
            ModelConfig::Cnn(config) => config.validate(),
        }
    }

    /// Fills in what the config leaves to the data: the shape of a sample and the number of classes.
    ///
    /// # Errors
    /// [`Error::SettingContradictsData`] where the config says otherwise.
    pub fn complete(&mut self, sample_shape: &[usize], num_classes: usize) -> Result<()> {
        match self {
            ModelConfig::Mlp(config) => {
                complete_shape("mlp", &mut config.input_shape, sample_shape)?;
                complete_classes("mlp", &mut config.num_classes, num_classes)
            }
            ModelConfig::Cnn(config) => {
                complete_shape("cnn", &mut config.input_shape, &with_channel(sample_shape))?;
                complete_classes("cnn", &mut config.num_classes, num_classes)
            }
        }
    }

    /// The name of the family, as `model_type` gives it.
    pub fn model_type(&self) -> &'static str {
        match self {
            ModelConfig::Mlp(_) => "mlp",
            ModelConfig::Cnn(_) => "cnn",
        }
    }

    /// The shape of one sample, without the batch.
    pub fn input_shape(&self) -> &[usize] {
        match self {
            ModelConfig::Mlp(config) => &config.input_shape,
            ModelConfig::Cnn(config) => &config.input_shape,
        }
    }

    /// Number of classes, the width of the logits.
    pub fn num_classes(&self) -> usize {
        match self {
            ModelConfig::Mlp(config) => config.num_classes,
            ModelConfig::Cnn(config) => config.num_classes,
        }
    }

    /// How the model is quantised, if it is.
    pub fn quantization(&self) -> Option<&QuantizationConfig> {
        match self {
            ModelConfig::Mlp(config) => config.quantization_config.as_ref(),
            ModelConfig::Cnn(config) => config.quantization_config.as_ref(),
        }
    }

    /// The same model quantised so, or in floats.
    #[must_use]
    pub fn with_quantization(mut self, quantization: Option<QuantizationConfig>) -> ModelConfig {
        match &mut self {
            ModelConfig::Mlp(config) => config.quantization_config = quantization,
            ModelConfig::Cnn(config) => config.quantization_config = quantization,
        }
        self
    }
}

/// An activation function by its name in a config.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivationName {
    /// `max(x, 0)`.
    #[default]
    Relu,
    /// `x Φ(x)`.
    Gelu,
    /// GELU's tanh approximation.
    GeluTanh,
    /// `x σ(x)`.
    Silu,
    /// Hyperbolic tangent.
    Tanh,
    /// The logistic function.
    Sigmoid,
}

impl From<ActivationName> for Activation {
    fn from(name: ActivationName) -> Activation {
        match name {
            ActivationName::Relu => Activation::Relu,
            ActivationName::Gelu => Activation::Gelu,
            ActivationName::GeluTanh => Activation::GeluTanh,
            ActivationName::Silu => Activation::Silu,
            ActivationName::Tanh => Activation::Tanh,
            ActivationName::Sigmoid => Activation::Sigmoid,
        }
    }
}

/// What all families check: an input, classes, a dropout that is a probability, a quantisation that exists.
pub(super) struct CommonSettings<'a> {
    pub owner: &'static str,
    pub input_shape: &'a [usize],
    pub num_classes: usize,
    pub dropout: f64,
    pub quantization: Option<&'a QuantizationConfig>,
}

impl CommonSettings<'_> {
    pub fn validate(&self) -> Result<()> {
        let owner = self.owner;
        if self.input_shape.is_empty() {
            return Err(Error::MissingSetting {
                owner,
                setting: "input_shape",
            });
        }
        if self.num_classes == 0 {
            return Err(Error::MissingSetting {
                owner,
                setting: "num_classes",
            });
        }
        check_sizes(owner, "input_shape", self.input_shape)?;
        if !(0.0..1.0).contains(&self.dropout) {
            let (value, rule) = (self.dropout.to_string(), "it must be at least 0 and below 1");
            return Err(Error::InvalidSetting {
                owner,
                setting: "dropout",
                value,
                rule,
            });
        }
        self.quantization
            .map_or(Ok(()), |quantization| quantization.validate(owner))
    }
}

/// Every size in a list must be at least 1.
pub(super) fn check_sizes(owner: &'static str, setting: &'static str, sizes: &[usize]) -> Result<()> {
    match sizes.contains(&0) {
        true => {
            let (value, rule) = (format!("{sizes:?}"), "every size must be at least 1");
            Err(Error::InvalidSetting {
                owner,
                setting,
                value,
                rule,
            })
        }
        false => Ok(()),
    }
}

/// A number of parameters, `None` when it overflowed, against [`MAX_PARAMETERS`].
pub(super) fn check_parameters(
    owner: &'static str,
    setting: &'static str,
    count: Option<usize>,
) -> Result<()> {
    match count {
        Some(count) if count <= MAX_PARAMETERS => Ok(()),
        _ => {
            let value = count.map_or("more than fits a machine word".to_owned(), |count| {
                count.to_string()
            });
            let value = format!("such that the model has {value} parameters");
            let rule = "a model of this family has at most 2^30; use smaller sizes";
            Err(Error::InvalidSetting {
                owner,
                setting,
                value,
                rule,
            })
        }
    }
}

/// `[height, width]` of a grey image as `[1, height, width]`.
fn with_channel(sample_shape: &[usize]) -> Vec<usize> {
    match sample_shape {
        &[height, width] => vec![1, height, width],
        other => other.to_vec(),
    }
}

/// An empty shape takes the data's; another must hold as many values, as a flat row also does.
fn complete_shape(owner: &'static str, configured: &mut Vec<usize>, found: &[usize]) -> Result<()> {
    if configured.is_empty() {
        *configured = found.to_vec();
    }
    let values = |shape: &[usize]| shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    if values(configured) == values(found) {
        return Ok(());
    }
    let (configured, found) = (format!("{configured:?}"), format!("samples of shape {found:?}"));
    Err(Error::SettingContradictsData {
        owner,
        setting: "input_shape",
        configured,
        found,
    })
}

fn complete_classes(owner: &'static str, configured: &mut usize, found: usize) -> Result<()> {
    if *configured == 0 {
        *configured = found;
    }
    // More classes than the data shows may be meant: a small sample need not contain them all.
    if *configured >= found {
        return Ok(());
    }
    let (configured, found) = (configured.to_string(), format!("{found} classes"));
    Err(Error::SettingContradictsData {
        owner,
        setting: "num_classes",
        configured,
        found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<ModelConfig, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn json_round_trips_and_leaves_out_absent_quantization() {
        let config = parse(r#"{"model_type": "mlp", "hidden_sizes": [8]}"#).unwrap();
        let text = serde_json::to_string(&config).unwrap();
        assert!(!text.contains("quantization_config"), "{text}");
        assert_eq!(parse(&text).unwrap(), config);
        let quantized = config.with_quantization(Some(QuantizationConfig::default()));
        let text = serde_json::to_string(&quantized).unwrap();
        let expected = r#""quantization_config":{"quant_method":"gradus-int8","bits":8,"weights":"per_channel_symmetric","activations":"dynamic_per_row"}"#;
        assert!(text.contains(expected), "{text}");
        assert_eq!(parse(&text).unwrap(), quantized);
    }

    #[test]
    fn refuses_unknown_keys_families_and_schemes() {
        let message = |json| parse(json).unwrap_err().to_string();
        assert!(
            message(r#"{"model_type": "mlp", "hidden_size": [8]}"#).contains("unknown field `hidden_size`")
        );
        assert!(message(r#"{"model_type": "gnn"}"#).contains("expected `mlp` or `cnn`"));
        assert!(
            message(r#"{"model_type": "mlp", "hidden_sizes": [8], "activation": "swish"}"#).contains("silu")
        );
        assert!(message(r#"{"model_type": "mlp", "hidden_sizes": [-1]}"#).contains("-1"));
    }

    #[test]
    fn the_data_completes_what_is_left_open() {
        let mut config = parse(r#"{"model_type": "cnn", "channels": [4]}"#).unwrap();
        assert!(matches!(
            config.validate(),
            Err(Error::MissingSetting {
                setting: "input_shape",
                ..
            })
        ));
        config.complete(&[28, 28], 10).unwrap();
        assert_eq!(
            (config.input_shape(), config.num_classes()),
            (&[1, 28, 28][..], 10)
        );
        config.validate().unwrap();
        config.complete(&[1, 28, 28], 7).unwrap();
        let contradiction = config.complete(&[1, 28, 28], 11).unwrap_err();
        assert!(
            contradiction
                .to_string()
                .contains("num_classes is 10 in the config"),
            "{contradiction}"
        );
        let contradiction = config.complete(&[3, 28, 28], 10).unwrap_err();
        assert!(matches!(
            contradiction,
            Error::SettingContradictsData {
                setting: "input_shape",
                ..
            }
        ));
    }
}
