//! Gaussian noise.

use gradus_kernels::pool::parallel_chunks_mut;
use gradus_tensor::Rng;

use super::inputs::{Batch, Inputs};

/// Keeps its draws apart from those of other tests.
const STREAM: u64 = 1;

/// Adds `deviation` times a standard normal draw, in units of each value's spread.
pub(super) fn apply(inputs: &Inputs<'_>, batch: &Batch, deviation: f64, seed: u64) -> Vec<f32> {
    let mut values = batch.values.clone();
    parallel_chunks_mut(&mut values, inputs.sample_len(), |row, sample| {
        let mut rng = Rng::derive(seed, &[STREAM, batch.indices[row] as u64]);
        for (value, &spread) in sample.iter_mut().zip(inputs.spread()) {
            let moved = f64::from(*value) + deviation * rng.normal() * f64::from(spread);
            *value = inputs.clip(moved as f32);
        }
    });
    values
}
