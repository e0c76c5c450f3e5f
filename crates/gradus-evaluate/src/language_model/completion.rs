//! Continuing a prompt, with text as it comes.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use gradus_data::text::{StopMatcher, StreamDecoder};
use gradus_nn::generation::{GenerateOptions, SamplingOptions, Session, StopReason, Token};

use super::LanguageModel;
use crate::Result;

/// How a prompt is continued.
#[derive(Clone, Debug, PartialEq)]
pub struct CompletionOptions {
    /// The most tokens that are generated; 256 by default.
    pub max_tokens: usize,
    /// Texts that end the answer and are not part of it.
    pub stop: Vec<String>,
    /// Whether the model's own end of text is passed over; `false` by default.
    pub ignore_end: bool,
    /// How tokens are chosen.
    pub sampling: SamplingOptions,
}

impl Default for CompletionOptions {
    fn default() -> Self {
        CompletionOptions {
            max_tokens: 256,
            stop: Vec::new(),
            ignore_end: false,
            sampling: SamplingOptions::default(),
        }
    }
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CompletionStop {
    /// The model ended it.
    EndOfText,
    /// One of the stop texts came.
    StopText,
    /// `max_tokens` were generated.
    MaxTokens,
    /// The context is full.
    ContextFull,
    /// Whoever received the text had enough.
    Cancelled,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Completion {
    /// Its text.
    pub text: String,
    /// Its tokens.
    pub tokens: Vec<Token>,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Why it ended.
    pub stop: CompletionStop,
    /// Time to read the prompt.
    pub prefill: Duration,
    /// Time for all tokens after the first.
    pub decode: Duration,
}

impl LanguageModel {
    /// Continues a prompt. `on_text` receives whole characters as they come and may end the answer.
    ///
    /// # Errors
    /// [`Error::Model`](crate::Error::Model) for a prompt that is empty or too long, [`Error::Text`](crate::Error::Text)
    /// when the tokenizer fails.
    pub fn complete(
        &self,
        session: &mut Session,
        prompt: &[u32],
        options: &CompletionOptions,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Completion> {
        let generate = GenerateOptions {
            max_tokens: options.max_tokens,
            stop_tokens: if options.ignore_end {
                Vec::new()
            } else {
                self.stop_tokens.clone()
            },
            sampling: options.sampling.clone(),
        };
        let start = Instant::now();
        let mut generation = session.generate(prompt, &generate)?;
        let prefill = start.elapsed();
        let mut decoder = StreamDecoder::new(&self.tokenizer);
        let mut stops = StopMatcher::new(options.stop.iter().cloned());
        let (mut text, mut tokens) = (String::new(), Vec::new());
        let mut give = |piece: String, text: &mut String| {
            text.push_str(&piece);
            if piece.is_empty() {
                ControlFlow::Continue(())
            } else {
                on_text(&piece)
            }
        };
        let start = Instant::now();
        let ended = loop {
            let Some(token) = generation.next().transpose()? else {
                break None;
            };
            tokens.push(token);
            let shown = stops.push(&decoder.push(token.id)?);
            if give(shown, &mut text).is_break() {
                break Some(CompletionStop::Cancelled);
            }
            if stops.stopped().is_some() {
                break Some(CompletionStop::StopText);
            }
        };
        let decode = start.elapsed();
        let stop = ended.unwrap_or(match generation.stopped() {
            Some(StopReason::StopToken) => CompletionStop::EndOfText,
            Some(StopReason::ContextFull) => CompletionStop::ContextFull,
            Some(StopReason::MaxTokens) | None => CompletionStop::MaxTokens,
        });
        if ended.is_none() {
            let mut rest = stops.push(&decoder.finish()?);
            rest.push_str(&stops.finish());
            // The answer is over either way.
            let _ = give(rest, &mut text);
        }
        Ok(Completion {
            text,
            tokens,
            prompt_tokens: prompt.len(),
            stop,
            prefill,
            decode,
        })
    }
}
