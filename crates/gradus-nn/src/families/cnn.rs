//! Small convolutional networks: VGG-like and ResNet-like stages from one block.

use gradus_tensor::{Activation, Rng, Tensor};
use serde::{Deserialize, Serialize};

use super::config::{ActivationName, CommonSettings, check_parameters, check_sizes};
use super::quantization::{QuantizationConfig, dense};
use crate::error::{Error, Result};
use crate::init::{FanMode, Init, Nonlinearity};
use crate::layer::Layer;
use crate::layers::{
    BatchNorm2d, Conv2d, Conv2dConfig, Dropout, GlobalAvgPool2d, LinearConfig, MaxPool2d, Sequential,
};

/// What a [`Cnn`] is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CnnConfig {
    /// `[channels, height, width]` of one image. Left out, the data gives it.
    #[serde(default)]
    pub input_shape: Vec<usize>,
    /// Width of the logits. Left out, the data gives it.
    #[serde(default)]
    pub num_classes: usize,
    /// The kind of blocks; VGG by default.
    #[serde(default)]
    pub style: CnnStyle,
    /// Channels of each stage; at least one stage.
    pub channels: Vec<usize>,
    /// Blocks in each stage; 1 by default.
    #[serde(default = "one")]
    pub blocks_per_stage: usize,
    /// What follows each convolution; ReLU by default.
    #[serde(default)]
    pub activation: ActivationName,
    /// Probability with which each pooled feature is dropped in training, at least 0 and below 1; 0 by default.
    #[serde(default)]
    pub dropout: f64,
    /// Whether batch normalisation follows each convolution, which then has no bias; `true` by default.
    #[serde(default = "yes")]
    pub batch_norm: bool,
    /// How the classifier's weight is quantised; in floats when left out. Convolutions stay in floats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantization_config: Option<QuantizationConfig>,
}

/// How a stage is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CnnStyle {
    /// Blocks of one 3×3 convolution; a 2×2 maximum ends each stage (Simonyan and Zisserman, 2014).
    #[default]
    Vgg,
    /// A 3×3 stem, then blocks of two 3×3 convolutions around which the input is added; each stage after the first
    /// starts with stride 2 (He et al., 2015).
    Resnet,
}

/// Several times the deepest stage of the published ResNets (36), and few enough to build in no time.
const MAX_BLOCKS_PER_STAGE: usize = 256;

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

impl Default for CnnConfig {
    /// Three VGG stages whose sizes the data gives.
    fn default() -> Self {
        CnnConfig {
            input_shape: Vec::new(),
            num_classes: 0,
            style: CnnStyle::default(),
            channels: vec![32, 64, 128],
            blocks_per_stage: one(),
            activation: ActivationName::default(),
            dropout: 0.0,
            batch_norm: yes(),
            quantization_config: None,
        }
    }
}

impl CnnConfig {
    pub(super) fn validate(&self) -> Result<()> {
        CommonSettings {
            owner: "cnn",
            input_shape: &self.input_shape,
            num_classes: self.num_classes,
            dropout: self.dropout,
            quantization: self.quantization_config.as_ref(),
        }
        .validate()?;
        check_sizes("cnn", "channels", &self.channels)?;
        let invalid = |setting, value, rule| {
            Err(Error::InvalidSetting {
                owner: "cnn",
                setting,
                value,
                rule,
            })
        };
        if self.channels.is_empty() {
            return invalid(
                "channels",
                "[]".to_owned(),
                "give the channels of at least one stage",
            );
        }
        if !(1..=MAX_BLOCKS_PER_STAGE).contains(&self.blocks_per_stage) {
            return invalid(
                "blocks_per_stage",
                self.blocks_per_stage.to_string(),
                "it must be from 1 to 256",
            );
        }
        let &[_, height, width] = self.input_shape.as_slice() else {
            let value = format!("{:?}", self.input_shape);
            return invalid(
                "input_shape",
                value,
                "a cnn takes images, [channels, height, width]",
            );
        };
        check_parameters("cnn", "channels", self.bound_parameters())?;
        self.check_pooling(height, width)
    }

    /// Each VGG stage halves the image, rounding down; a ResNet's strided convolutions round up and leave a pixel.
    fn check_pooling(&self, height: usize, width: usize) -> Result<()> {
        let most = height.min(width).ilog2() as usize;
        match self.style {
            CnnStyle::Vgg if self.channels.len() > most => Err(Error::PooledToNothing {
                stages: self.channels.len(),
                height,
                width,
                most,
            }),
            CnnStyle::Vgg | CnnStyle::Resnet => Ok(()),
        }
    }

