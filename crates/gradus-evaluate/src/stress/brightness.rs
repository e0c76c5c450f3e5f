//! Brighter and darker pictures.

use gradus_kernels::pool::parallel_chunks_mut;

use super::inputs::{Batch, Inputs};

/// Adds `offset`, in units of each value's spread, to all of a sample.
pub(super) fn apply(inputs: &Inputs<'_>, batch: &Batch, offset: f64) -> Vec<f32> {
    let mut values = batch.values.clone();
    parallel_chunks_mut(&mut values, inputs.sample_len(), |_, sample| {
        for (value, &spread) in sample.iter_mut().zip(inputs.spread()) {
            *value = inputs.clip(*value + (offset * f64::from(spread)) as f32);
        }
    });
    values
}
