//! How well a model predicts a text.

use gradus_nn::families::transformer::TextInput;
use gradus_tensor::{Tensor, no_grad};

use super::LanguageModel;
use crate::{Error, Result};

/// How a text is cut for [`LanguageModel::perplexity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerplexityOptions {
    /// Tokens that are read at once, at least 4; 512 by default, and never more than the model's context.
    pub context: usize,
}

impl Default for PerplexityOptions {
    fn default() -> Self {
        PerplexityOptions { context: 512 }
    }
}

/// How well a model predicted a text.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Perplexity {
    /// `e` to the mean loss: among how many equally likely tokens the model chose, on average.
    pub perplexity: f64,
    /// Mean negative log-probability of a token, in nats.
    pub loss: f64,
    /// The same in bits per byte of text, which compares between tokenizers.
    pub bits_per_byte: f64,
    /// Tokens that were scored.
    pub tokens: usize,
    /// Bytes of text that they stand for.
    pub bytes: usize,
}

impl LanguageModel {
    /// Scores a text as llama.cpp's `llama-perplexity` does: in windows of `context` tokens that do not overlap, of which
    /// the second half counts, so that every token that counts has at least half a window before it. `progress` is told
    /// how many of how many windows are done.
    ///
    /// # Errors
    /// [`Error::Empty`] for a text shorter than one window, [`Error::Text`] when the tokenizer fails.
    pub fn perplexity(
        &self,
        text: &str,
        options: &PerplexityOptions,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Perplexity> {
        let tokens = self.tokenizer.encode_with_special(text)?;
        let context = options
            .context
            .min(self.model.config().max_position_embeddings)
            .max(4);
        let windows = tokens.len() / context;
        if windows == 0 {
            return Err(Error::Empty {
                what: "the text, less than one window of tokens,",
            });
        }
        // Where the tokenizer starts a text with a token of its own, every window starts with it.
        let first = tokens.first().copied().filter(|&id| {
            let bos = self.tokenizer.special().bos.as_ref();
            bos.is_some_and(|bos| bos.id == id)
                && !text.starts_with(&bos.map_or(String::new(), |b| b.text.clone()))
        });
        let (mut sum, mut count, mut bytes) = (0.0, 0, 0);
        for (index, window) in tokens.chunks_exact(context).enumerate() {
            let mut ids = window.to_vec();
            if let Some(first) = first {
                ids[0] = first;
            }
            let scored = context / 2;
            for loss in self.losses(&ids, scored)? {
                sum += f64::from(loss);
                count += 1;
            }
            bytes += self.tokenizer.decode_with_special(&window[scored + 1..])?.len();
            progress(index + 1, windows);
        }
        let loss = sum / count as f64;
        Ok(Perplexity {
            perplexity: loss.exp(),
            loss,
            bits_per_byte: sum / std::f64::consts::LN_2 / bytes.max(1) as f64,
            tokens: count,
            bytes,
        })
    }

    /// The negative log-probabilities, in nats, of the tokens after position `from`, each given all before it.
    ///
    /// # Errors
    /// [`Error::Model`] for tokens outside the vocabulary or more than the model's context.
    pub fn losses(&self, ids: &[u32], from: usize) -> Result<Vec<f32>> {
        /// Rows of logits that are held at once.
        const ROWS: usize = 128;
        let _no_grad = no_grad();
        let tensor: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
        let tensor = Tensor::from_slice(&tensor, [1, ids.len()])?;
        let hidden = self.model.hidden_states(&TextInput::from(&tensor))?;
        let mut losses = Vec::with_capacity(ids.len());
        let mut at = from;
        while at + 1 < ids.len() {
            let rows = ROWS.min(ids.len() - 1 - at);
            let logits = self.model.logits(&hidden.narrow(1, at, rows)?)?;
            let vocab = self.model.config().vocab_size;
            let log_probabilities = logits.reshape([rows, vocab])?.log_softmax(1)?;
            let values = log_probabilities.as_slice::<f32>()?;
            let next = &ids[at + 1..at + 1 + rows];
            losses.extend(
                values
                    .chunks_exact(vocab)
                    .zip(next)
                    .map(|(row, &id)| -row[id as usize]),
            );
            at += rows;
        }
        Ok(losses)
    }
}
