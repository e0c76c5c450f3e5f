//! Mean absolute error.

use gradus_tensor::{Reduction, Tensor};

use super::{check_same_shape, reduce};
use crate::error::Result;

/// The mean of `|input − target|` over all elements, of any one shape; its gradient where they are equal is 0.
/// PyTorch's `l1_loss`.
///
/// # Errors
/// When the shapes or types differ.
pub fn mae(input: &Tensor, target: &Tensor) -> Result<Tensor> {
    mae_with(input, target, Reduction::Mean)
}

/// As [`mae`], with another reduction.
///
/// # Errors
/// As [`mae`].
pub fn mae_with(input: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    check_same_shape("mae", input, target)?;
    reduce(input.sub(target)?.abs()?, reduction)
}
