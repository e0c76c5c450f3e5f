//! Huber's loss: squared near zero, absolute far away.

use gradus_tensor::{Reduction, Tensor};

use super::{check_same_shape, reduce};
use crate::error::{Error, Result};

/// How [`huber_with`] computes; the defaults are PyTorch's.
#[derive(Clone, Debug)]
pub struct HuberOptions {
    /// The distance at which the loss turns from squared to linear; above 0, 1 by default.
    pub delta: f64,
    /// How the losses of the elements become one.
    pub reduction: Reduction,
}

impl Default for HuberOptions {
    fn default() -> Self {
        HuberOptions {
            delta: 1.0,
            reduction: Reduction::Mean,
        }
    }
}

/// The mean over all elements of `d²/2` where `d = |input − target|` is at most 1, else `d − 1/2` (Huber, 1964).
/// PyTorch's `huber_loss`.
///
/// # Errors
/// When the shapes or types differ.
pub fn huber(input: &Tensor, target: &Tensor) -> Result<Tensor> {
    huber_with(input, target, &HuberOptions::default())
}

/// As [`huber`], with another turning point: `d²/2` where `d ≤ delta`, else `delta · (d − delta/2)`.
///
/// # Errors
/// As [`huber`], and [`Error::InvalidSetting`] for a `delta` that is not above 0.
pub fn huber_with(input: &Tensor, target: &Tensor, options: &HuberOptions) -> Result<Tensor> {
    check_same_shape("huber", input, target)?;
    if options.delta.is_nan() || options.delta <= 0.0 {
        let value = options.delta.to_string();
        return Err(Error::InvalidSetting {
            owner: "huber",
            setting: "delta",
            value,
            rule: "it must be above 0",
        });
    }
    reduce(elementwise(input, target, options.delta)?, options.reduction)
}

/// Both branches at once: with `q = min(d, delta)` the loss is `q · (d − q/2)`, and so is its derivative `q`.
pub(super) fn elementwise(input: &Tensor, target: &Tensor, delta: f64) -> Result<Tensor> {
    let distance = input.sub(target)?.abs()?;
    let near = distance.clamp(0.0, delta)?;
    Ok(near.mul(&distance.sub(&near.mul_scalar(0.5)?)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_delta_without_meaning() {
        let x = Tensor::scalar(1f32);
        for delta in [0.0, -1.0, f64::NAN] {
            let options = HuberOptions {
                delta,
                ..HuberOptions::default()
            };
            assert!(matches!(
                huber_with(&x, &x, &options),
                Err(Error::InvalidSetting { .. })
            ));
        }
    }
}
