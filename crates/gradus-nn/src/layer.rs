//! A module that maps one tensor to one tensor.

use gradus_tensor::{Activation, Tensor};

use crate::error::Result;
use crate::module::Module;

/// A module with a forward pass from one tensor to one tensor. It may be shared between threads.
pub trait Layer: Module + Send + Sync {
    /// The layer's output for `x`. Tracked when `x` or a parameter is.
    ///
    /// # Errors
    /// When the shape or element type of `x` is not one the layer takes.
    fn forward(&self, x: &Tensor) -> Result<Tensor>;

    /// `activation(forward(x))`. Layers that can compute both in one pass over the output override this; whoever runs
    /// layers in a row ([`Sequential`](crate::Sequential), the families) calls it.
    ///
    /// # Errors
    /// As [`forward`](Layer::forward).
    fn forward_activated(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        Ok(self.forward(x)?.activate(activation)?)
    }

    /// The activation function that this layer is, if it is nothing more, so that the layer before can fuse it.
    fn as_activation(&self) -> Option<Activation> {
        None
    }
}

impl<L: Layer + ?Sized> Layer for Box<L> {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        (**self).forward(x)
    }

    fn forward_activated(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        (**self).forward_activated(x, activation)
    }

    fn as_activation(&self) -> Option<Activation> {
        (**self).as_activation()
    }
}
