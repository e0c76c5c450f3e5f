//! How a weight starts: PyTorch's initialisers, drawn from a seeded stream.
//!
//! Values are computed in `f64` and rounded once to `f32`.

use gradus_tensor::{DType, Rng, Tensor};

use crate::error::{Error, Result};

/// A rule for a weight's first values. The documentation of each gives the distribution; `fan_in` and `fan_out` are
/// those of [`Fans`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// `U(−b, b)` with `b = gain · √(3 / fan)` (He et al., 2015); PyTorch's `kaiming_uniform_`.
    KaimingUniform {
        /// What follows the layer.
        nonlinearity: Nonlinearity,
        /// Which side's variance is kept.
        fan: FanMode,
    },
    /// `N(0, s²)` with `s = gain / √fan` (He et al., 2015); PyTorch's `kaiming_normal_`.
    KaimingNormal {
        /// What follows the layer.
        nonlinearity: Nonlinearity,
        /// Which side's variance is kept.
        fan: FanMode,
    },
    /// `U(−b, b)` with `b = gain · √(6 / (fan_in + fan_out))` (Glorot and Bengio, 2010).
    XavierUniform {
        /// Factor on the bound; 1 for a linear layer.
        gain: f64,
    },
    /// `N(0, s²)` with `s = gain · √(2 / (fan_in + fan_out))` (Glorot and Bengio, 2010).
    XavierNormal {
        /// Factor on the standard deviation; 1 for a linear layer.
        gain: f64,
    },
    /// `N(mean, std²)`.
    Normal {
        /// Centre.
        mean: f64,
        /// Standard deviation.
        std: f64,
    },
    /// `U(low, high)`.
    Uniform {
        /// Lower end, inclusive.
        low: f64,
        /// Upper end, exclusive before rounding.
        high: f64,
    },
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
}

impl Init {
    /// How PyTorch starts the weight of a linear or convolution layer: Kaiming uniform for a leaky ReLU of slope √5,
    /// which is `U(±1/√fan_in)`.
    pub const TORCH_WEIGHT: Init = Init::KaimingUniform {
        // √5, whose square makes the gain √(2 / 6).
        nonlinearity: Nonlinearity::LeakyRelu {
            negative_slope: 2.236_067_977_499_79,
        },
        fan: FanMode::In,
    };

    /// How PyTorch starts the bias of a layer whose weight has this `fan_in`: `U(±1/√fan_in)`; 0 without inputs.
    pub fn torch_bias(fan_in: usize) -> Init {
        match fan_in {
            0 => Init::Zeros,
            _ => Init::Uniform {
                low: -1.0 / (fan_in as f64).sqrt(),
                high: 1.0 / (fan_in as f64).sqrt(),
            },
        }
    }

    /// An `f32` tensor of `shape` drawn by this rule.
    ///
    /// # Errors
    /// [`Error::NoFan`] when the rule needs fans and the shape has fewer than two axes.
    pub fn tensor(&self, shape: &[usize], rng: &mut Rng) -> Result<Tensor> {
        match *self {
            Init::KaimingUniform { nonlinearity, fan } => {
                let fan = Fans::of(shape, "kaiming_uniform")?.get(fan);
                Ok(uniform(shape, nonlinearity.gain() * (3.0 / fan).sqrt(), rng))
            }
            Init::KaimingNormal { nonlinearity, fan } => {
                let fan = Fans::of(shape, "kaiming_normal")?.get(fan);
                Ok(normal(shape, 0.0, nonlinearity.gain() / fan.sqrt(), rng))
            }
            Init::XavierUniform { gain } => {
                let sum = Fans::of(shape, "xavier_uniform")?.sum();
                Ok(uniform(shape, gain * (6.0 / sum).sqrt(), rng))
            }
            Init::XavierNormal { gain } => {
                let sum = Fans::of(shape, "xavier_normal")?.sum();
                Ok(normal(shape, 0.0, gain * (2.0 / sum).sqrt(), rng))
            }
            Init::Normal { mean, std } => Ok(normal(shape, mean, std, rng)),
            Init::Uniform { low, high } => Ok(fill(shape, || low + (high - low) * rng.uniform())),
            Init::Zeros => Ok(Tensor::zeros(shape, DType::F32)),
            Init::Ones => Ok(Tensor::ones(shape, DType::F32)),
        }
    }
}

