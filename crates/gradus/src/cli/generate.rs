//! `gradus generate`: a language model continues a prompt.

use std::io::Read;
use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::Context;
use gradus_evaluate::language_model::{Completion, CompletionStop, LanguageModel};
use serde::Serialize;

use super::generation_args::{MemoryArgs, SamplingArgs};
use super::{Global, output};

/// Continue a text with a language model: a package, a run, a Hugging Face folder or a GGUF file.
///
/// Example: gradus generate runs/gpt --prompt "It is a truth universally acknowledged" --max-tokens 100
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A package, a training run's folder, a Hugging Face folder, or a GGUF file.
    model: PathBuf,
    /// The text to continue; - reads it from standard input.
    #[arg(long, value_name = "TEXT", default_value = "")]
    prompt: String,
    /// Put the prompt as a user's message into the model's chat template.
    #[arg(long)]
    chat: bool,
    #[command(flatten)]
    sampling: SamplingArgs,
    #[command(flatten)]
    memory: MemoryArgs,
}

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    let model = LanguageModel::open(&args.model, args.memory.weights())?;
    let text = prompt_text(&args.prompt)?;
    let prompt = match args.chat {
        true => model.chat_prompt(&[gradus_data::text::ChatMessage::new("user", text.trim_end())])?,
        false => model.prompt(&text)?,
    };
    let mut session = model.session(args.memory.context(&model), args.memory.cache_type());
    let options = args.sampling.options();
    // Shown with the first piece of the answer: settings and length are checked before that.
    let mut shown = if args.chat { "" } else { text.as_str() };
    let mut failed = None;
    let completion = model.complete(&mut session, &prompt, &options, &mut |piece| {
        if global.json {
            return ControlFlow::Continue(());
        }
        let before = std::mem::take(&mut shown);
        match output::write(before.as_bytes()).and_then(|()| output::write(piece.as_bytes())) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    if global.json {
        return output::json(&JsonCompletion::new(&text, &prompt, &completion));
    }
    output::write(shown.as_bytes())?;
    output::write(b"\n")?;
    if matches!(completion.stop, CompletionStop::ContextFull) {
        output::say(format_args!(
            "stopped: the context of {} tokens is full",
            args.memory.context(&model)
        ));
    }
    output::say(format_args!("{}", speed(&completion)));
    Ok(())
}

/// The prompt, or what standard input holds.
fn prompt_text(prompt: &str) -> anyhow::Result<String> {
    /// Far above any model's context.
    const MOST: u64 = 64 << 20;
    if prompt != "-" {
        return Ok(prompt.to_owned());
    }
    let mut text = String::new();
    std::io::stdin()
        .take(MOST)
        .read_to_string(&mut text)
        .context("cannot read the prompt from standard input")?;
    Ok(text)
}

/// `12 prompt tokens at 350.1/s, 100 tokens at 81.2/s`.
pub(crate) fn speed(completion: &Completion) -> String {
    let Speeds { prefill, decode } = Speeds::of(completion);
    format!(
        "{} prompt tokens at {prefill:.1}/s, {} tokens at {decode:.1}/s",
        completion.prompt_tokens,
        completion.tokens.len(),
    )
}

/// Tokens a second.
struct Speeds {
    prefill: f64,
    decode: f64,
}

impl Speeds {
    fn of(completion: &Completion) -> Speeds {
        let after_first = completion.tokens.len().saturating_sub(1);
        Speeds {
            prefill: completion.prompt_tokens as f64 / completion.prefill.as_secs_f64(),
            decode: after_first as f64 / completion.decode.as_secs_f64(),
        }
    }
}

/// An answer, for programs.
#[derive(Serialize)]
struct JsonCompletion<'a> {
    prompt: &'a str,
    text: &'a str,
    stop: CompletionStop,
    prompt_tokens: &'a [u32],
    tokens: Vec<u32>,
    /// Natural logarithms of the probabilities that the model gave the tokens.
    log_probabilities: Vec<f32>,
    prefill_tokens_per_s: f64,
    decode_tokens_per_s: f64,
}

impl<'a> JsonCompletion<'a> {
    fn new(prompt: &'a str, prompt_tokens: &'a [u32], completion: &'a Completion) -> Self {
        let Speeds { prefill, decode } = Speeds::of(completion);
        JsonCompletion {
            prompt,
            text: &completion.text,
            stop: completion.stop,
            prompt_tokens,
            tokens: completion.tokens.iter().map(|token| token.id).collect(),
            log_probabilities: completion
                .tokens
                .iter()
                .map(|token| token.log_probability)
                .collect(),
            prefill_tokens_per_s: prefill,
            decode_tokens_per_s: decode,
        }
    }
}
