//! Answers that the model writes, compared with the right ones.

use std::ops::ControlFlow;

use super::examinee::Examinee;
use super::sample::GenerationSample;
use crate::Result;
use crate::language_model::CompletionOptions;
use crate::metrics::text::{
    ChrfOptions, Rouge, Stemming, exact_match, rouge_of_best, sentence_bleu, sentence_chrf, token_f1,
};

impl Examinee<'_> {
    /// Writes greedily what follows the context.
    pub(super) fn write(
        &mut self,
        context: &str,
        targets: &[String],
        stop: Vec<String>,
        max_tokens: usize,
    ) -> Result<GenerationSample> {
        let capacity = self.session.capacity();
        let max_tokens = max_tokens.min(capacity.saturating_sub(1)).max(1);
        let mut prompt = self.start.clone();
        prompt.extend(self.model.tokenizer().encode(context)?);
        if prompt.is_empty() {
            prompt = self.model.prompt("")?;
        }
        // A context that leaves no room for the answer loses its beginning.
        let cut = prompt.len().saturating_sub(capacity - max_tokens);
        prompt.drain(..cut);
        let options = CompletionOptions {
            max_tokens,
            stop,
            ..CompletionOptions::default()
        };
        let completion = self
            .model
            .complete(&mut self.session, &prompt, &options, &mut |_| {
                ControlFlow::Continue(())
            })?;
        let text = completion.text.trim().to_owned();
        let rouge =
            |variant| Ok::<_, crate::Error>(rouge_of_best(variant, &text, targets, Stemming::Off)?.f_measure);
        Ok(GenerationSample {
            target: targets.to_vec(),
            arguments: [context.to_owned()],
            exact_match: targets.iter().any(|target| exact_match(&text, target)),
            f1: targets
                .iter()
                .map(|target| token_f1(&text, target))
                .fold(0.0, f64::max),
            bleu: sentence_bleu(&text, targets)?.score,
            rouge1: rouge(Rouge::Rouge1)?,
            rouge2: rouge(Rouge::Rouge2)?,
            rouge_l: rouge(Rouge::RougeL)?,
            chrf: sentence_chrf(&text, targets, &ChrfOptions::default())?,
            stop: completion.stop,
            filtered_resps: [text],
        })
    }
}