    /// At least as many parameters as the model has, within a small factor; `None` when the number overflows.
    fn bound_parameters(&self) -> Option<usize> {
        let widest = *self.channels.iter().max()?;
        let widest_input = widest.max(*self.input_shape.first()?);
        let block = widest.checked_mul(widest_input)?.checked_mul(2 * 9 + 1)?;
        let blocks = self
            .channels
            .len()
            .checked_mul(self.blocks_per_stage)?
            .checked_add(1)?;
        block
            .checked_mul(blocks)?
            .checked_add(widest.checked_mul(self.num_classes)?)
    }

    fn conv(&self, [input, output]: [usize; 2], kernel: usize, stride: usize) -> Conv2dConfig {
        Conv2dConfig {
            stride: [stride; 2],
            padding: [kernel / 2; 2],
            bias: !self.batch_norm,
            // As torchvision starts both families.
            weight_init: Init::KaimingNormal {
                nonlinearity: Nonlinearity::Relu,
                fan: FanMode::Out,
            },
            ..Conv2dConfig::new(input, output, [kernel; 2])
        }
    }
}

/// Stages of convolutions, the mean of each channel, dropout and a linear classifier. Takes images
/// `[batch, channels, height, width]`, grey ones also as `[batch, height, width]`, or flat rows of as many values;
/// gives logits `[batch, num_classes]`.
///
/// Tensors of VGG: `stages.0.0.conv.weight`, `stages.0.0.norm.weight`, …, `classifier.weight`, `classifier.bias`; of
/// ResNet: `stem.conv.weight`, `stages.0.0.first.conv.weight`, `stages.0.0.second.conv.weight`,
/// `stages.1.0.shortcut.conv.weight`, ….
#[derive(crate::Module)]
pub struct Cnn {
    stem: Option<ConvBlock>,
    stages: Vec<Sequential>,
    dropout: Dropout,
    classifier: Box<dyn Layer>,
    input_shape: [usize; 3],
}

impl Cnn {
    /// The model with fresh weights drawn from the seed, in the order of its layers.
    ///
    /// # Errors
    /// As [`ModelConfig::validate`](super::ModelConfig::validate).
    pub fn new(config: &CnnConfig, seed: u64) -> Result<Cnn> {
        config.validate()?;
        let rng = &mut Rng::seed_from(seed);
        let input_shape = [
            config.input_shape[0],
            config.input_shape[1],
            config.input_shape[2],
        ];
        let (stem, mut channels) = match config.style {
            CnnStyle::Vgg => (None, input_shape[0]),
            CnnStyle::Resnet => {
                let stem = config.conv([input_shape[0], config.channels[0]], 3, 1);
                (Some(ConvBlock::new(config, &stem, rng)?), config.channels[0])
            }
        };
        let mut stages = Vec::new();
        for (index, &width) in config.channels.iter().enumerate() {
            stages.push(match config.style {
                CnnStyle::Vgg => vgg_stage(config, [channels, width], rng)?,
                CnnStyle::Resnet => {
                    resnet_stage(config, [channels, width], if index == 0 { 1 } else { 2 }, rng)?
                }
            });
            channels = width;
        }
        let classifier = LinearConfig::new(channels, config.num_classes);
        let classifier = dense(&classifier, config.quantization_config.is_some(), rng);
        Ok(Cnn {
            stem,
            stages,
            dropout: Dropout::new(config.dropout)?,
            classifier,
            input_shape,
        })
    }

    /// `x` as `[batch, channels, height, width]`.
    fn images(&self, x: &Tensor) -> Result<Tensor> {
        let [channels, height, width] = self.input_shape;
        let batch = x.shape().first().copied().unwrap_or(0);
        let fits = match x.shape().get(1..) {
            Some(&[c, h, w]) => [c, h, w] == self.input_shape,
            Some(&[h, w]) => [1, h, w] == self.input_shape,
            Some(&[values]) => values == channels * height * width,
            Some(_) | None => false,
        };
        if !fits {
            let expected = format!("[batch, {channels}, {height}, {width}]");
            return Err(Error::InputShape {
                layer: "cnn",
                expected,
                got: x.shape().to_vec(),
            });
        }
        Ok(x.reshape([batch, channels, height, width])?)
    }
}

