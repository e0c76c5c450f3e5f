//! More and less contrast.

use gradus_kernels::pool::parallel_chunks_mut;

use super::inputs::{Batch, Inputs};

/// Multiplies the distance of each pixel from the mean of its picture, over all channels, by `factor`.
pub(super) fn apply(inputs: &Inputs<'_>, batch: &Batch, factor: f64) -> Vec<f32> {
    let mut values = batch.values.clone();
    parallel_chunks_mut(&mut values, inputs.sample_len(), |_, sample| {
        let sum: f64 = sample.iter().map(|&value| f64::from(value)).sum();
        let mean = sum / sample.len() as f64;
        for value in sample {
            *value = inputs.clip((mean + factor * (f64::from(*value) - mean)) as f32);
        }
    });
    values
}
