//! Binary cross-entropy from logits.

use gradus_tensor::{Reduction, Tensor};

use super::{check_same_shape, reduce};
use crate::error::Result;

/// How [`bce_with_logits_with`] weighs and reduces; the defaults are PyTorch's.
#[derive(Clone, Debug)]
pub struct BceOptions {
    /// A factor on each element's loss, of a shape that broadcasts to the logits'.
    pub weight: Option<Tensor>,
    /// A factor on the part of the loss that the positive class causes, of a shape that broadcasts to the logits'.
    pub pos_weight: Option<Tensor>,
    /// How the losses of the elements become one.
    pub reduction: Reduction,
}

impl Default for BceOptions {
    fn default() -> Self {
        BceOptions {
            weight: None,
            pos_weight: None,
            reduction: Reduction::Mean,
        }
    }
}

/// The mean over all elements of `−t log σ(x) − (1 − t) log(1 − σ(x))` for logits `x` and targets `t` in `0..=1`, of
/// one shape and type. Exact for logits of any size. PyTorch's `binary_cross_entropy_with_logits`.
///
/// # Errors
/// When the shapes or types differ.
pub fn bce_with_logits(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    bce_with_logits_with(logits, targets, &BceOptions::default())
}

/// As [`bce_with_logits`], with weights and a reduction.
///
/// # Errors
/// As [`bce_with_logits`], and when a weight does not broadcast.
pub fn bce_with_logits_with(logits: &Tensor, targets: &Tensor, options: &BceOptions) -> Result<Tensor> {
    check_same_shape("bce_with_logits", logits, targets)?;
    // −log σ(x), the loss of a positive; that of a negative is larger by x.
    let positive = softplus(&logits.neg()?)?;
    let positive = match &options.pos_weight {
        Some(pos_weight) => {
            let extra = targets.mul(&pos_weight.add_scalar(-1.0)?)?;
            positive.mul(&extra.add_scalar(1.0)?)?
        }
        None => positive,
    };
    let losses = positive.add(&targets.affine(-1.0, 1.0)?.mul(logits)?)?;
    let losses = match &options.weight {
        Some(weight) => losses.mul(weight)?,
        None => losses,
    };
    reduce(losses, options.reduction)
}

/// `log(1 + eˣ)` without overflow. The positive part is written `(x + |x|)/2`, not as a ReLU: its gradient at 0 is
/// then 1/2, as it should be.
fn softplus(x: &Tensor) -> Result<Tensor> {
    let magnitude = x.abs()?;
    let positive_part = x.add(&magnitude)?.mul_scalar(0.5)?;
    let correction = magnitude.neg()?.exp()?.add_scalar(1.0)?.log()?;
    Ok(positive_part.add(&correction)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_at_zero_is_half_a_step_from_the_target() {
        let logits = Tensor::from_vec(vec![0f32, 0.0], [2])
            .unwrap()
            .with_grad()
            .unwrap();
        let targets = Tensor::from_vec(vec![1f32, 0.0], [2]).unwrap();
        let options = BceOptions {
            reduction: Reduction::Sum,
            ..BceOptions::default()
        };
        bce_with_logits_with(&logits, &targets, &options)
            .unwrap()
            .backward()
            .unwrap();
        assert_eq!(logits.grad().unwrap().to_vec::<f32>().unwrap(), [-0.5, 0.5]);
    }

    #[test]
    fn a_column_against_a_row_is_an_error() {
        let (column, row) = (
            Tensor::scalar(1f32).reshape([1, 1]).unwrap(),
            Tensor::scalar(1f32),
        );
        assert!(bce_with_logits(&column, &row).is_err());
    }
}
