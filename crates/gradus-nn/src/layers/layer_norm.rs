//! Layer normalisation.

use gradus_tensor::{DType, Parameter, Tensor};

use crate::error::Result;
use crate::layer::Layer;

/// Normalises the last axes of each sample to mean 0 and variance 1, then scales and shifts (Ba et al., 2016).
///
/// Tensors: `weight` and `bias`, both of the normalised shape, from 1 and 0.
#[derive(crate::Module)]
pub struct LayerNorm {
    weight: Parameter,
    bias: Option<Parameter>,
    eps: f64,
}

/// What a [`LayerNorm`] is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNormConfig {
    /// Lengths of the last axes, which are normalised together.
    pub normalized_shape: Vec<usize>,
    /// Added to the variance; 1e-5 by default.
    pub eps: f64,
    /// Whether a shift is added; `true` by default.
    pub bias: bool,
}

impl LayerNormConfig {
    /// The defaults for these axes.
    pub fn new(normalized_shape: &[usize]) -> LayerNormConfig {
        LayerNormConfig {
            normalized_shape: normalized_shape.to_vec(),
            eps: 1e-5,
            bias: true,
        }
    }
}

impl LayerNorm {
    /// A layer with the defaults over these last axes.
    pub fn new(normalized_shape: &[usize]) -> LayerNorm {
        LayerNorm::with_config(&LayerNormConfig::new(normalized_shape))
    }

    /// A layer as configured.
    pub fn with_config(config: &LayerNormConfig) -> LayerNorm {
        let parameter = |value| {
            let value = Tensor::full(&config.normalized_shape, value, DType::F32);
            Parameter::new(value).expect("bug: f32 is a float type")
        };
        LayerNorm {
            weight: parameter(1.0),
            bias: config.bias.then(|| parameter(0.0)),
            eps: config.eps,
        }
    }
}

impl Layer for LayerNorm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let weight = self.weight.value();
        let bias = self.bias.as_ref().map(Parameter::value);
        Ok(x.layer_norm(weight.shape(), Some(&weight), bias.as_ref(), self.eps)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Module;

    #[test]
    fn each_row_has_mean_zero_and_variance_one() {
        let norm = LayerNorm::new(&[2, 3]);
        let x = Tensor::from_vec((0..12).map(|i| (i * i) as f32).collect(), [2, 2, 3]).unwrap();
        let out = norm.forward(&x).unwrap().to_vec::<f32>().unwrap();
        for row in out.chunks(6) {
            let mean = row.iter().sum::<f32>() / 6.0;
            let variance = row.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 6.0;
            assert!(
                mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-5,
                "{mean} {variance}"
            );
        }
    }

    #[test]
    fn the_bias_is_optional() {
        let config = LayerNormConfig {
            bias: false,
            ..LayerNormConfig::new(&[4])
        };
        assert_eq!(LayerNorm::with_config(&config).parameters().len(), 1);
    }
}
