//! Batch normalisation of rows and of images: one computation under two checks of the input's shape.

use gradus_tensor::{BatchStatistics, ChannelAffine, DType, Parameter, Tensor};

use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::mode::Mode;
use crate::module::{Module, ModuleVisitor};

/// What a [`BatchNorm1d`] or [`BatchNorm2d`] is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormConfig {
    /// Channels of the input.
    pub num_features: usize,
    /// Added to the variance; 1e-5 by default.
    pub eps: f64,
    /// The share of each batch's statistics in the running ones, from 0 to 1; 0.1 by default.
    pub momentum: f64,
    /// Whether a learned scale and shift follow; `true` by default.
    pub affine: bool,
}

impl BatchNormConfig {
    /// The defaults for this many channels.
    pub fn new(num_features: usize) -> BatchNormConfig {
        BatchNormConfig {
            num_features,
            eps: 1e-5,
            momentum: 0.1,
            affine: true,
        }
    }
}

macro_rules! batch_norm_layers {
    ($($(#[$doc:meta])* $name:ident, $layer:literal, takes $shape:pat, $expected:literal;)*) => {$(
        $(#[$doc])*
        pub struct $name(BatchNorm);

        impl $name {
            /// A layer with the defaults for this many channels.
            pub fn new(num_features: usize) -> $name {
                $name::with_config(&BatchNormConfig::new(num_features))
            }

            /// A layer as configured.
            pub fn with_config(config: &BatchNormConfig) -> $name {
                $name(BatchNorm::new(config))
            }
        }

        impl Module for $name {
            fn visit(&self, visitor: &mut dyn ModuleVisitor) {
                self.0.visit(visitor);
            }
        }

        impl Layer for $name {
            fn forward(&self, x: &Tensor) -> Result<Tensor> {
                match x.shape() {
                    $shape => self.0.forward(x),
                    other => {
                        let expected = $expected.to_owned();
                        Err(Error::InputShape { layer: $layer, expected, got: other.to_vec() })
                    }
                }
            }
        }
    )*};
}

batch_norm_layers! {
    /// Normalises each feature over the batch: `[batch, features]` or `[batch, features, length]` (Ioffe and Szegedy,
    /// 2015). In training by the batch's own statistics, of which running ones are kept; in evaluation by those.
    ///
    /// Tensors: `weight` and `bias` `[features]` from 1 and 0, `running_mean` and `running_var` `[features]`,
    /// `num_batches_tracked`.
    BatchNorm1d, "batch_norm1d", takes [_, _] | [_, _, _], "[batch, features] or [batch, features, length]";
    /// Normalises each channel over batch and pixels: `[batch, channels, height, width]` (Ioffe and Szegedy, 2015). In
    /// training by the batch's own statistics, of which running ones are kept; in evaluation by those.
    ///
    /// Tensors: `weight` and `bias` `[channels]` from 1 and 0, `running_mean` and `running_var` `[channels]`,
    /// `num_batches_tracked`.
    BatchNorm2d, "batch_norm2d", takes [_, _, _, _], "[batch, channels, height, width]";
}

#[derive(crate::Module)]
struct BatchNorm {
    weight: Option<Parameter>,
    bias: Option<Parameter>,
    running_mean: Buffer,
    running_var: Buffer,
    num_batches_tracked: Buffer,
    eps: f64,
    momentum: f64,
    mode: Mode,
}

impl BatchNorm {
    fn new(config: &BatchNormConfig) -> BatchNorm {
        let full = |value| Tensor::full([config.num_features], value, DType::F32);
        let parameter = |value| Parameter::new(full(value)).expect("bug: f32 is a float type");
        BatchNorm {
            weight: config.affine.then(|| parameter(1.0)),
            bias: config.affine.then(|| parameter(0.0)),
            running_mean: Buffer::new(full(0.0)),
            running_var: Buffer::new(full(1.0)),
            num_batches_tracked: Buffer::new(Tensor::scalar(0i64)),
            eps: config.eps,
            momentum: config.momentum,
            mode: Mode::default(),
        }
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = (
            self.weight.as_ref().map(Parameter::value),
            self.bias.as_ref().map(Parameter::value),
        );
        let affine = ChannelAffine {
            weight: weight.as_ref(),
            bias: bias.as_ref(),
        };
        if !self.mode.is_training() {
            let (mean, variance) = (self.running_mean.value(), self.running_var.value());
            return Ok(x.batch_norm_eval(&mean, &variance, affine, self.eps)?);
        }
        let (out, statistics) = x.batch_norm_train(affine, self.eps)?;
        self.track(&statistics)?;
        Ok(out)
    }

    /// Moves the running statistics towards the batch's.
    fn track(&self, batch: &BatchStatistics) -> Result<()> {
        for (running, found) in [
            (&self.running_mean, &batch.mean),
            (&self.running_var, &batch.unbiased_variance),
        ] {
            let kept = running.value().mul_scalar(1.0 - self.momentum)?;
            running.set(kept.add(&found.to_dtype(kept.dtype())?.mul_scalar(self.momentum)?)?)?;
        }
        let count = self.num_batches_tracked.value().item::<i64>()?;
        self.num_batches_tracked.set(Tensor::scalar(count + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_its_tensors_as_pytorch_does() {
        let names: Vec<String> = BatchNorm2d::new(3)
            .state_dict()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(
            names,
            [
                "weight",
                "bias",
                "running_mean",
                "running_var",
                "num_batches_tracked"
            ]
        );
        let plain = BatchNormConfig {
            affine: false,
            ..BatchNormConfig::new(3)
        };
        assert!(BatchNorm1d::with_config(&plain).parameters().is_empty());
    }

    #[test]
    fn refuses_inputs_of_another_rank() {
        let image = Tensor::zeros([2, 3, 4, 4], DType::F32);
        let row = Tensor::zeros([2, 3], DType::F32);
        assert!(matches!(
            BatchNorm1d::new(3).forward(&image),
            Err(Error::InputShape {
                layer: "batch_norm1d",
                ..
            })
        ));
        assert!(matches!(
            BatchNorm2d::new(3).forward(&row),
            Err(Error::InputShape {
                layer: "batch_norm2d",
                ..
            })
        ));
        assert!(
            BatchNorm1d::new(4).forward(&row).is_err(),
            "another number of channels"
        );
    }

    #[test]
    fn one_value_a_channel_has_no_statistics() {
        let norm = BatchNorm1d::new(3);
        assert!(norm.forward(&Tensor::zeros([1, 3], DType::F32)).is_err());
        assert_eq!(
            norm.named_buffers()[2].1.value().item::<i64>().unwrap(),
            0,
            "nothing was tracked"
        );
        norm.eval();
        assert!(norm.forward(&Tensor::zeros([1, 3], DType::F32)).is_ok());
    }
}
