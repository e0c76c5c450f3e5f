//! Mean squared error.

use gradus_tensor::{Reduction, Tensor};

use super::{check_same_shape, reduce};
use crate::error::Result;

/// The mean of `(input − target)²` over all elements, of any one shape. PyTorch's `mse_loss`.
///
/// # Errors
/// When the shapes or types differ.
pub fn mse(input: &Tensor, target: &Tensor) -> Result<Tensor> {
    mse_with(input, target, Reduction::Mean)
}

/// As [`mse`], with another reduction.
///
/// # Errors
/// As [`mse`].
pub fn mse_with(input: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    check_same_shape("mse", input, target)?;
    let difference = input.sub(target)?;
    reduce(difference.mul(&difference)?, reduction)
}
