//! One block: attention and feed-forward, each a branch of the residual stream.

use gradus_tensor::{KvCacheLayer, Tensor};

use super::attention::{Attention, Place};
use super::config::NormPlacement;
use super::context::Context;
use super::family::BlockNames;
use super::feed_forward::FeedForward;
use super::norm::Norm;
use super::projection::Projection;
use super::source::Source;
use crate::error::Result;
use crate::layer::Layer;
use crate::layers::Dropout;
use crate::module::{Module, ModuleVisitor, visit_child};

/// A block of a transformer.
pub(super) struct Block {
    attention: Attention,
    feed_forward: FeedForward,
    attention_norm: Norm,
    feed_forward_norm: Norm,
    /// Normalise a branch before it joins the stream.
    post_norms: Option<[Norm; 2]>,
    placement: NormPlacement,
    dropout: Dropout,
    names: &'static BlockNames,
}

impl Block {
    pub fn new(source: &mut Source, place: &Place) -> Result<Block> {
        let config = place.config;
        let names = &config.family.names().block;
        let attention = Attention::new(source, place)?;
        let feed_forward = FeedForward::new(source, place)?;
        let mut norm = |name: &str| Norm::new(source, &place.join(name), config.hidden_size, config.norm);
        Ok(Block {
            attention,
            feed_forward,
            attention_norm: norm(names.attention_norm)?,
            feed_forward_norm: norm(names.feed_forward_norm)?,
            post_norms: match config.norm_placement {
                NormPlacement::Pre | NormPlacement::Post => None,
                NormPlacement::Sandwich => Some([
                    norm(names.post_attention_norm)?,
                    norm(names.post_feed_forward_norm)?,
                ]),
            },
            placement: config.norm_placement,
            dropout: Dropout::new(config.dropout)?,
            names,
        })
    }

    /// `x` `[batch, seq, hidden]` to the same shape.
    pub fn forward(&self, x: &Tensor, context: &Context, cache: Option<&mut KvCacheLayer>) -> Result<Tensor> {
        let x = self.branch(x, 0, |x| self.attention.forward(x, context, cache))?;
        self.branch(&x, 1, |x| self.feed_forward.forward(x))
    }

    /// How much each token of `x` `[batch, seq, hidden]` attends to each: `[batch, heads, seq, seq]`.
    pub fn attention_probabilities(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        match self.placement {
            NormPlacement::Pre | NormPlacement::Sandwich => self
                .attention
                .probabilities(&self.attention_norm.forward(x)?, context),
            NormPlacement::Post => self.attention.probabilities(x, context),
        }
    }

    /// Every projection with its path inside the block.
    pub fn projections(
        &self,
        names: &'static BlockNames,
    ) -> impl Iterator<Item = (&'static str, &Projection)> {
        self.attention
            .projections(names)
            .into_iter()
            .chain(self.feed_forward.projections(names))
    }

    /// The stream after one branch: the attention (0) or the feed-forward layer (1).
    fn branch(
        &self,
        x: &Tensor,
        which: usize,
        run: impl FnOnce(&Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let norm = [&self.attention_norm, &self.feed_forward_norm][which];
        match self.placement {
            NormPlacement::Pre => Ok(x.add(&self.dropout.forward(&run(&norm.forward(x)?)?)?)?),
            NormPlacement::Post => norm.forward(&x.add(&self.dropout.forward(&run(x)?)?)?),
            NormPlacement::Sandwich => {
                let mut y = run(&norm.forward(x)?)?;
                if let Some(post) = &self.post_norms {
                    y = post[which].forward(&y)?;
                }
                Ok(x.add(&self.dropout.forward(&y)?)?)
            }
        }
    }
}

impl Module for Block {
    fn visit(&self, visitor: &mut dyn ModuleVisitor) {
        visit_child(visitor, self.names.attention_norm, &self.attention_norm);
        self.attention.visit(visitor, self.names);
        if let Some([post_attention, _]) = &self.post_norms {
            visit_child(visitor, self.names.post_attention_norm, post_attention);
        }
        visit_child(visitor, self.names.feed_forward_norm, &self.feed_forward_norm);
        self.feed_forward.visit(visitor, self.names);
        if let Some([_, post_feed_forward]) = &self.post_norms {
            visit_child(visitor, self.names.post_feed_forward_norm, post_feed_forward);
        }
        visit_child(visitor, "dropout", &self.dropout);
    }
}
