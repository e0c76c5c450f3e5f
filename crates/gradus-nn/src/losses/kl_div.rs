//! The Kullback-Leibler divergence.

use gradus_tensor::{Reduction, Tensor};

use super::{check_same_shape, reduce};
use crate::error::Result;

/// How [`kl_div_with`] reads its target and reduces; the defaults are PyTorch's.
#[derive(Clone, Debug, Default)]
pub struct KlDivOptions {
    /// Whether the target holds log-probabilities, not probabilities.
    pub log_target: bool,
    /// How the terms become one.
    pub reduction: KlReduction,
}

/// How the terms of a divergence become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KlReduction {
    /// One term per element.
    None,
    /// Their mean over all elements: PyTorch's default, which is the divergence divided by the number of classes.
    #[default]
    Mean,
    /// Their sum over the classes and mean over the batch (the first axis): the divergence as it is defined.
    BatchMean,
    /// Their sum.
    Sum,
}

/// The mean over all elements of `target · (log target − input)`, for log-probabilities `input` and probabilities
/// `target` of one shape; terms with a target of 0 are 0. PyTorch's `kl_div`.
///
/// # Errors
/// When the shapes or types differ.
pub fn kl_div(input: &Tensor, target: &Tensor) -> Result<Tensor> {
    kl_div_with(input, target, &KlDivOptions::default())
}

/// As [`kl_div`], for targets in logarithms and other reductions.
///
/// # Errors
/// As [`kl_div`].
pub fn kl_div_with(input: &Tensor, target: &Tensor, options: &KlDivOptions) -> Result<Tensor> {
    check_same_shape("kl_div", input, target)?;
    let (probabilities, logarithms) = match options.log_target {
        true => (target.exp()?, target.clone()),
        // The smallest normal number stands for 0, whose logarithm is then finite and multiplied by 0.
        false => (
            target.clone(),
            target.clamp(f64::from(f32::MIN_POSITIVE), f64::INFINITY)?.log()?,
        ),
    };
    let terms = probabilities.mul(&logarithms.sub(input)?)?;
    match options.reduction {
        KlReduction::None => Ok(terms),
        KlReduction::Mean => reduce(terms, Reduction::Mean),
        KlReduction::Sum => reduce(terms, Reduction::Sum),
        KlReduction::BatchMean => {
            let batch = input.shape().first().copied().unwrap_or(1);
            Ok(reduce(terms, Reduction::Sum)?.mul_scalar(1.0 / batch as f64)?)
        }
    }
}
