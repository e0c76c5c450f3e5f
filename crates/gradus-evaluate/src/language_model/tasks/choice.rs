//! Multiple choice: which continuation the model finds likeliest.

use gradus_nn::generation::Continuation;

use super::examinee::{Examinee, joined};
use super::sample::{ChoiceSample, Likelihood};
use crate::{Error, Result};

impl Examinee<'_> {
    pub(super) fn choose(
        &mut self,
        context: &str,
        choices: &[String],
        gold: &[usize],
    ) -> Result<ChoiceSample> {
        let capacity = self.session.capacity();
        let mut texts = Vec::with_capacity(choices.len());
        for choice in choices {
            let continuation = joined(context, choice, &self.options.delimiter);
            let (mut tokens, mut from) = self.encode_pair(context, &continuation)?;
            // The last token is only ever predicted.
            let cut = tokens.len().saturating_sub(capacity + 1);
            if cut >= from {
                return Err(Error::TaskTooLong {
                    tokens: tokens.len() - from,
                    limit: capacity,
                });
            }
            tokens.drain(..cut);
            from -= cut;
            texts.push((continuation, tokens, from));
        }
        let continuations: Vec<Continuation> = texts
            .iter()
            .map(|(_, tokens, from)| Continuation { tokens, from: *from })
            .collect();
        let scores = self.session.score(&continuations)?;
        let likelihoods: Vec<Likelihood> = scores
            .continuations
            .iter()
            .map(|scores| Likelihood::of(scores))
            .collect();
        let lengths = |length: fn(&str) -> usize| choices.iter().map(move |choice| length(choice) as f64);
        let logarithms = || likelihoods.iter().map(|likelihood| likelihood.log_likelihood);
        let best = |values: &mut dyn Iterator<Item = f64>| best(values);
        let plain = best(&mut logarithms());
        let by_characters = best(
            &mut logarithms()
                .zip(lengths(|text| text.chars().count()))
                .map(|(sum, length)| sum / length),
        );
        let by_bytes = best(
            &mut logarithms()
                .zip(lengths(str::len))
                .map(|(sum, length)| sum / length),
        );
        let by_tokens = best(
            &mut likelihoods
                .iter()
                .map(|likelihood| likelihood.log_likelihood / likelihood.tokens as f64),
        );
        let tokens_given: usize = texts.iter().map(|(_, tokens, _)| tokens.len() - 1).sum();
        Ok(ChoiceSample {
            target: gold.to_vec(),
            chosen: plain,
            acc: gold.contains(&plain),
            acc_norm: gold.contains(&by_characters),
            acc_bytes: gold.contains(&by_bytes),
            acc_token: gold.contains(&by_tokens),
            arguments: texts
                .into_iter()
                .map(|(continuation, ..)| [context.to_owned(), continuation])
                .collect(),
            filtered_resps: likelihoods,
            tokens_read: scores.tokens_read,
            tokens_given,
        })
    }
}

/// The place of the largest value, the first of equals.
fn best(values: &mut dyn Iterator<Item = f64>) -> usize {
    let (mut place, mut most) = (0, f64::NEG_INFINITY);
    for (at, value) in values.enumerate() {
        if value > most {
            (place, most) = (at, value);
        }
    }
    place
}
