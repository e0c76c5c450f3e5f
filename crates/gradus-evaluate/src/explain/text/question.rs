//! The log-probability of an answer as a function of the vectors of a prompt's tokens.

use gradus_nn::families::transformer::{TextInput, Transformer};
use gradus_tensor::{DType, Tensor, no_grad};

use super::row_of_ids;
use crate::Result;
use crate::explain::Explained;
use crate::input_gradient::Frozen;

/// Tokens that go through the model at once: enough to fill its products.
const BATCH_TOKENS: usize = 1024;

/// What a model is asked.
pub(super) struct Question<'a> {
    model: &'a Transformer,
    prompt: Vec<u32>,
    answer: Vec<u32>,
}

impl<'a> Question<'a> {
    /// About an answer, or about what the model finds most probable where none is given.
    pub(super) fn new(model: &'a Transformer, prompt: &[u32], answer: &[u32]) -> Result<Question<'a>> {
        let answer = match answer {
            [] => vec![most_probable(model, prompt)?],
            given => given.to_vec(),
        };
        Ok(Question {
            model,
            prompt: prompt.to_vec(),
            answer,
        })
    }

    pub(super) fn model(&self) -> &Transformer {
        self.model
    }

    pub(super) fn answer(&self) -> &[u32] {
        &self.answer
    }

    /// Tokens of the prompt, and numbers in the vector of each.
    pub(super) fn shape(&self) -> (usize, usize) {
        (self.prompt.len(), self.model.config().hidden_size)
    }

    /// The vectors of the prompt, one after the other.
    pub(super) fn vectors(&self) -> Result<Vec<f32>> {
        let _no_grad = no_grad();
        Ok(self
            .model
            .token_vectors(&row_of_ids(&self.prompt)?)?
            .to_vec::<f32>()?)
    }

    /// The function that is explained: vectors `[batch, tokens, width]` to the answer's log-probability `[batch, 1]`.
    pub(super) fn explained(&'a self) -> Explained<'a> {
        let (tokens, width) = self.shape();
        let forward = |vectors: &Tensor| Ok(self.token_log_probabilities(vectors)?.sum([1], true)?);
        let batch = (BATCH_TOKENS / (tokens + self.answer.len())).max(1);
        Explained::new(vec![tokens, width], 1, forward)
            .with_batch_rows(batch)
            .with_frozen(Frozen::new(self.model))
    }

    /// The log-probability of each token of the answer.
    pub(super) fn log_probabilities(&self) -> Result<Vec<f64>> {
        let _no_grad = no_grad();
        let vectors = self.model.token_vectors(&row_of_ids(&self.prompt)?)?;
        let found = self.token_log_probabilities(&vectors)?.to_vec::<f32>()?;
        Ok(found.into_iter().map(f64::from).collect())
    }

    /// `[batch, answer]` of vectors `[batch, tokens, width]`.
    fn token_log_probabilities(&self, vectors: &Tensor) -> Result<Tensor> {
        let (batch, (tokens, width)) = (vectors.shape()[0], self.shape());
        let (answer, said) = (self.answer.len(), self.answer.len() - 1);
        let mut vectors = vectors.clone();
        if said > 0 {
            // What is said already is read by what is said next.
            let before = self
                .model
                .token_vectors(&row_of_ids(&self.answer[..said])?)?
                .detach();
            let before = before.broadcast_to([batch, said, width])?;
            vectors = Tensor::cat(&[vectors, before], 1)?;
        }
        let places = Tensor::zeros([batch, tokens + said], DType::I64);
        let hidden = self.model.hidden_states_of(&vectors, &TextInput::from(&places))?;
        let logits = self.model.logits(&hidden.narrow(1, tokens - 1, answer)?)?;
        let ids: Vec<i64> = self.answer.iter().map(|&id| i64::from(id)).collect();
        let ids = Tensor::from_vec(ids.repeat(batch), [batch, answer, 1])?;
        let chosen = logits.log_softmax(2)?.gather(2, &ids)?;
        Ok(chosen.reshape([batch, answer])?)
    }
}

fn most_probable(model: &Transformer, prompt: &[u32]) -> Result<u32> {
    let _no_grad = no_grad();
    let ids = row_of_ids(prompt)?;
    let hidden = model.hidden_states(&TextInput::from(&ids))?;
    let logits = model.logits(&hidden.narrow(1, prompt.len() - 1, 1)?)?;
    let best = logits.argmax(2)?.to_vec::<i64>()?[0];
    Ok(u32::try_from(best).unwrap_or(0))
}
