//! The token embedding, which is also the output layer of many models.

use gradus_tensor::{DType, Parameter, Precision, QuantizedLinear, Tensor};

use super::source::{Matrix, Source};
use crate::buffer::Buffer;
use crate::error::Result;
use crate::init::Init;
use crate::layer::Layer;
use crate::layers::Linear;
use crate::module::{Module, ModuleVisitor, visit_child};

/// A table `[vocab, hidden]`: rows by token, and products with all rows.
pub(super) enum TokenEmbedding {
    /// In floats, behind a layer that multiplies by it.
    Float(Box<Linear>),
    /// In ggml blocks.
    Blocks(Box<(Buffer, QuantizedLinear)>),
}

impl TokenEmbedding {
    pub fn new(
        source: &mut Source,
        path: &str,
        [rows, cols]: [usize; 2],
        std: f64,
        precision: Precision,
    ) -> Result<TokenEmbedding> {
        let init = Init::Normal { mean: 0.0, std };
        match source.matrix(&format!("{path}.weight"), [rows, cols], init)? {
            Matrix::Float(weight) => {
                let table = Linear::from_tensors(weight, None, precision)?;
                Ok(TokenEmbedding::Float(Box::new(table)))
            }
            Matrix::Blocks(blocks, block_type) => {
                let ready = QuantizedLinear::new(&blocks, block_type, cols, None)?;
                Ok(TokenEmbedding::Blocks(Box::new((Buffer::new(blocks), ready))))
            }
        }
    }

    /// The rows of `ids` (`I64`, any shape `[..]`): `f32` `[.., hidden]`.
    pub fn rows(&self, ids: &Tensor) -> Result<Tensor> {
        match self {
            TokenEmbedding::Float(table) => {
                Ok(table.weight().value().embedding(ids)?.to_dtype(DType::F32)?)
            }
            TokenEmbedding::Blocks(blocks) => Ok(blocks.1.rows(ids)?),
        }
    }

    /// `x` `[.., hidden]` times every row: `[.., vocab]`.
    pub fn logits(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            TokenEmbedding::Float(table) => table.forward(x),
            TokenEmbedding::Blocks(blocks) => Ok(blocks.1.forward(x)?),
        }
    }

    /// The table as a parameter, where it is in floats.
    pub fn parameter(&self) -> Option<&Parameter> {
        match self {
            TokenEmbedding::Float(table) => Some(table.weight()),
            TokenEmbedding::Blocks(_) => None,
        }
    }
}

impl Module for TokenEmbedding {
    fn visit(&self, visitor: &mut dyn ModuleVisitor) {
        match self {
            TokenEmbedding::Float(table) => table.visit(visitor),
            TokenEmbedding::Blocks(blocks) => visit_child(visitor, "weight", &blocks.0),
        }
    }
}
