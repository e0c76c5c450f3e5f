//! What all blocks of one forward pass share: where tokens stand, and what they see.

use std::sync::Arc;

use gradus_tensor::{RopePositions, RopeTable, Tensor};

use super::config::{Positions, TransformerConfig};
use super::model::TextInput;
use super::rope_scaling::RopeTables;
use crate::error::Result;

/// The rotations of a model; none for learned positions.
pub(super) struct Ropes {
    global: Option<RopeTables>,
    /// Of layers with a window, where it differs.
    local: Option<RopeTables>,
}

impl Ropes {
    pub fn new(config: &TransformerConfig) -> Result<Ropes> {
        let (global, local) = match &config.positions {
            Positions::Learned => (None, None),
            Positions::Rotary { global, local } => (Some(global.clone()), local.clone()),
        };
        Ok(Ropes {
            global: global.map(RopeTables::new).transpose()?,
            local: local.map(RopeTables::new).transpose()?,
        })
    }
}

/// One forward pass.
pub(super) struct Context {
    start: usize,
    positions: Option<Tensor>,
    global: Option<RopeTable>,
    local: Option<RopeTable>,
    pub first_key: Option<Tensor>,
    pub key_lengths: Option<Tensor>,
}

impl Context {
    /// For `seq` tokens that stand after `start` others.
    pub fn new(ropes: &Ropes, input: &TextInput, start: usize, seq: usize) -> Result<Arc<Context>> {
        let table = |tables: &Option<RopeTables>| -> Result<Option<RopeTable>> {
            tables
                .as_ref()
                .map(|tables| tables.for_length(start + seq))
                .transpose()
        };
        let global = table(&ropes.global)?;
        Ok(Arc::new(Context {
            start,
            positions: input.positions.cloned(),
            local: table(&ropes.local)?.or_else(|| global.clone()),
            global,
            first_key: input.first_key.cloned(),
            key_lengths: input.key_lengths.cloned(),
        }))
    }

    /// The position of the first token.
    pub fn start(&self) -> usize {
        self.start
    }

    /// `x` `[batch, seq, heads, head_dim]` turned by its tokens' positions, as layers with a window turn it or as all others
    /// do; as it is for a model with learned positions.
    pub fn rotate(&self, x: Tensor, windowed: bool) -> Result<Tensor> {
        let Some(table) = (if windowed { &self.local } else { &self.global }) else {
            return Ok(x);
        };
        let positions = match &self.positions {
            Some(positions) => RopePositions::Each(positions),
            None => RopePositions::From(self.start),
        };
        Ok(x.rope(table, positions)?)
    }
}
