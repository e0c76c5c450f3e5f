//! Activation checkpointing: memory for time.

use crate::autograd::{Grads, grad_enabled, no_grad, record_always, recording};
use crate::error::{Error, Result};
use crate::rng;
use crate::tensor::Tensor;

impl Tensor {
    /// `f(inputs)` without keeping what its backward needs: the backward runs `f` again from the inputs, with recording,
    /// and goes back through that (Chen et al., 2016). Saves the memory of all activations inside `f` for the price of
    /// one more forward. PyTorch's `torch.utils.checkpoint`.
    ///
    /// Gradients reach the inputs and every parameter that `f` uses, with the same bits as without checkpointing (unless
    /// a parameter is also used outside of `f`, which changes the order of additions). `f` draws the same forward seeds
    /// when it runs again, so dropout drops the same elements. It must do the same thing both times: no side effects,
    /// and no change of parameters or modes before the backward. Calls may nest.
    ///
    /// # Errors
    /// Whatever `f` returns; in the backward as [`Error::Recompute`].
    ///
    /// ```
    /// use gradus_tensor::{Error, Tensor};
    /// let x = Tensor::from_vec(vec![0.5f32, -2.0], [2])?.with_grad()?;
    /// let y = Tensor::checkpoint(&[&x], |inputs| inputs[0].tanh()?.mul(&inputs[0]))?;
    /// y.sum_all()?.backward()?;
    /// assert!(x.grad().is_some());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn checkpoint<E: From<Error> + std::fmt::Display>(
        inputs: &[&Tensor],
        f: impl Fn(&[Tensor]) -> Result<Tensor, E> + Send + Sync + 'static,
    ) -> Result<Tensor, E> {
        let detached: Vec<Tensor> = inputs.iter().map(|input| input.detach()).collect();
        if !grad_enabled() {
            return f(&detached);
        }
        let seeds = rng::forward_position();
        let out = {
            let _no_grad = no_grad();
            f(&detached)?.detach()
        };
        // Recorded also when no input is tracked: parameters inside of `f` may be.
        Ok(record_always("checkpoint", out, inputs, move |d_out, needs| {
            let after = rng::forward_position();
            rng::set_forward_position(seeds);
            let grads = run_again(&f, &detached, d_out, needs);
            rng::set_forward_position(after);
            grads
        }))
    }
}

/// Runs `f` with recording and goes back through it.
fn run_again<E: std::fmt::Display>(
    f: &impl Fn(&[Tensor]) -> Result<Tensor, E>,
    inputs: &[Tensor],
    d_out: &Tensor,
    needs: &[bool],
) -> Result<Grads> {
    let leaf = |(input, &needed): (&Tensor, &bool)| match needed {
        true => input.with_grad(),
        false => Ok(input.clone()),
    };
    let leaves = inputs
        .iter()
        .zip(needs)
        .map(leaf)
        .collect::<Result<Vec<Tensor>>>()?;
    let out = {
        let _recording = recording();
        f(&leaves).map_err(|error| Error::Recompute {
            reason: error.to_string(),
        })?
    };
    if out.is_tracked() {
        out.backward_with(d_out)?;
    }
    Ok(leaves.iter().map(Tensor::grad).collect())
}
