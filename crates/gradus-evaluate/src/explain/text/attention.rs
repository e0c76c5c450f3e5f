//! Attention rollout: how attention mixes tokens over the layers.

use gradus_nn::families::transformer::Transformer;

use super::row_of_ids;
use crate::Result;

/// How much of each token reaches the last token's place through attention (Abnar and Zuidema 2020): each layer passes on
/// half of what stands at a place (its residual connection) and half of what its heads, on average, attend to. The shares
/// sum to 1.
///
/// # Errors
/// [`Error::Model`](crate::Error::Model) for tokens outside the vocabulary or more than the model's context.
pub fn attention_rollout(model: &Transformer, tokens: &[u32]) -> Result<Vec<f32>> {
    let seq = tokens.len();
    let layers = model.attention_probabilities(&row_of_ids(tokens)?)?;
    // From the last layer down: only the row of the last place is wanted.
    let mut shares = vec![0.0f64; seq];
    if let Some(last) = shares.last_mut() {
        *last = 1.0;
    }
    for layer in layers.iter().rev() {
        let (heads, values) = (layer.shape()[1], layer.to_vec::<f32>()?);
        let mut below: Vec<f64> = shares.iter().map(|share| 0.5 * share).collect();
        for (at, row) in values.chunks_exact(seq).enumerate() {
            let weight = 0.5 * shares[at % seq] / heads as f64;
            for (below, &probability) in below.iter_mut().zip(row) {
                *below += weight * f64::from(probability);
            }
        }
        shares = below;
    }
    Ok(shares.into_iter().map(|share| share as f32).collect())
}
