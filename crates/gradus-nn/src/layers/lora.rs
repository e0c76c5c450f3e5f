//! Low-rank adapters (Hu et al. 2021): a small trained matrix beside a frozen one.

use gradus_tensor::{Activation, Parameter, Precision, Rng, Tensor};

use crate::error::{Error, Result};
use crate::init::{FanMode, Init, Nonlinearity};
use crate::layer::Layer;
use crate::layers::Dropout;
use crate::module::{Module, ModuleVisitor, visit_child};

/// What a [`Lora`] is made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoraConfig {
    /// Width between the two matrices, at least 1; 8 by default.
    pub rank: usize,
    /// The adapter's output is scaled by `alpha / rank`; 16 by default.
    pub alpha: f64,
    /// Probability with which an element of the adapter's input is dropped in training; 0 by default.
    pub dropout: f64,
}

impl Default for LoraConfig {
    fn default() -> Self {
        LoraConfig {
            rank: 8,
            alpha: 16.0,
            dropout: 0.0,
        }
    }
}

impl LoraConfig {
    /// The factor on the adapter's output.
    pub fn scaling(&self) -> f64 {
        self.alpha / self.rank as f64
    }

    /// # Errors
    /// [`Error::InvalidSetting`] for a rank of 0, an `alpha` that is no number, or a dropout outside `0..1`.
    pub fn validate(&self) -> Result<()> {
        let refuse = |setting, value: String, rule| {
            Err(Error::InvalidSetting {
                owner: "lora",
                setting,
                value,
                rule,
            })
        };
        if self.rank == 0 {
            return refuse("rank", "0".to_owned(), "it must be at least 1");
        }
        if !self.alpha.is_finite() {
            return refuse("alpha", self.alpha.to_string(), "it must be a number");
        }
        if !(0.0..1.0).contains(&self.dropout) {
            let rule = "it must be at least 0 and below 1";
            return refuse("dropout", self.dropout.to_string(), rule);
        }
        Ok(())
    }
}

/// `scaling · (dropout(x) · Aᵀ) · Bᵀ`, to be added to the output of the layer it adapts.
///
/// Tensors, named as PEFT names them: `lora_A.weight` `[rank, in_features]`, from PyTorch's `U(±1/√in_features)`, and
/// `lora_B.weight` `[out_features, rank]`, from 0, so that a fresh adapter changes nothing.
pub struct Lora {
    a: Parameter,
    b: Parameter,
    dropout: Dropout,
    scaling: f64,
    precision: Precision,
}

impl Lora {
    /// A fresh adapter for a layer of these widths.
    ///
    /// # Errors
    /// As [`LoraConfig::validate`].
    pub fn new(
        config: &LoraConfig,
        [in_features, out_features]: [usize; 2],
        precision: Precision,
        rng: &mut Rng,
    ) -> Result<Lora> {
        config.validate()?;
        let init = Init::KaimingUniform {
            nonlinearity: Nonlinearity::LeakyRelu {
                negative_slope: 5f64.sqrt(),
            },
            fan: FanMode::In,
        };
        Ok(Lora {
            a: Parameter::new(init.tensor(&[config.rank, in_features], rng)?)?,
            b: Parameter::new(Init::Zeros.tensor(&[out_features, config.rank], rng)?)?,
            dropout: Dropout::new(config.dropout)?,
            scaling: config.scaling(),
            precision,
        })
    }

    /// What the adapter adds to the weight of its layer: `scaling · B · A`, `[out_features, in_features]`.
    ///
    /// # Errors
    /// When the two do not fit each other, which those of one adapter do.
    pub fn delta(&self) -> Result<Tensor> {
        let (a, b) = (self.a.value().detach(), self.b.value().detach());
        Ok(b.matmul(&a)?.mul_scalar(self.scaling)?)
    }
}

impl Layer for Lora {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.dropout.forward(x)?;
        let low = x.linear_in(&self.a.value(), None, Activation::Identity, self.precision)?;
        let high = low.linear_in(&self.b.value(), None, Activation::Identity, self.precision)?;
        Ok(high.mul_scalar(self.scaling)?)
    }
}

impl Module for Lora {
    fn visit(&self, visitor: &mut dyn ModuleVisitor) {
        visit_child(visitor, "lora_A.weight", &self.a);
        visit_child(visitor, "lora_B.weight", &self.b);
        visit_child(visitor, "lora_dropout", &self.dropout);
    }
}