impl Layer for Cnn {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = self.images(x)?;
        if let Some(stem) = &self.stem {
            x = stem.forward(&x).map_err(|error| error.in_layer("stem"))?;
        }
        for (index, stage) in self.stages.iter().enumerate() {
            x = stage
                .forward(&x)
                .map_err(|error| error.in_layer(format_args!("stages.{index}")))?;
        }
        let pooled = self.dropout.forward(&GlobalAvgPool2d.forward(&x)?)?;
        self.classifier
            .forward(&pooled)
            .map_err(|error| error.in_layer("classifier"))
    }
}

fn vgg_stage(config: &CnnConfig, [input, output]: [usize; 2], rng: &mut Rng) -> Result<Sequential> {
    let mut stage = Sequential::new();
    for block in 0..config.blocks_per_stage {
        let input = if block == 0 { input } else { output };
        stage = stage.then(ConvBlock::new(config, &config.conv([input, output], 3, 1), rng)?);
    }
    Ok(stage.then(MaxPool2d::new(2)))
}

/// `stride` is that of the first block.
fn resnet_stage(
    config: &CnnConfig,
    [input, output]: [usize; 2],
    stride: usize,
    rng: &mut Rng,
) -> Result<Sequential> {
    let mut stage = Sequential::new().then(ResidualBlock::new(config, [input, output], stride, rng)?);
    for _ in 1..config.blocks_per_stage {
        stage = stage.then(ResidualBlock::new(config, [output; 2], 1, rng)?);
    }
    Ok(stage)
}

/// Convolution, normalisation, activation.
#[derive(crate::Module)]
struct ConvBlock {
    conv: Conv2d,
    norm: Option<BatchNorm2d>,
    #[module(skip)]
    activation: Activation,
}

impl ConvBlock {
    fn new(config: &CnnConfig, conv: &Conv2dConfig, rng: &mut Rng) -> Result<ConvBlock> {
        let norm = config.batch_norm.then(|| BatchNorm2d::new(conv.out_channels));
        Ok(ConvBlock {
            conv: Conv2d::with_config(conv, rng)?,
            norm,
            activation: config.activation.into(),
        })
    }

    fn without_activation(self) -> ConvBlock {
        ConvBlock {
            activation: Activation::Identity,
            ..self
        }
    }
}

impl Layer for ConvBlock {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.conv.forward(x)?;
        let x = match &self.norm {
            Some(norm) => norm.forward(&x)?,
            None => x,
        };
        Ok(x.activate(self.activation)?)
    }
}

/// `activation(second(first(x)) + shortcut(x))`.
#[derive(crate::Module)]
struct ResidualBlock {
    first: ConvBlock,
    second: ConvBlock,
    /// A 1×1 convolution where the shape changes; the identity otherwise.
    shortcut: Option<ConvBlock>,
    #[module(skip)]
    activation: Activation,
}

impl ResidualBlock {
    fn new(config: &CnnConfig, channels: [usize; 2], stride: usize, rng: &mut Rng) -> Result<ResidualBlock> {
        let [input, output] = channels;
        let first = ConvBlock::new(config, &config.conv(channels, 3, stride), rng)?;
        let second = ConvBlock::new(config, &config.conv([output; 2], 3, 1), rng)?.without_activation();
        let shortcut = match input != output || stride != 1 {
            true => {
                Some(ConvBlock::new(config, &config.conv(channels, 1, stride), rng)?.without_activation())
            }
            false => None,
        };
        Ok(ResidualBlock {
            first,
            second,
            shortcut,
            activation: config.activation.into(),
        })
    }
}

