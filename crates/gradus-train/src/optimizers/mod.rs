//! Optimisers: each turns the gradients in its parameters into one step of those parameters.
//!
//! One file per optimiser, each following `torch.optim`'s formulas and defaults. The loops over numbers are
//! `gradus_kernels::optim`: one fused pass over each parameter. What all share (the parameters, the learning rate, the
//! state that a checkpoint keeps) is in [`ParameterGroup`].

mod adadelta;
mod adagrad;
mod adam;
mod adamw;
mod config;
mod gradient_descent;
mod group;
mod lion;
mod rmsprop;
mod sgd;

pub use adadelta::{Adadelta, AdadeltaConfig};
pub use adagrad::{Adagrad, AdagradConfig};
pub use adam::{Adam, AdamConfig};
pub use adamw::{AdamW, AdamWConfig};
pub use config::{OptimizerConfig, OptimizerKind};
pub use gradient_descent::GradientDescentConfig;
pub use group::{DecayScope, ParameterGroup, Slot};
pub use lion::{Lion, LionConfig};
pub use rmsprop::{RmsProp, RmsPropConfig};
pub use sgd::{Sgd, SgdConfig};

use crate::Result;
use gradus_tensor::{Parameter, Tensor};

/// Moves parameters along their gradients.
///
/// Parameters must hold `f32`. One without a gradient is left alone, and its step count too, as in PyTorch.
///
/// ```
/// use gradus_tensor::{Parameter, Tensor};
/// use gradus_train::optimizers::{Optimizer, Sgd};
/// let weight = Parameter::new(Tensor::scalar(1.0f32))?;
/// let mut optimizer = Sgd::new(vec![weight.clone()], 0.1);
/// optimizer.zero_grad();
/// weight.value().mul(&weight.value())?.backward()?;
/// optimizer.step()?;
/// assert_eq!(weight.value().item::<f32>()?, 0.8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Optimizer: Send {
    /// Updates every parameter that has a gradient, in place.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) when a parameter or its gradient does not hold `f32`.
    fn step(&mut self) -> Result<()>;

    /// As [`Optimizer::step`] with every gradient times `factor`: how gradients are limited by their norm without
    /// another pass over them. Whether the gradients themselves are scaled afterwards is left open; clear them.
    ///
    /// # Errors
    /// As [`Optimizer::step`].
    fn step_scaled(&mut self, factor: f64) -> Result<()> {
        if factor != 1.0 {
            crate::clip::scale_gradients(self.parameters(), factor)?;
        }
        self.step()
    }

    /// The parameters and their state.
    fn group(&self) -> &ParameterGroup;

    /// The parameters and their state, to change.
    fn group_mut(&mut self) -> &mut ParameterGroup;

    /// Sets the momentum (beta1 for the Adam family and Lion); returns whether this optimiser has one.
    fn set_momentum(&mut self, momentum: f64) -> bool;

    /// The parameters this optimiser moves.
    fn parameters(&self) -> &[Parameter] {
        self.group().parameters()
    }

    /// Forgets all gradients.
    fn zero_grad(&self) {
        self.parameters().iter().for_each(Parameter::zero_grad);
    }

    /// The step size.
    fn learning_rate(&self) -> f64 {
        self.group().learning_rate
    }

    /// Changes the step size.
    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.group_mut().learning_rate = learning_rate;
    }

    /// Everything a checkpoint must keep to continue to the same bits, by name.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) from building the tensors.
    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        self.group().state()
    }

    /// Restores what [`Optimizer::state`] gave, for the same parameters in the same order.
    ///
    /// # Errors
    /// [`Error::OptimizerState`](crate::Error::OptimizerState) when a tensor is not one of this optimiser's.
    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        self.group_mut().load_state(state)
    }
}
