//! Two-dimensional convolution.

use gradus_tensor::{Conv2dOptions, Parameter, Rng, Tensor};

use crate::error::{Error, Result};
use crate::init::{Fans, Init};
use crate::layer::Layer;

/// Cross-correlation of images `[batch, in_channels, height, width]` with learned kernels, to
/// `[batch, out_channels, height', width']`.
///
/// Tensors: `weight` `[out_channels, in_channels / groups, kernel height, kernel width]`, `bias` `[out_channels]`,
/// both from `U(±1/√fan_in)` as in PyTorch.
///
/// ```
/// use gradus_nn::{Conv2d, Conv2dConfig, Layer};
/// use gradus_tensor::{DType, Rng, Tensor};
/// let config = Conv2dConfig { padding: [1, 1], stride: [2, 2], ..Conv2dConfig::new(3, 16, [3, 3]) };
/// let conv = Conv2d::with_config(&config, &mut Rng::seed_from(0))?;
/// assert_eq!(conv.forward(&Tensor::zeros([1, 3, 32, 32], DType::F32))?.shape(), [1, 16, 16, 16]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(crate::Module)]
pub struct Conv2d {
    weight: Parameter,
    bias: Option<Parameter>,
    #[module(skip)]
    options: Conv2dOptions,
}

/// What a [`Conv2d`] is made from. Pairs are `[down, across]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv2dConfig {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Extent of the kernel.
    pub kernel_size: [usize; 2],
    /// Pixels between applications of the kernel; 1 by default.
    pub stride: [usize; 2],
    /// Rows and columns of zeros around the image; 0 by default.
    pub padding: [usize; 2],
    /// Pixels between elements of the kernel; 1 by default.
    pub dilation: [usize; 2],
    /// Blocks of channels that see nothing of each other; 1 by default. Divides both channel counts.
    pub groups: usize,
    /// Whether a bias is added; `true` by default.
    pub bias: bool,
    /// How the weight starts; [`Init::TORCH_WEIGHT`] by default.
    pub weight_init: Init,
}

impl Conv2dConfig {
    /// The defaults for these channels and this kernel.
    pub fn new(in_channels: usize, out_channels: usize, kernel_size: [usize; 2]) -> Conv2dConfig {
        Conv2dConfig {
            in_channels,
            out_channels,
            kernel_size,
            stride: [1, 1],
            padding: [0, 0],
            dilation: [1, 1],
            groups: 1,
            bias: true,
            weight_init: Init::TORCH_WEIGHT,
        }
    }

    fn check(&self) -> Result<()> {
        let invalid = |setting, value: String, rule| {
            Err(Error::InvalidSetting {
                owner: "conv2d",
                setting,
                value,
                rule,
            })
        };
        let pairs = [
            ("kernel_size", self.kernel_size),
            ("stride", self.stride),
            ("dilation", self.dilation),
        ];
        for (setting, pair) in pairs {
            if pair.contains(&0) {
                return invalid(setting, format!("{pair:?}"), "both must be at least 1");
            }
        }
        let divides = |channels: usize| self.groups > 0 && channels.is_multiple_of(self.groups);
        if !divides(self.in_channels) || !divides(self.out_channels) {
            return invalid(
                "groups",
                self.groups.to_string(),
                "it must divide in_channels and out_channels",
            );
        }
        Ok(())
    }
}

impl Conv2d {
    /// A layer with PyTorch's defaults and its order of arguments, with a square kernel: stride 1, no padding.
    pub fn new(in_channels: usize, out_channels: usize, kernel_size: usize, rng: &mut Rng) -> Result<Conv2d> {
        Conv2d::with_config(
            &Conv2dConfig::new(in_channels, out_channels, [kernel_size; 2]),
            rng,
        )
    }

    /// A layer as configured; draws the weight, then the bias.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] when an extent is 0 or the groups do not divide the channels.
    pub fn with_config(config: &Conv2dConfig, rng: &mut Rng) -> Result<Conv2d> {
        config.check()?;
        let [height, width] = config.kernel_size;
        let shape = [
            config.out_channels,
            config.in_channels / config.groups,
            height,
            width,
        ];
        let weight = Parameter::new(config.weight_init.tensor(&shape, rng)?)?;
        let bias = match config.bias {
            true => {
                let init = Init::torch_bias(Fans::of(&shape, "conv2d bias")?.fan_in);
                Some(Parameter::new(init.tensor(&shape[..1], rng)?)?)
            }
            false => None,
        };
        let options = Conv2dOptions {
            stride: config.stride,
            padding: config.padding,
            dilation: config.dilation,
            groups: config.groups,
        };
        Ok(Conv2d {
            weight,
            bias,
            options,
        })
    }

    /// The kernels, `[out_channels, in_channels / groups, kernel height, kernel width]`.
    pub fn weight(&self) -> &Parameter {
        &self.weight
    }

    /// The bias, `[out_channels]`.
    pub fn bias(&self) -> Option<&Parameter> {
        self.bias.as_ref()
    }
}

impl Layer for Conv2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let bias = self.bias.as_ref().map(Parameter::value);
        Ok(x.conv2d(&self.weight.value(), bias.as_ref(), &self.options)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Module;
    use gradus_tensor::DType;

    #[test]
    fn output_extents_follow_the_options() {
        let rng = &mut Rng::seed_from(0);
        let defaults = Conv2dConfig::new(4, 6, [3, 2]);
        let cases = [
            (defaults.clone(), [2, 6, 7, 9]),
            (
                Conv2dConfig {
                    padding: [1, 2],
                    ..defaults.clone()
                },
                [2, 6, 9, 13],
            ),
            (
                Conv2dConfig {
                    stride: [2, 3],
                    ..defaults.clone()
                },
                [2, 6, 4, 3],
            ),
            (
                Conv2dConfig {
                    dilation: [2, 4],
                    groups: 2,
                    bias: false,
                    ..defaults
                },
                [2, 6, 5, 6],
            ),
        ];
        let x = Tensor::ones([2, 4, 9, 10], DType::F32);
        for (config, expected) in cases {
            let conv = Conv2d::with_config(&config, rng).unwrap();
            assert_eq!(conv.forward(&x).unwrap().shape(), expected, "{config:?}");
            assert_eq!(conv.parameters().len(), 1 + usize::from(config.bias));
        }
    }

    #[test]
    fn starts_within_pytorchs_bounds() {
        let conv = Conv2d::new(16, 32, 5, &mut Rng::seed_from(4)).unwrap();
        for parameter in conv.parameters() {
            let values = parameter.value().to_vec::<f32>().unwrap();
            let most = values.iter().fold(0f32, |most, v| most.max(v.abs()));
            assert!(most <= 0.05 && most > 0.04, "{most}");
        }
    }

    #[test]
    fn refuses_settings_without_meaning() {
        let rng = &mut Rng::seed_from(0);
        let defaults = Conv2dConfig::new(4, 6, [3, 3]);
        for config in [
            Conv2dConfig {
                groups: 0,
                ..defaults.clone()
            },
            Conv2dConfig {
                groups: 4,
                ..defaults.clone()
            },
            Conv2dConfig {
                stride: [0, 1],
                ..defaults.clone()
            },
            Conv2dConfig {
                kernel_size: [3, 0],
                ..defaults
            },
        ] {
            assert!(
                matches!(
                    Conv2d::with_config(&config, rng),
                    Err(Error::InvalidSetting { .. })
                ),
                "{config:?}"
            );
        }
    }
}