impl Layer for ResidualBlock {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let residual = self.second.forward(&self.first.forward(x)?)?;
        let shortcut = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x)?,
            None => x.clone(),
        };
        Ok(residual.add(&shortcut)?.activate(self.activation)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ModelConfig, Module, losses::cross_entropy};
    use gradus_tensor::DType;

    fn config(style: CnnStyle) -> CnnConfig {
        CnnConfig {
            input_shape: vec![1, 12, 10],
            num_classes: 4,
            style,
            channels: vec![3, 5],
            blocks_per_stage: 2,
            ..CnnConfig::default()
        }
    }

    fn images() -> Tensor {
        let values = (0..2 * 120).map(|i| ((i * 29 % 97) as f32) / 97.0).collect();
        Tensor::from_vec::<f32>(values, [2, 1, 12, 10]).unwrap()
    }

    fn names(config: &CnnConfig) -> Vec<String> {
        Cnn::new(config, 0)
            .unwrap()
            .named_parameters()
            .into_iter()
            .map(|(name, _)| name)
            .collect()
    }

    #[test]
    fn both_styles_give_logits_and_gradients_everywhere() {
        for style in [CnnStyle::Vgg, CnnStyle::Resnet] {
            for batch_norm in [true, false] {
                let model = Cnn::new(
                    &CnnConfig {
                        batch_norm,
                        ..config(style)
                    },
                    3,
                )
                .unwrap();
                let logits = model.forward(&images()).unwrap();
                assert_eq!(logits.shape(), [2, 4], "{style:?}");
                let targets = Tensor::from_vec(vec![1i64, 3], [2]).unwrap();
                cross_entropy(&logits, &targets).unwrap().backward().unwrap();
                for (name, parameter) in model.named_parameters() {
                    let grad = parameter
                        .grad()
                        .unwrap_or_else(|| panic!("{style:?} {name} has no gradient"));
                    assert!(
                        grad.to_vec::<f32>().unwrap().iter().all(|g| g.is_finite()),
                        "{style:?} {name}"
                    );
                }
            }
        }
    }

    #[test]
    fn tensor_names_are_stable() {
        let vgg = names(&config(CnnStyle::Vgg));
        assert_eq!(
            vgg[..3],
            [
                "stages.0.0.conv.weight",
                "stages.0.0.norm.weight",
                "stages.0.0.norm.bias"
            ]
        );
        assert_eq!(vgg[vgg.len() - 2..], ["classifier.weight", "classifier.bias"]);
        let resnet = names(&CnnConfig {
            batch_norm: false,
            ..config(CnnStyle::Resnet)
        });
        let expected = [
            "stem.conv.weight",
            "stem.conv.bias",
            "stages.0.0.first.conv.weight",
            "stages.0.0.first.conv.bias",
            "stages.0.0.second.conv.weight",
        ];
        assert_eq!(resnet[..5], expected);
        assert!(resnet.contains(&"stages.1.0.shortcut.conv.weight".to_owned()));
        assert!(
            !resnet.iter().any(|name| name.starts_with("stages.0.0.shortcut")),
            "no change of shape there"
        );
    }

    #[test]
    fn images_may_come_without_channel_or_flat() {
        let model = ModelConfig::Cnn(config(CnnStyle::Vgg)).build(0).unwrap();
        model.eval();
        let forward = |shape: &[usize]| {
            model
                .forward(&images().reshape(shape).unwrap())
                .map(|logits| logits.to_vec::<f32>().unwrap())
        };
        let expected = forward(&[2, 1, 12, 10]).unwrap();
        assert_eq!(forward(&[2, 12, 10]).unwrap(), expected);
        assert_eq!(forward(&[2, 120]).unwrap(), expected);
        assert!(matches!(
            forward(&[2, 1, 10, 12]),
            Err(Error::InputShape { layer: "cnn", .. })
        ));
    }

    #[test]
    fn refuses_configs_that_cannot_work() {
        let base = || config(CnnStyle::Vgg);
        for (config, part) in [
            (
                CnnConfig {
                    channels: vec![],
                    ..base()
                },
                "channels is []",
            ),
            (
                CnnConfig {
                    channels: vec![4, 0],
                    ..base()
                },
                "channels is [4, 0]",
            ),
            (
                CnnConfig {
                    blocks_per_stage: 0,
                    ..base()
                },
                "blocks_per_stage is 0",
            ),
            (
                CnnConfig {
                    blocks_per_stage: usize::MAX,
                    ..base()
                },
                "from 1 to 256",
            ),
            (
                CnnConfig {
                    channels: vec![1 << 20],
                    ..base()
                },
                "parameters",
            ),
            (
                CnnConfig {
                    input_shape: vec![784],
                    ..base()
                },
                "takes images",
            ),
            (
                CnnConfig {
                    channels: vec![4; 4],
                    ..base()
                },
                "give at most 3 entries in `channels`",
            ),
        ] {
            let message = config.validate().unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
        let deep = CnnConfig {
            channels: vec![2; 5],
            ..config(CnnStyle::Resnet)
        };
        assert_eq!(
            Cnn::new(&deep, 0).unwrap().forward(&images()).unwrap().shape(),
            [2, 4]
        );
    }

    #[test]
    fn quantising_changes_the_classifier_only() {
        let quantized = CnnConfig {
            quantization_config: Some(QuantizationConfig::default()),
            ..config(CnnStyle::Resnet)
        };
        let state = Cnn::new(&quantized, 0).unwrap().state_dict();
        let integers: Vec<&str> = state
            .iter()
            .filter(|(_, t)| t.dtype() == DType::I8)
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(integers, ["classifier.weight"]);
    }
}
