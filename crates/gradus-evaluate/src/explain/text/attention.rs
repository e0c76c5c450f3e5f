//! Where a language model looks: attention of the last place, and attention rolled out over the layers.

use gradus_nn::families::transformer::Transformer;

use super::row_of_ids;
use crate::Result;

/// What the last token's place attends to: the mean over all layers and heads. The shares sum to 1.
///
/// Causal models put what a head has no use for on the first token, whatever it is (an attention sink; Xiao and others 2023),
/// so its share says little.
///
/// # Errors
/// [`Error::Model`](crate::Error::Model) for tokens outside the vocabulary or more than the model's context.
pub fn mean_attention(model: &Transformer, tokens: &[u32]) -> Result<Vec<f32>> {
    let seq = tokens.len();
    let layers = model.attention_probabilities(&row_of_ids(tokens)?)?;
    let mut shares = vec![0.0f64; seq];
    for layer in &layers {
        let (heads, values) = (layer.shape()[1], layer.to_vec::<f32>()?);
        let weight = 1.0 / (heads * layers.len()) as f64;
        // The last row of each head's `[seq, seq]`.
        for row in values.chunks_exact(seq).skip(seq - 1).step_by(seq) {
            let places = shares.iter_mut().zip(row);
            places.for_each(|(share, &probability)| *share += weight * f64::from(probability));
        }
    }
    Ok(shares.into_iter().map(|share| share as f32).collect())
}

/// How much of each token reaches the last token's place through attention (Abnar and Zuidema 2020): each layer passes on
/// half of what stands at a place (its residual connection) and half of what its heads, on average, attend to. The shares
/// sum to 1.
///
/// Made for encoders. In a causal model every layer moves shares to earlier places and none to later ones, so with some dozen
/// layers all of it ends at the first token; [`mean_attention`] is of use there.
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
