//! The normalisation of a family.

use gradus_tensor::{Parameter, Tensor};

use super::config::{NormConfig, NormKind};
use super::source::Source;
use crate::error::Result;
use crate::init::Init;

/// Normalises the last axis as the config says.
///
/// Tensors: `weight` `[width]` and, for layer normalisation, `bias` `[width]`.
#[derive(crate::Module)]
pub(super) struct Norm {
    weight: Parameter,
    bias: Option<Parameter>,
    #[module(skip)]
    config: NormConfig,
}

impl Norm {
    pub fn new(source: &mut Source, path: &str, width: usize, config: NormConfig) -> Result<Norm> {
        let start = match config.kind {
            NormKind::Layer | NormKind::Rms => Init::Ones,
            NormKind::RmsUnitOffset => Init::Zeros,
        };
        let mut parameter = |name: &str, init| -> Result<Parameter> {
            let value = source.float(&format!("{path}.{name}"), &[width], init)?;
            Ok(Parameter::new(value)?)
        };
        let weight = parameter("weight", start)?;
        let bias = match config.kind {
            NormKind::Layer => Some(parameter("bias", Init::Zeros)?),
            NormKind::Rms | NormKind::RmsUnitOffset => None,
        };
        Ok(Norm { weight, bias, config })
    }

    /// `x` `[.., width]` normalised.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let weight = self.weight.value();
        let NormConfig { kind, eps } = self.config;
        Ok(match kind {
            NormKind::Layer => {
                let bias = self.bias.as_ref().map(Parameter::value);
                x.layer_norm(weight.shape(), Some(&weight), bias.as_ref(), eps)?
            }
            NormKind::Rms => x.rms_norm(&weight, eps)?,
            NormKind::RmsUnitOffset => x.rms_norm(&weight.add_scalar(1.0)?, eps)?,
        })
    }
}
