//! The multilayer perceptron.

use gradus_tensor::{Rng, Tensor};
use serde::{Deserialize, Serialize};

use super::config::{ActivationName, CommonSettings, check_parameters, check_sizes};
use super::quantization::{QuantizationConfig, dense};
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::layers::{Dropout, LinearConfig};

/// What an [`Mlp`] is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MlpConfig {
    /// Shape of one sample; its product is the width of the first layer. Left out, the data gives it.
    #[serde(default)]
    pub input_shape: Vec<usize>,
    /// Widths of the hidden layers; empty for a linear classifier.
    pub hidden_sizes: Vec<usize>,
    /// Width of the logits. Left out, the data gives it.
    #[serde(default)]
    pub num_classes: usize,
    /// What follows each hidden layer; ReLU by default.
    #[serde(default)]
    pub activation: ActivationName,
    /// Probability with which each hidden unit is dropped in training, at least 0 and below 1; 0 by default.
    #[serde(default)]
    pub dropout: f64,
    /// Whether the layers have biases; `true` by default.
    #[serde(default = "yes")]
    pub bias: bool,
    /// How the weights are quantised; in floats when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantization_config: Option<QuantizationConfig>,
}

fn yes() -> bool {
    true
}

impl Default for MlpConfig {
    /// A linear classifier whose sizes the data gives.
    fn default() -> Self {
        MlpConfig {
            input_shape: Vec::new(),
            hidden_sizes: Vec::new(),
            num_classes: 0,
            activation: ActivationName::default(),
            dropout: 0.0,
            bias: yes(),
            quantization_config: None,
        }
    }
}

impl MlpConfig {
    pub(super) fn validate(&self) -> Result<()> {
        CommonSettings {
            owner: "mlp",
            input_shape: &self.input_shape,
            num_classes: self.num_classes,
            dropout: self.dropout,
            quantization: self.quantization_config.as_ref(),
        }
        .validate()?;
        check_sizes("mlp", "hidden_sizes", &self.hidden_sizes)?;
        check_parameters("mlp", "hidden_sizes", self.count_parameters())
    }

    /// `None` when the number overflows.
    fn count_parameters(&self) -> Option<usize> {
        let mut width = self
            .input_shape
            .iter()
            .try_fold(1usize, |n, &d| n.checked_mul(d))?;
        let mut count = 0usize;
        for &next in self.hidden_sizes.iter().chain([&self.num_classes]) {
            count = count.checked_add(width.checked_add(usize::from(self.bias))?.checked_mul(next)?)?;
            width = next;
        }
        Some(count)
    }
}

/// Fully connected layers, each but the last followed by an activation and dropout. Takes `[batch, ..]` with
/// as many values per sample as the input shape has, in any shape; gives logits `[batch, num_classes]`.
///
/// Tensors: `layers.0.weight`, `layers.0.bias`, `layers.1.weight`, …
#[derive(crate::Module)]
pub struct Mlp {
    layers: Vec<Box<dyn Layer>>,
    dropout: Dropout,
    #[module(skip)]
    activation: ActivationName,
    input_shape: Vec<usize>,
}

impl Mlp {
    /// The model with fresh weights drawn from the seed, layer by layer.
    ///
    /// # Errors
    /// As [`ModelConfig::validate`](super::ModelConfig::validate).
    pub fn new(config: &MlpConfig, seed: u64) -> Result<Mlp> {
        config.validate()?;
        let rng = &mut Rng::seed_from(seed);
        let input: usize = config.input_shape.iter().product();
        let widths: Vec<usize> = [&[input], config.hidden_sizes.as_slice(), &[config.num_classes]].concat();
        let quantized = config.quantization_config.is_some();
        let layer = |pair: &[usize]| {
            let linear = LinearConfig {
                bias: config.bias,
                ..LinearConfig::new(pair[0], pair[1])
            };
            dense(&linear, quantized, rng)
        };
        Ok(Mlp {
            layers: widths.windows(2).map(layer).collect(),
            dropout: Dropout::new(config.dropout)?,
            activation: config.activation,
            input_shape: config.input_shape.clone(),
        })
    }

    /// `x` as `[batch, values]`.
    fn flatten(&self, x: &Tensor) -> Result<Tensor> {
        let values: usize = self.input_shape.iter().product();
        match x.shape() {
            [batch, sample @ ..] if sample.iter().product::<usize>() == values => {
                Ok(x.reshape([*batch, values])?)
            }
            other => {
                let expected = format!(
                    "[batch, ..] with {values} values per sample, as {:?} has",
                    self.input_shape
                );
                Err(Error::InputShape {
                    layer: "mlp",
                    expected,
                    got: other.to_vec(),
                })
            }
        }
    }
}

