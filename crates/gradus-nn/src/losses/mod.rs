//! Losses, one per file: functions of a prediction and a target, with PyTorch's reductions and defaults.
//!
//! `loss(input, target)` takes the defaults and `loss_with(input, target, &options)` the rest. Each is differentiable
//! in its input. Where both are floats of one meaning they must have one shape: a target of `[batch]` against an input
//! of `[batch, 1]` is an error here, not a silent matrix of differences.

mod bce_with_logits;
mod cross_entropy;
mod huber;
mod kl_div;
mod mae;
mod mse;
mod nll;
mod smooth_l1;

pub use bce_with_logits::{BceOptions, bce_with_logits, bce_with_logits_with};
pub use cross_entropy::{cross_entropy, cross_entropy_with};
pub use gradus_tensor::{CrossEntropyOptions, Reduction};
pub use huber::{HuberOptions, huber, huber_with};
pub use kl_div::{KlDivOptions, KlReduction, kl_div, kl_div_with};
pub use mae::{mae, mae_with};
pub use mse::{mse, mse_with};
pub use nll::{NllOptions, nll, nll_with};
pub use smooth_l1::{SmoothL1Options, smooth_l1, smooth_l1_with};

use gradus_tensor::Tensor;

use crate::error::Result;

/// One loss per element into what the reduction asks for.
fn reduce(losses: Tensor, reduction: Reduction) -> Result<Tensor> {
    match reduction {
        Reduction::None => Ok(losses),
        Reduction::Mean => Ok(losses.mean_all()?),
        Reduction::Sum => Ok(losses.sum_all()?),
    }
}

/// Input and target of an elementwise loss must have one shape.
fn check_same_shape(loss: &'static str, input: &Tensor, target: &Tensor) -> Result<()> {
    if input.shape() == target.shape() {
        return Ok(());
    }
    let (lhs, rhs) = (input.shape().to_vec(), target.shape().to_vec());
    let rule = "input and target have the same shape";
    Err(gradus_tensor::Error::ShapeMismatch {
        op: loss,
        lhs,
        rhs,
        rule,
    }
    .into())
}
