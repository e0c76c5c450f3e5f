//! The fast gradient sign method: one step along the sign of the gradient (Goodfellow, Shlens and Szegedy, 2015).

use super::disturb::Disturbed;
use super::inputs::{Batch, Inputs};
use super::loss_gradient::{count_flat, loss_gradient, sign};
use crate::Result;

/// Moves each value by `epsilon`, in units of its spread, to where the loss of the true class grows.
pub(super) fn attack(inputs: &Inputs<'_>, batch: &Batch, epsilon: f64) -> Result<Disturbed> {
    let gradient = loss_gradient(inputs, &batch.values, &inputs.labels(batch))?;
    let spread = inputs.spread().iter().cycle();
    let moved = batch.values.iter().zip(&gradient).zip(spread);
    let values = moved
        .map(|((&value, &gradient), &spread)| inputs.clip(value + epsilon as f32 * spread * sign(gradient)))
        .collect();
    Ok(Disturbed {
        values,
        flat_gradients: count_flat(&gradient, inputs.sample_len()),
    })
}