impl Layer for Mlp {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = self.flatten(x)?;
        let last = self.layers.len() - 1;
        for (index, layer) in self.layers.iter().enumerate() {
            let step = match index == last {
                true => layer.forward(&x),
                false => layer
                    .forward_activated(&x, self.activation.into())
                    .and_then(|x| self.dropout.forward(&x)),
            };
            x = step.map_err(|error| error.in_layer(format_args!("layers.{index}")))?;
        }
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Linear, ModelConfig, Module, Relu, Sequential};
    use gradus_tensor::{DType, rng};

    fn config() -> MlpConfig {
        MlpConfig {
            input_shape: vec![2, 3],
            hidden_sizes: vec![5, 4],
            num_classes: 3,
            ..MlpConfig::default()
        }
    }

    fn input() -> Tensor {
        Tensor::from_vec((0..12).map(|i| i as f32 / 4.0 - 1.5).collect(), [2, 2, 3]).unwrap()
    }

    #[test]
    fn is_linear_layers_with_activations_between() {
        let rng = &mut Rng::seed_from(7);
        let layers = [(6, 5), (5, 4), (4, 3)].map(|(input, output)| Linear::new(input, output, rng));
        let [first, second, third] = layers;
        let expected = Sequential::new()
            .then(first)
            .then(Relu)
            .then(second)
            .then(Relu)
            .then(third);
        let expected = expected.forward(&input().reshape([2, 6]).unwrap()).unwrap();

        let model = Mlp::new(&config(), 7).unwrap();
        let got = model.forward(&input()).unwrap();
        assert_eq!(got.shape(), [2, 3]);
        assert_eq!(got.to_vec::<f32>().unwrap(), expected.to_vec::<f32>().unwrap());
    }

    #[test]
    fn the_seed_decides_the_weights() {
        let weights = |seed| {
            let model = ModelConfig::Mlp(config()).build(seed).unwrap();
            model
                .state_dict()
                .iter()
                .flat_map(|(_, t)| t.to_vec::<f32>().unwrap())
                .collect::<Vec<f32>>()
        };
        assert_eq!(weights(1), weights(1));
        assert_ne!(weights(1), weights(2));
        assert_eq!(weights(1).len(), config().count_parameters().unwrap());
    }

    #[test]
    fn dropout_acts_on_hidden_units_in_training_only() {
        let wide = MlpConfig {
            hidden_sizes: vec![64],
            dropout: 0.5,
            ..config()
        };
        let model = Mlp::new(&wide, 0).unwrap();
        let run = |seed| {
            rng::set_forward_seed(seed);
            model.forward(&input()).unwrap().to_vec::<f32>().unwrap()
        };
        assert_ne!(run(1), run(3));
        model.eval();
        assert_eq!(run(1), run(3));
    }

    #[test]
    fn refuses_inputs_and_configs_that_do_not_fit() {
        let model = Mlp::new(&config(), 0).unwrap();
        let error = model.forward(&Tensor::zeros([2, 7], DType::F32)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "mlp: input of shape [2, 7] does not do; expected [batch, ..] with 6 values per sample, as [2, 3] has"
        );
        for (config, part) in [
            (
                MlpConfig {
                    hidden_sizes: vec![5, 0],
                    ..config()
                },
                "hidden_sizes is [5, 0]",
            ),
            (
                MlpConfig {
                    input_shape: vec![0],
                    ..config()
                },
                "input_shape is [0]",
            ),
            (
                MlpConfig {
                    input_shape: vec![],
                    ..config()
                },
                "input_shape is not set",
            ),
            (
                MlpConfig {
                    dropout: 1.0,
                    ..config()
                },
                "dropout is 1",
            ),
            (
                MlpConfig {
                    hidden_sizes: vec![1 << 40],
                    ..config()
                },
                "parameters; a model of this family",
            ),
            (
                MlpConfig {
                    hidden_sizes: vec![1 << 60, 1 << 60],
                    ..config()
                },
                "more than fits a machine word",
            ),
        ] {
            let message = config.validate().unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_quantised_config_names_quantised_tensors() {
        let quantized = MlpConfig {
            quantization_config: Some(QuantizationConfig::default()),
            ..config()
        };
        let state = Mlp::new(&quantized, 0).unwrap().state_dict();
        let kinds: Vec<_> = state
            .iter()
            .map(|(name, t)| (name.as_str(), t.dtype(), t.shape()))
            .collect();
        assert_eq!(kinds[0], ("layers.0.weight", DType::I8, &[5, 6][..]));
        assert_eq!(kinds[1], ("layers.0.weight_scale", DType::F32, &[5][..]));
        assert_eq!(kinds[2], ("layers.0.bias", DType::F32, &[5][..]));
    }
}