/// How many inputs an output sees, and the reverse, of a weight `[out, in, kernel..]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fans {
    /// `in · kernel elements`.
    pub fan_in: usize,
    /// `out · kernel elements`.
    pub fan_out: usize,
}

impl Fans {
    /// The fans of a weight of `shape`; `init` names who asks.
    ///
    /// # Errors
    /// [`Error::NoFan`] for fewer than two axes.
    pub fn of(shape: &[usize], init: &'static str) -> Result<Fans> {
        let [out, input, kernel @ ..] = shape else {
            return Err(Error::NoFan {
                init,
                shape: shape.to_vec(),
            });
        };
        let kernel: usize = kernel.iter().product();
        Ok(Fans {
            fan_in: input * kernel,
            fan_out: out * kernel,
        })
    }

    /// A layer of width 0 has nothing to draw, so its fan may as well be 1.
    fn get(self, mode: FanMode) -> f64 {
        match mode {
            FanMode::In => self.fan_in.max(1) as f64,
            FanMode::Out => self.fan_out.max(1) as f64,
        }
    }

    fn sum(self) -> f64 {
        (self.fan_in + self.fan_out).max(1) as f64
    }
}

/// Which side's variance a Kaiming initialiser keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FanMode {
    /// That of the forward pass.
    In,
    /// That of the backward pass.
    Out,
}

/// What follows a layer; decides the gain. The values are those of PyTorch's `calculate_gain`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nonlinearity {
    /// Nothing: 1.
    Linear,
    /// The logistic function: 1.
    Sigmoid,
    /// Hyperbolic tangent: 5/3.
    Tanh,
    /// Rectified linear: √2.
    Relu,
    /// Leaky rectified linear: √(2 / (1 + slope²)).
    LeakyRelu {
        /// Slope below 0.
        negative_slope: f64,
    },
    /// Scaled exponential linear: 3/4.
    Selu,
}

impl Nonlinearity {
    /// The factor on the standard deviation that keeps a signal's variance through this function.
    pub fn gain(self) -> f64 {
        match self {
            Nonlinearity::Linear | Nonlinearity::Sigmoid => 1.0,
            Nonlinearity::Tanh => 5.0 / 3.0,
            Nonlinearity::Relu => std::f64::consts::SQRT_2,
            Nonlinearity::LeakyRelu { negative_slope } => {
                (2.0 / (1.0 + negative_slope * negative_slope)).sqrt()
            }
            Nonlinearity::Selu => 0.75,
        }
    }
}

fn uniform(shape: &[usize], bound: f64, rng: &mut Rng) -> Tensor {
    fill(shape, || bound * (2.0 * rng.uniform() - 1.0))
}

fn normal(shape: &[usize], mean: f64, std: f64, rng: &mut Rng) -> Tensor {
    fill(shape, || mean + std * rng.normal())
}

