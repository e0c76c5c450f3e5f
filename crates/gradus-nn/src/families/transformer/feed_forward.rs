//! The feed-forward layer: two projections with an activation between, or three with a gate.

use gradus_tensor::{Activation, Tensor};

use super::attention::Place;
use super::family::BlockNames;
use super::projection::{Projection, ProjectionConfig};
use super::source::Source;
use crate::error::Result;
use crate::layer::Layer;
use crate::module::{ModuleVisitor, visit_child};

/// `down(activation(up(x)))`, or `down(activation(gate(x)) · up(x))` (Shazeer 2020).
pub(super) struct FeedForward {
    gate: Option<Projection>,
    up: Projection,
    down: Projection,
    activation: Activation,
}

impl FeedForward {
    pub fn new(source: &mut Source, place: &Place) -> Result<FeedForward> {
        let config = place.config;
        let names = &config.family.names().block;
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let mut project = |name: &str, [in_features, out_features]: [usize; 2], std| {
            let projection = ProjectionConfig {
                path: &place.join(name),
                in_features,
                out_features,
                bias: config.bias.feed_forward,
                std,
                precision: place.precision,
            };
            Projection::new(source, &projection)
        };
        let std = config.initializer_range;
        let gate = match config.gated {
            true => Some(project(names.gate, [hidden, inner], std)?),
            false => None,
        };
        Ok(FeedForward {
            gate,
            up: project(names.up, [hidden, inner], std)?,
            down: project(names.down, [inner, hidden], place.branch_end_std())?,
            activation: config.activation,
        })
    }

    /// `x` `[.., hidden]` to the same shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let inner = match &self.gate {
            Some(gate) => {
                let [gate, up] = Projection::forward_all([gate, &self.up], x)?;
                gate.gated(&up, self.activation)?
            }
            None => self.up.forward_activated(x, self.activation)?,
        };
        self.down.forward(&inner)
    }

    /// Every projection with its path inside the block.
    pub fn projections(
        &self,
        names: &'static BlockNames,
    ) -> impl IntoIterator<Item = (&'static str, &Projection)> {
        let gate = self.gate.iter().map(|gate| (names.gate, gate));
        gate.chain([(names.up, &self.up), (names.down, &self.down)])
    }

    /// Shows the visitor the parts by the family's names.
    pub fn visit(&self, visitor: &mut dyn ModuleVisitor, names: &BlockNames) {
        if let Some(gate) = &self.gate {
            visit_child(visitor, names.gate, gate);
        }
        visit_child(visitor, names.up, &self.up);
        visit_child(visitor, names.down, &self.down);
    }
}
