//! An encoder made ready to turn texts into vectors.

use std::path::Path;

use gradus_data::text::Tokenizer;
use gradus_nn::families::transformer::{
    TextInput, Transformer, TransformerConfig, TransformerOptions, WeightType,
};
use gradus_tensor::{Tensor, no_grad};
use serde_json::Value;

use crate::text_parts::TextParts;
use crate::{Error, Result};

/// Texts that go through the model together; they are sorted by length first, so little of a batch is padding.
const BATCH: usize = 32;

/// Turns texts into vectors whose cosines say how alike the texts are, as the `sentence-transformers` library does.
///
/// How token vectors become one is read from the model's own files (`1_Pooling/config.json`, `modules.json`,
/// `sentence_bert_config.json`); without them, it is their mean, normalised to length 1.
pub struct TextEmbedder {
    model: Transformer,
    tokenizer: Tokenizer,
    pooling: Pooling,
    normalize: bool,
    /// Tokens that are read of a text.
    max_tokens: usize,
}

/// How the vectors of a text's tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// That of the first token.
    First,
    /// That of the last token.
    Last,
}

impl TextEmbedder {
    /// Opens the model at a path: a package, a Hugging Face folder or a GGUF file.
    ///
    /// # Errors
    /// Whatever is wrong with the files; [`Error::NoTokenizer`] for a model without one, [`Error::Pooling`] for a way of
    /// pooling that this build does not have.
    pub fn open(path: impl AsRef<Path>) -> Result<TextEmbedder> {
        TextEmbedder::from_parts(TextParts::open(path.as_ref())?)
    }

    /// The embedder of what a package or a file holds.
    ///
    /// # Errors
    /// As [`TextEmbedder::open`].
    pub fn from_parts(parts: TextParts) -> Result<TextEmbedder> {
        let config = TransformerConfig::from_huggingface(&parts.config)?;
        let tokenizer = parts.tokenizer()?;
        let json = |name: &str| -> Option<Value> { serde_json::from_slice(parts.files.get(name)?).ok() };
        let pooling = pooling(json("1_Pooling/config.json").as_ref(), config.causal)?;
        let normalize = json("modules.json").is_none_or(|modules| modules.to_string().contains("Normalize"));
        let limit =
            json("sentence_bert_config.json").and_then(|config| config.get("max_seq_length")?.as_u64());
        let max_tokens = limit
            .and_then(|limit| usize::try_from(limit).ok())
            .map_or(config.max_position_embeddings, |limit| {
                limit.min(config.max_position_embeddings)
            });
        let options = TransformerOptions::default();
        Ok(TextEmbedder {
            model: Transformer::from_file_tensors(&config, options, parts.tensors, WeightType::F32)?,
            tokenizer,
            pooling,
            normalize,
            max_tokens: max_tokens.max(2),
        })
    }

    /// Elements of a vector.
    pub fn width(&self) -> usize {
        self.model.config().hidden_size
    }

