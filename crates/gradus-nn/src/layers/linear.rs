//! The fully connected layer.

use std::sync::{Arc, Mutex, PoisonError};

use gradus_tensor::{Activation, DType, PackedLinear, Parameter, Precision, Rng, Tensor, grad_enabled};

use crate::error::Result;
use crate::init::Init;
use crate::layer::Layer;
use crate::mode::Mode;

/// `x · weightᵀ + bias`: `[.., in_features]` to `[.., out_features]`.
///
/// Tensors: `weight` `[out_features, in_features]`, `bias` `[out_features]`. In evaluation mode under
/// [`no_grad`](gradus_tensor::no_grad) the layer keeps a copy of `f32` or bf16 weights packed for the product, until
/// they change.
///
/// ```
/// use gradus_nn::{Layer, Linear};
/// use gradus_tensor::{DType, Rng, Tensor};
/// let linear = Linear::new(784, 128, &mut Rng::seed_from(0));
/// assert_eq!(linear.forward(&Tensor::zeros([32, 784], DType::F32))?.shape(), [32, 128]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(crate::Module)]
pub struct Linear {
    weight: Parameter,
    bias: Option<Parameter>,
    mode: Mode,
    #[module(skip)]
    precision: Precision,
    #[module(skip)]
    packed: PackedCache,
}

/// What a [`Linear`] is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearConfig {
    /// Width of the input's last axis.
    pub in_features: usize,
    /// Width of the output's last axis.
    pub out_features: usize,
    /// Whether a bias is added; `true` by default.
    pub bias: bool,
    /// How the weight starts; [`Init::TORCH_WEIGHT`] by default. The bias always starts as PyTorch's.
    pub weight_init: Init,
    /// How products are computed, forward and backward; [`Precision::F32`] by default. The weight stays `f32` (the
    /// master copy of mixed-precision training) whatever it is.
    pub precision: Precision,
}

impl LinearConfig {
    /// The defaults for these widths.
    pub fn new(in_features: usize, out_features: usize) -> LinearConfig {
        LinearConfig {
            in_features,
            out_features,
            bias: true,
            weight_init: Init::TORCH_WEIGHT,
            precision: Precision::F32,
        }
    }
}

impl Linear {
    /// A layer with PyTorch's defaults and its order of arguments: `weight` and `bias` from `U(±1/√in_features)`.
    pub fn new(in_features: usize, out_features: usize, rng: &mut Rng) -> Linear {
        Linear::with_config(&LinearConfig::new(in_features, out_features), rng)
    }

    /// A layer as configured; draws the weight, then the bias.
    pub fn with_config(config: &LinearConfig, rng: &mut Rng) -> Linear {
        let shape = [config.out_features, config.in_features];
        let weight = config
            .weight_init
            .tensor(&shape, rng)
            .expect("bug: a matrix has fans");
        let bias = config.bias.then(|| {
            let bias = Init::torch_bias(config.in_features).tensor(&shape[..1], rng);
            bias.expect("bug: a bias needs no fans")
        });
        let parameter = |value| Parameter::new(value).expect("bug: initialisers give floats");
        Linear {
            weight: parameter(weight),
            bias: bias.map(parameter),
            mode: Mode::default(),
            precision: config.precision,
            packed: PackedCache::default(),
        }
    }

    /// A layer of these values: `weight` `[out_features, in_features]` in `f32` or bf16, `bias` `[out_features]`.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) for values that are no floats.
    pub fn from_tensors(weight: Tensor, bias: Option<Tensor>, precision: Precision) -> Result<Linear> {
        Ok(Linear {
            weight: Parameter::new(weight)?,
            bias: bias.map(Parameter::new).transpose()?,
            mode: Mode::default(),
            precision,
            packed: PackedCache::default(),
        })
    }

    /// The weight, `[out_features, in_features]`.
    pub fn weight(&self) -> &Parameter {
        &self.weight
    }

    /// The bias, `[out_features]`.
    pub fn bias(&self) -> Option<&Parameter> {
        self.bias.as_ref()
    }

    /// How products are computed.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    fn may_pack(&self, x: &Tensor) -> bool {
        let packs = matches!(self.weight.dtype(), DType::F32 | DType::BF16);
        x.dtype() == DType::F32 && packs && !self.mode.is_training() && !grad_enabled()
    }
}

impl Layer for Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_activated(x, Activation::Identity)
    }

    fn forward_activated(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        if self.may_pack(x) {
            return self.packed.forward(self, x, activation);
        }
        let bias = self.bias.as_ref().map(Parameter::value);
        Ok(x.linear_in(&self.weight.value(), bias.as_ref(), activation, self.precision)?)
    }
}

/// The weights packed for inference, made when first needed and again whenever a parameter has changed.
#[derive(Default)]
struct PackedCache {
    entry: Mutex<Option<(CacheKey, Arc<PackedLinear>)>>,
}

/// What the packed copy was made from. The versions are read before the values: a change in between makes the copy
/// newer than its key, and it is made once more.
#[derive(Clone, Copy, PartialEq, Eq)]
struct CacheKey {
    weight_version: u64,
    bias_version: Option<u64>,
    relu: bool,
}

