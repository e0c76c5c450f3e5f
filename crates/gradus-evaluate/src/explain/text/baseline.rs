//! What tokens give way to.

use gradus_tensor::{Tensor, no_grad};
use serde::{Deserialize, Serialize};

use super::question::Question;
use super::row_of_ids;
use crate::Result;

/// The vector that says nothing, which tokens' vectors are compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextBaseline {
    /// Zeros.
    #[default]
    Zero,
    /// The mean of the vocabulary's vectors.
    Mean,
    /// The vector of a token, such as the one that pads.
    Token(u32),
}

/// Tokens of the vocabulary that are looked up at once.
const LOOKED_UP: usize = 4096;

impl TextBaseline {
    /// Its name, as it is written in options.
    pub fn name(self) -> &'static str {
        match self {
            TextBaseline::Zero => "zero",
            TextBaseline::Mean => "mean",
            TextBaseline::Token(_) => "token",
        }
    }

    /// The baseline for so many tokens, one vector after the other.
    pub(super) fn rows(self, question: &Question, tokens: usize) -> Result<Vec<f32>> {
        let _no_grad = no_grad();
        let (_, width) = question.shape();
        let vector = match self {
            TextBaseline::Zero => vec![0.0; width],
            TextBaseline::Token(id) => question
                .model()
                .token_vectors(&row_of_ids(&[id])?)?
                .to_vec::<f32>()?,
            TextBaseline::Mean => mean(question, width)?,
        };
        Ok(vector.repeat(tokens))
    }
}

fn mean(question: &Question, width: usize) -> Result<Vec<f32>> {
    let vocabulary = question.model().config().vocab_size;
    let mut sums = vec![0.0f64; width];
    for start in (0..vocabulary).step_by(LOOKED_UP) {
        let ids: Vec<i64> = (start..vocabulary.min(start + LOOKED_UP))
            .map(|id| id as i64)
            .collect();
        let count = ids.len();
        let vectors = question
            .model()
            .token_vectors(&Tensor::from_vec(ids, [1, count])?)?;
        for vector in vectors.to_vec::<f32>()?.chunks_exact(width) {
            sums.iter_mut()
                .zip(vector)
                .for_each(|(sum, &value)| *sum += f64::from(value));
        }
    }
    Ok(sums
        .into_iter()
        .map(|sum| (sum / vocabulary as f64) as f32)
        .collect())
}