    /// A vector for each text, in order.
    ///
    /// # Errors
    /// [`Error::Text`] when the tokenizer fails, [`Error::Model`] for a tokenizer that is not the model's.
    pub fn embed<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<Vec<f32>>> {
        let _no_grad = no_grad();
        let tokens: Vec<Vec<u32>> = texts
            .iter()
            .map(|text| self.tokens(text.as_ref()))
            .collect::<Result<_>>()?;
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&index| tokens[index].len());
        let mut vectors = vec![Vec::new(); texts.len()];
        for batch in order.chunks(BATCH) {
            let rows: Vec<&[u32]> = batch.iter().map(|&index| tokens[index].as_slice()).collect();
            for (&index, vector) in batch.iter().zip(self.embed_batch(&rows)?) {
                vectors[index] = vector;
            }
        }
        Ok(vectors)
    }

    /// The tokens of a text, cut so that what the tokenizer puts at its end stays.
    fn tokens(&self, text: &str) -> Result<Vec<u32>> {
        let mut tokens = self.tokenizer.encode_with_special(text)?;
        if tokens.len() > self.max_tokens {
            let last = tokens[tokens.len() - 1];
            tokens.truncate(self.max_tokens);
            if self.tokenizer.is_special(last) {
                tokens[self.max_tokens - 1] = last;
            }
        }
        if tokens.is_empty() {
            let start = self
                .tokenizer
                .special()
                .bos
                .as_ref()
                .or(self.tokenizer.special().eos.as_ref());
            tokens.push(start.map_or(0, |token| token.id));
        }
        Ok(tokens)
    }

    fn embed_batch(&self, rows: &[&[u32]]) -> Result<Vec<Vec<f32>>> {
        let seq = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let mut ids = vec![0i64; rows.len() * seq];
        for (ids, row) in ids.chunks_exact_mut(seq.max(1)).zip(rows) {
            for (id, &token) in ids.iter_mut().zip(*row) {
                *id = i64::from(token);
            }
        }
        let ids = Tensor::from_vec(ids, [rows.len(), seq])?;
        let lengths: Vec<i64> = rows.iter().map(|row| row.len() as i64).collect();
        let lengths = Tensor::from_vec(lengths, [rows.len()])?;
        let hidden = self.model.hidden_states(&TextInput {
            key_lengths: Some(&lengths),
            ..TextInput::from(&ids)
        })?;
        let width = self.width();
        let values = hidden.as_slice::<f32>()?;
        let sequences = values.chunks_exact((seq * width).max(1)).zip(rows);
        Ok(sequences
            .map(|(states, row)| self.pool(&states[..row.len() * width]))
            .collect())
    }

    /// One vector of a text's `[tokens, width]`.
    fn pool(&self, states: &[f32]) -> Vec<f32> {
        let width = self.width();
        let mut vector = match self.pooling {
            Pooling::First => states[..width].to_vec(),
            Pooling::Last => states[states.len() - width..].to_vec(),
            Pooling::Mean => {
                let count = (states.len() / width) as f64;
                let column = |at: usize| {
                    states
                        .iter()
                        .skip(at)
                        .step_by(width)
                        .map(|&v| f64::from(v))
                        .sum::<f64>()
                };
                (0..width).map(|at| (column(at) / count) as f32).collect()
            }
        };
        if self.normalize {
            let norm = vector.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
            // As PyTorch's `normalize`, which keeps a vector of zeros.
            let scale = 1.0 / norm.max(1e-12);
            vector
                .iter_mut()
                .for_each(|v| *v = (f64::from(*v) * scale) as f32);
        }
        vector
    }
}

/// What a pooling module's config says; for a model without one, the mean of an encoder and the last of a decoder.
fn pooling(config: Option<&Value>, causal: bool) -> Result<Pooling> {
    let Some(config) = config else {
        return Ok(if causal { Pooling::Last } else { Pooling::Mean });
    };
    let known = [
        ("pooling_mode_mean_tokens", Pooling::Mean),
        ("pooling_mode_cls_token", Pooling::First),
        ("pooling_mode_lasttoken", Pooling::Last),
    ];
    let on: Vec<&str> = config
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, value)| key.starts_with("pooling_mode_") && value.as_bool() == Some(true))
        .map(|(key, _)| key.as_str())
        .collect();
    match on.as_slice() {
        [only] => known
            .iter()
            .find(|(key, _)| key == only)
            .map(|(_, pooling)| *pooling),
        _ => None,
    }
    .ok_or_else(|| Error::Pooling {
        found: on.join(" and "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooling_is_what_the_file_says() {
        let config = |key: &str| serde_json::json!({"word_embedding_dimension": 8, key: true, "pooling_mode_max_tokens": false});
        assert_eq!(pooling(None, false).unwrap(), Pooling::Mean);
        assert_eq!(
            pooling(Some(&config("pooling_mode_cls_token")), false).unwrap(),
            Pooling::First
        );
        assert_eq!(
            pooling(Some(&config("pooling_mode_lasttoken")), false).unwrap(),
            Pooling::Last
        );
        let unknown = config("pooling_mode_weightedmean_tokens");
        let error = pooling(Some(&unknown), false).unwrap_err().to_string();
        assert!(error.contains("weightedmean"), "{error}");
    }
}