fn fill(shape: &[usize], mut draw: impl FnMut() -> f64) -> Tensor {
    Tensor::build(shape, |out: &mut [f32]| out.fill_with(|| draw() as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: [usize; 4] = [40, 30, 5, 5];
    const FAN_IN: f64 = 750.0;
    const FAN_OUT: f64 = 1000.0;

    fn draws(init: Init) -> Vec<f64> {
        let tensor = init.tensor(&SHAPE, &mut Rng::seed_from(11)).unwrap();
        tensor
            .to_vec::<f32>()
            .unwrap()
            .into_iter()
            .map(f64::from)
            .collect()
    }

    fn moments(values: &[f64]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (
            mean,
            (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt(),
        )
    }

    /// Bounds reached but never passed, and the standard deviation of a uniform, within five standard errors.
    fn assert_uniform(init: Init, bound: f64) {
        let values = draws(init);
        let most = values.iter().fold(0.0f64, |most, v| most.max(v.abs()));
        assert!(
            most <= bound * (1.0 + 1e-6) && most > 0.999 * bound,
            "{init:?}: {most} of {bound}"
        );
        let (mean, std) = moments(&values);
        let n = values.len() as f64;
        let expected = bound / 3f64.sqrt();
        assert!(mean.abs() < 5.0 * expected / n.sqrt(), "{init:?}: mean {mean}");
        assert!(
            (std / expected - 1.0).abs() < 5.0 * (0.2 / n).sqrt(),
            "{init:?}: std {std}, expected {expected}"
        );
    }

    fn assert_normal(init: Init, mean: f64, std: f64) {
        let values = draws(init);
        let (got_mean, got_std) = moments(&values);
        let n = values.len() as f64;
        assert!(
            (got_mean - mean).abs() < 5.0 * std / n.sqrt(),
            "{init:?}: mean {got_mean}"
        );
        assert!(
            (got_std / std - 1.0).abs() < 5.0 / (2.0 * n).sqrt(),
            "{init:?}: std {got_std}, expected {std}"
        );
        let within = values.iter().filter(|v| (*v - mean).abs() < std).count() as f64 / n;
        assert!(
            (within - 0.6827).abs() < 0.02,
            "{init:?}: {within} within one standard deviation"
        );
    }

    #[test]
    fn uniform_families_fill_their_bounds() {
        let relu = Nonlinearity::Relu;
        assert_uniform(Init::TORCH_WEIGHT, 1.0 / FAN_IN.sqrt());
        assert_uniform(Init::torch_bias(750), 1.0 / FAN_IN.sqrt());
        assert_uniform(
            Init::KaimingUniform {
                nonlinearity: relu,
                fan: FanMode::In,
            },
            (6.0 / FAN_IN).sqrt(),
        );
        assert_uniform(
            Init::KaimingUniform {
                nonlinearity: relu,
                fan: FanMode::Out,
            },
            (6.0 / FAN_OUT).sqrt(),
        );
        assert_uniform(
            Init::XavierUniform { gain: 2.0 },
            2.0 * (6.0 / (FAN_IN + FAN_OUT)).sqrt(),
        );
        assert_uniform(Init::Uniform { low: -0.3, high: 0.3 }, 0.3);
    }

    #[test]
    fn normal_families_have_their_moments() {
        let tanh = Nonlinearity::Tanh;
        let kaiming = Init::KaimingNormal {
            nonlinearity: tanh,
            fan: FanMode::Out,
        };
        assert_normal(kaiming, 0.0, 5.0 / 3.0 / FAN_OUT.sqrt());
        assert_normal(
            Init::XavierNormal { gain: 1.0 },
            0.0,
            (2.0 / (FAN_IN + FAN_OUT)).sqrt(),
        );
        assert_normal(Init::Normal { mean: 3.0, std: 0.5 }, 3.0, 0.5);
    }

    #[test]
    fn constants_and_repeatability() {
        assert!(draws(Init::Zeros).iter().all(|&v| v == 0.0));
        assert!(draws(Init::Ones).iter().all(|&v| v == 1.0));
        assert_eq!(draws(Init::TORCH_WEIGHT), draws(Init::TORCH_WEIGHT));
    }

    #[test]
    fn gains_are_those_of_torch() {
        // torch.nn.init.calculate_gain of each.
        assert_eq!(Nonlinearity::Linear.gain(), 1.0);
        assert_eq!(Nonlinearity::Sigmoid.gain(), 1.0);
        assert_eq!(Nonlinearity::Tanh.gain(), 1.6666666666666667);
        assert_eq!(Nonlinearity::Relu.gain(), std::f64::consts::SQRT_2);
        assert!((Nonlinearity::LeakyRelu { negative_slope: 0.01 }.gain() - 1.4141428569978354).abs() < 1e-15);
        assert_eq!(Nonlinearity::Selu.gain(), 0.75);
    }

    #[test]
    fn vectors_have_no_fans() {
        let error = Init::TORCH_WEIGHT
            .tensor(&[3], &mut Rng::seed_from(0))
            .unwrap_err();
        assert_eq!(
            error,
            Error::NoFan {
                init: "kaiming_uniform",
                shape: vec![3]
            }
        );
        assert!(Init::TORCH_WEIGHT.tensor(&[0, 4], &mut Rng::seed_from(0)).is_ok());
    }
}
