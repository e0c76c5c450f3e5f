//! Cross-entropy from logits.

use gradus_tensor::{CrossEntropyOptions, Tensor};

use crate::error::Result;

/// The mean over the batch of `−log softmax(logits)[target]`. `logits` are `[batch, classes]` or
/// `[batch, classes, ..]`, `targets` class indices `[batch]` or `[batch, ..]` of `I64`. PyTorch's `cross_entropy`.
///
/// # Errors
/// When the shapes or types do not fit, or a target is no class.
pub fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    cross_entropy_with(logits, targets, &CrossEntropyOptions::default())
}

/// As [`cross_entropy`], with class weights, label smoothing, an ignored index and a reduction.
///
/// # Errors
/// As [`cross_entropy`], and for a smoothing outside `0..=1`.
pub fn cross_entropy_with(
    logits: &Tensor,
    targets: &Tensor,
    options: &CrossEntropyOptions,
) -> Result<Tensor> {
    Ok(logits.cross_entropy(targets, options)?)
}
