//! A linear map of a transformer: in floats, which can be trained, or in ggml blocks, which cannot.

use std::sync::{Arc, PoisonError, RwLock};

use gradus_kernels::quant::BlockType;
use gradus_tensor::{Activation, DType, Parameter, Precision, QuantizedLinear, Rng, Tensor};

use super::source::{Matrix, Source};
use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::init::Init;
use crate::layer::Layer;
use crate::layers::{Linear, Lora, LoraConfig};
use crate::module::{Module, ModuleVisitor, visit_child};

/// What a [`Projection`] is made from.
pub(super) struct ProjectionConfig<'a> {
    pub path: &'a str,
    pub in_features: usize,
    pub out_features: usize,
    pub bias: bool,
    /// Standard deviation of fresh weights.
    pub std: f64,
    pub precision: Precision,
}

/// `x · weightᵀ + bias`: `[.., in_features]` to `[.., out_features]`.
///
/// Tensors: `weight` `[out_features, in_features]` in floats, or `U8` `[out_features, bytes per row]` in ggml blocks;
/// `bias` `[out_features]`.
///
/// A [`Lora`] adapter may stand beside the weight: `lora_A.weight`, `lora_B.weight`.
pub struct Projection {
    weight: Weight,
    features: [usize; 2],
    precision: Precision,
    adapter: RwLock<Option<Arc<Lora>>>,
}

enum Weight {
    Float(Linear),
    Blocks(Box<Blocks>),
}

struct Blocks {
    stored: Buffer,
    bias: Option<Parameter>,
    ready: QuantizedLinear,
}

impl Projection {
    pub(super) fn new(source: &mut Source, config: &ProjectionConfig) -> Result<Projection> {
        let ProjectionConfig {
            path,
            in_features,
            out_features,
            ..
        } = *config;
        let init = Init::Normal {
            mean: 0.0,
            std: config.std,
        };
        let weight = source.matrix(&format!("{path}.weight"), [out_features, in_features], init)?;
        let bias = match config.bias {
            true => Some(source.float(&format!("{path}.bias"), &[out_features], Init::Zeros)?),
            false => None,
        };
        let weight = match weight {
            Matrix::Float(weight) => Weight::Float(Linear::from_tensors(weight, bias, config.precision)?),
            Matrix::Blocks(blocks, block_type) => {
                Weight::Blocks(Box::new(Blocks::new(blocks, block_type, in_features, bias)?))
            }
        };
        Ok(Projection {
            weight,
            features: [in_features, out_features],
            precision: config.precision,
            adapter: RwLock::new(None),
        })
    }

    /// Puts a fresh adapter beside the weight, in place of one that is there, and freezes the weight.
    pub(super) fn adapt(&self, config: &LoraConfig, rng: &mut Rng) -> Result<()> {
        let adapter = Lora::new(config, self.features, self.precision, rng)?;
        *self.adapter.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(adapter));
        Ok(())
    }

    /// Adds the adapter, if there is one, to the weight and takes it away.
    ///
    /// # Errors
    /// [`Error::InferenceOnly`] for a weight in ggml blocks, which cannot be added to.
    pub(super) fn merge(&self) -> Result<()> {
        let mut slot = self.adapter.write().unwrap_or_else(PoisonError::into_inner);
        let Some(adapter) = slot.as_ref() else {
            return Ok(());
        };
        let Weight::Float(linear) = &self.weight else {
            return Err(Error::InferenceOnly {
                layer: "a projection in ggml blocks",
            });
        };
        let weight = linear.weight();
        let merged = weight
            .value()
            .detach()
            .to_dtype(DType::F32)?
            .add(&adapter.delta()?)?;
        weight.set(merged.to_dtype(weight.dtype())?)?;
        *slot = None;
        Ok(())
    }

    /// Several projections of one input. Those in ggml blocks are computed together: the input is quantised once, and the
    /// work handed out once.
    ///
    /// # Errors
    /// As [`Layer::forward`].
    pub(super) fn forward_all<const N: usize>(
        projections: [&Projection; N],
        x: &Tensor,
    ) -> Result<[Tensor; N]> {
        let ready = projections.map(Projection::plain_blocks);
        if ready.iter().all(Option::is_some) {
            let ready = ready.map(|blocks| blocks.expect("bug: just checked"));
            return Ok(QuantizedLinear::forward_shared(ready, x)?);
        }
        let mut outputs = Vec::with_capacity(N);
        for projection in projections {
            outputs.push(projection.forward(x)?);
        }
        Ok(outputs.try_into().map_err(|_| ()).expect("bug: one output each"))
    }

    /// The weight in blocks, where nothing else changes the output.
    fn plain_blocks(&self) -> Option<&QuantizedLinear> {
        match &self.weight {
            Weight::Blocks(blocks) if self.adapter().is_none() => Some(&blocks.ready),
            Weight::Blocks(_) | Weight::Float(_) => None,
        }
    }

    fn adapter(&self) -> Option<Arc<Lora>> {
        self.adapter
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn base(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        match &self.weight {
            Weight::Float(linear) => linear.forward_activated(x, activation),
            Weight::Blocks(blocks) => Ok(blocks.ready.forward(x)?.activate(activation)?),
        }
    }
}

impl Blocks {
    fn new(
        stored: Tensor,
        block_type: BlockType,
        in_features: usize,
        bias: Option<Tensor>,
    ) -> Result<Blocks> {
        let ready = QuantizedLinear::new(&stored, block_type, in_features, bias.as_ref())?;
        Ok(Blocks {
            stored: Buffer::new(stored),
            bias: bias.map(Parameter::new).transpose()?,
            ready,
        })
    }
}

impl Layer for Projection {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_activated(x, Activation::Identity)
    }

    fn forward_activated(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        let Some(adapter) = self.adapter() else {
            return self.base(x, activation);
        };
        let sum = self.base(x, Activation::Identity)?.add(&adapter.forward(x)?)?;
        Ok(sum.activate(activation)?)
    }
}

impl Module for Projection {
    fn visit(&self, visitor: &mut dyn ModuleVisitor) {
        match &self.weight {
            Weight::Float(linear) => linear.visit(visitor),
            Weight::Blocks(blocks) => {
                visit_child(visitor, "weight", &blocks.stored);
                visit_child(visitor, "bias", &blocks.bias);
            }
        }
        self.adapter().visit(visitor);
    }
}