impl PackedCache {
    fn forward(&self, linear: &Linear, x: &Tensor, activation: Activation) -> Result<Tensor> {
        let relu = activation == Activation::Relu;
        let out = self.get(linear, relu)?.forward(x)?;
        Ok(if relu { out } else { out.activate(activation)? })
    }

    fn get(&self, linear: &Linear, relu: bool) -> Result<Arc<PackedLinear>> {
        let key = CacheKey {
            weight_version: linear.weight.version(),
            bias_version: linear.bias.as_ref().map(Parameter::version),
            relu,
        };
        let mut entry = self.entry.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, packed)) = entry.as_ref().filter(|(made_from, _)| *made_from == key) {
            return Ok(packed.clone());
        }
        let bias = linear.bias.as_ref().map(Parameter::value);
        let weight = linear.weight.value();
        let packed = PackedLinear::new_in(&weight, bias.as_ref(), relu, linear.precision)?;
        let packed = Arc::new(packed);
        *entry = Some((key, packed.clone()));
        Ok(packed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Module;
    use gradus_tensor::no_grad;

    fn input(rows: usize, features: usize) -> Tensor {
        let values = (0..rows * features)
            .map(|i| ((i * 37 % 101) as f32 - 50.0) / 25.0)
            .collect();
        Tensor::from_vec::<f32>(values, [rows, features]).unwrap()
    }

    fn assert_close(got: &Tensor, expected: &Tensor) {
        let (got, expected) = (got.to_vec::<f32>().unwrap(), expected.to_vec::<f32>().unwrap());
        for (index, (g, e)) in got.iter().zip(&expected).enumerate() {
            assert!(
                (g - e).abs() <= 1e-6 * (1.0 + e.abs()),
                "element {index}: {g}, expected {e}"
            );
        }
    }

    #[test]
    fn starts_as_pytorch_does() {
        let linear = Linear::new(400, 300, &mut Rng::seed_from(5));
        let bound = 1.0 / 20.0;
        for parameter in linear.parameters() {
            let values = parameter.value().to_vec::<f32>().unwrap();
            let most = values.iter().fold(0f32, |most, v| most.max(v.abs()));
            assert!(most <= bound && most > 0.98 * bound, "{most}");
        }
    }

    #[test]
    fn packed_inference_agrees_with_the_tracked_forward() {
        for precision in Precision::ALL {
            for (rows, features, out) in [(1, 784, 128), (64, 33, 10), (0, 5, 3), (7, 1, 1)] {
                let config = LinearConfig {
                    precision,
                    ..LinearConfig::new(features, out)
                };
                let linear = Linear::with_config(&config, &mut Rng::seed_from(1));
                let x = input(rows, features);
                for activation in [Activation::Identity, Activation::Relu, Activation::Gelu] {
                    let tracked = linear.forward_activated(&x, activation).unwrap();
                    linear.eval();
                    let packed = {
                        let _guard = no_grad();
                        linear.forward_activated(&x, activation).unwrap()
                    };
                    linear.train();
                    assert!(tracked.is_tracked() && !packed.is_tracked());
                    assert_close(&packed, &tracked);
                }
            }
        }
    }

    #[test]
    fn bf16_weights_run_in_the_layers_precision() {
        for precision in Precision::ALL {
            let config = LinearConfig {
                precision,
                ..LinearConfig::new(33, 10)
            };
            let linear = Linear::with_config(&config, &mut Rng::seed_from(1));
            let narrow = linear.weight().value().to_dtype(DType::BF16).unwrap();
            linear.weight().set(narrow.to_dtype(DType::F32).unwrap()).unwrap();
            let x = input(5, 33);
            let tracked = linear.forward(&x).unwrap();
            linear.eval();
            let _guard = no_grad();
            assert_close(&linear.forward(&x).unwrap(), &tracked);
            let bias = linear.bias().unwrap().value();
            let stored = PackedLinear::new_in(&narrow, Some(&bias), false, precision).unwrap();
            assert_close(&stored.forward(&x).unwrap(), &tracked);
        }
    }

    #[test]
    fn packed_weights_follow_their_parameters() {
        let linear = Linear::new(6, 4, &mut Rng::seed_from(2));
        linear.eval();
        let _guard = no_grad();
        let x = input(3, 6);
        linear.forward(&x).unwrap();
        linear.weight().set(Tensor::ones([4, 6], DType::F32)).unwrap();
        linear
            .bias()
            .unwrap()
            .update_f32(|bias, _| bias.fill(2.0))
            .unwrap();
        let expected = x
            .sum([1], true)
            .unwrap()
            .add_scalar(2.0)
            .unwrap()
            .broadcast_to([3, 4])
            .unwrap();
        assert_close(&linear.forward(&x).unwrap(), &expected);
    }

    #[test]
    fn a_layer_without_bias_has_one_parameter() {
        let config = LinearConfig {
            bias: false,
            ..LinearConfig::new(3, 2)
        };
        let linear = Linear::with_config(&config, &mut Rng::seed_from(0));
        assert_eq!(linear.parameters().len(), 1);
        assert_eq!(
            linear
                .forward(&Tensor::zeros([1, 3], DType::F32))
                .unwrap()
                .to_vec::<f32>()
                .unwrap(),
            [0.0; 2]
        );
    }
}
