//! The direction in which a sample's loss grows.

use gradus_tensor::{CrossEntropyOptions, Reduction, Tensor};

use super::inputs::Inputs;
use crate::Result;
use crate::input_gradient::input_gradient;

/// The gradient of each sample's cross-entropy with respect to its raw values, `[samples, sample_len]`. Losses are summed, so
/// that samples of a batch do not weaken each other's gradients.
pub(super) fn loss_gradient(inputs: &Inputs<'_>, values: &[f32], labels: &[i64]) -> Result<Vec<f32>> {
    let targets = Tensor::from_slice(labels, [labels.len()])?;
    let options = CrossEntropyOptions {
        reduction: Reduction::Sum,
        ..CrossEntropyOptions::default()
    };
    let gradient = input_gradient(inputs.predictor(), &inputs.prepare(values), |logits| {
        Ok(logits.cross_entropy(&targets, &options)?)
    })?;
    let mut gradient = gradient.to_vec::<f32>()?;
    inputs.unprepare_gradient(&mut gradient);
    Ok(gradient)
}

/// -1, 0 or 1; 0 for NaN too, which no step can follow.
pub(super) fn sign(gradient: f32) -> f32 {
    f32::from(i8::from(gradient > 0.0) - i8::from(gradient < 0.0))
}

/// Samples whose gradient is zero throughout.
pub(super) fn count_flat(gradient: &[f32], sample_len: usize) -> u64 {
    let samples = gradient.chunks_exact(sample_len);
    samples
        .filter(|sample| sample.iter().all(|&value| sign(value) == 0.0))
        .count() as u64
}
