//! The smooth absolute error: Huber's loss divided by its turning point.

use gradus_tensor::{Reduction, Tensor};

use super::huber::elementwise;
use super::{check_same_shape, mae_with, reduce};
use crate::error::{Error, Result};

/// How [`smooth_l1_with`] computes; the defaults are PyTorch's.
#[derive(Clone, Debug)]
pub struct SmoothL1Options {
    /// The distance at which the loss turns from squared to linear; 1 by default. 0 gives the absolute error.
    pub beta: f64,
    /// How the losses of the elements become one.
    pub reduction: Reduction,
}

impl Default for SmoothL1Options {
    fn default() -> Self {
        SmoothL1Options {
            beta: 1.0,
            reduction: Reduction::Mean,
        }
    }
}

/// The mean over all elements of `d²/2` where `d = |input − target|` is at most 1, else `d − 1/2`. PyTorch's
/// `smooth_l1_loss`.
///
/// # Errors
/// When the shapes or types differ.
pub fn smooth_l1(input: &Tensor, target: &Tensor) -> Result<Tensor> {
    smooth_l1_with(input, target, &SmoothL1Options::default())
}

/// As [`smooth_l1`], with another turning point: `d²/(2 beta)` where `d ≤ beta`, else `d − beta/2`.
///
/// # Errors
/// As [`smooth_l1`], and [`Error::InvalidSetting`] for a negative `beta`.
pub fn smooth_l1_with(input: &Tensor, target: &Tensor, options: &SmoothL1Options) -> Result<Tensor> {
    check_same_shape("smooth_l1", input, target)?;
    let beta = options.beta;
    if beta.is_nan() || beta < 0.0 {
        let (value, rule) = (beta.to_string(), "it must be at least 0");
        return Err(Error::InvalidSetting {
            owner: "smooth_l1",
            setting: "beta",
            value,
            rule,
        });
    }
    if beta == 0.0 {
        return mae_with(input, target, options.reduction);
    }
    reduce(
        elementwise(input, target, beta)?.mul_scalar(1.0 / beta)?,
        options.reduction,
    )
}
