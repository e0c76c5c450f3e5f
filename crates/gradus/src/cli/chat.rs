//! `gradus chat`: a conversation in the terminal.

use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use gradus_data::text::ChatMessage;
use gradus_evaluate::language_model::{CompletionStop, LanguageModel};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use super::generate::speed;
use super::generation_args::{MemoryArgs, SamplingArgs};
use super::{Global, output};

/// Talk with a language model. Ctrl-C ends an answer, Ctrl-D the conversation; /help lists commands.
///
/// Example: gradus chat SmolLM2-135M-Instruct.gguf --system "You are a helpful librarian."
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A package, a training run's folder, a Hugging Face folder, or a GGUF file.
    model: PathBuf,
    /// What the model is told before the conversation.
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    #[command(flatten)]
    sampling: SamplingArgs,
    #[command(flatten)]
    memory: MemoryArgs,
}

const HELP: &str = "\
/clear    forget the conversation
/undo     forget the last question and its answer
/retry    answer the last question again
/exit     leave (as Ctrl-D)
A line that ends with \\ goes on in the next one.";

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    if global.json {
        bail!("chat has no JSON: it is for people; `gradus generate --chat --json` answers a program");
    }
    let model = LanguageModel::open(&args.model, args.memory.weights())?;
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, stop.clone())
        .context("cannot listen for Ctrl-C")?;
    let mut conversation = Conversation::new(args, &model, stop)?;
    let mut lines = Lines::new()?;
    if std::io::stdin().is_terminal() {
        output::say(format_args!(
            "/help lists commands; Ctrl-C ends an answer, Ctrl-D the conversation"
        ));
    }
    while let Some(line) = lines.next()? {
        match line.trim() {
            "" => {}
            "/exit" | "/quit" => break,
            "/help" => output::say(format_args!("{HELP}")),
            "/clear" => conversation.clear(),
            "/undo" => drop(conversation.undo()),
            "/retry" => match conversation.undo() {
                Some(question) => conversation.ask(&question)?,
                None => output::say(format_args!("there is nothing to answer again")),
            },
            command if command.starts_with('/') => {
                output::say(format_args!("no such command: {command}\n{HELP}"))
            }
            question => conversation.ask(question)?,
        }
    }
    Ok(())
}

/// The messages so far, and the model's memory of them.
struct Conversation<'m> {
    model: &'m LanguageModel,
    session: gradus_nn::generation::Session<'m>,
    messages: Vec<ChatMessage>,
    options: gradus_evaluate::language_model::CompletionOptions,
    stop: Arc<AtomicBool>,
}

impl<'m> Conversation<'m> {
    fn new(args: &Args, model: &'m LanguageModel, stop: Arc<AtomicBool>) -> anyhow::Result<Self> {
        let system = args.system.iter().map(|text| ChatMessage::new("system", text));
        Ok(Conversation {
            session: model.session(args.memory.context(model), args.memory.cache_type()),
            model,
            messages: system.collect(),
            options: args.sampling.options(),
            stop,
        })
    }

    /// Forgets everything but what the model was told first.
    fn clear(&mut self) {
        self.messages.retain(|message| message.role() == "system");
    }

    /// Forgets the last question with its answer; the question.
    fn undo(&mut self) -> Option<String> {
        let last = self
            .messages
            .iter()
            .rposition(|message| message.role() == "user")?;
        let question = self.messages[last].content().to_owned();
        self.messages.truncate(last);
        Some(question)
    }

    fn ask(&mut self, question: &str) -> anyhow::Result<()> {
        self.messages.push(ChatMessage::new("user", question));
        let prompt = self.model.chat_prompt(&self.messages)?;
        if prompt.len() >= self.session.capacity() {
            self.undo();
            output::say(format_args!(
                "the conversation is longer than the context; /clear it, or start with a larger --context"
            ));
            return Ok(());
        }
        self.stop.store(false, Ordering::Relaxed);
        let stop = self.stop.clone();
        let mut failed = None;
        let completion = self
            .model
            .complete(&mut self.session, &prompt, &self.options, &mut |piece| {
                if let Err(error) = output::write(piece.as_bytes()) {
                    failed = Some(error);
                }
                match failed.is_some() || stop.load(Ordering::Relaxed) {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            })?;
        if let Some(error) = failed {
            return Err(error);
        }
        output::write(b"\n")?;
        if completion.stop == CompletionStop::ContextFull {
            output::say(format_args!(
                "the context is full; /clear it, or start with a larger --context"
            ));
        }
        if std::io::stderr().is_terminal() {
            output::say(format_args!("\x1b[2m{}\x1b[0m", speed(&completion)));
        }
        // The next question must not change the options' draws of this one.
        self.options.sampling.seed = self.options.sampling.seed.wrapping_add(1);
        self.messages.push(ChatMessage::new("assistant", completion.text));
        Ok(())
    }
}

/// Lines from a terminal, with editing and history, or from a pipe.
enum Lines {
    Editor(Box<DefaultEditor>),
    Pipe,
}

impl Lines {
    fn new() -> anyhow::Result<Lines> {
        if !std::io::stdin().is_terminal() {
            return Ok(Lines::Pipe);
        }
        let editor = DefaultEditor::new().context("cannot use the terminal")?;
        Ok(Lines::Editor(Box::new(editor)))
    }

    /// The next question, over as many lines as end with a backslash; `None` at the end.
    fn next(&mut self) -> anyhow::Result<Option<String>> {
        let mut question = String::new();
        loop {
            let Some(line) = self.line(if question.is_empty() { "> " } else { "… " })? else {
                return Ok((!question.is_empty()).then_some(question));
            };
            match line.strip_suffix('\\') {
                Some(part) => {
                    question.push_str(part);
                    question.push('\n');
                }
                None => {
                    question.push_str(&line);
                    return Ok(Some(question));
                }
            }
        }
    }

    fn line(&mut self, prompt: &str) -> anyhow::Result<Option<String>> {
        match self {
            Lines::Editor(editor) => match editor.readline(prompt) {
                Ok(line) => {
                    let _ = editor.add_history_entry(line.as_str());
                    Ok(Some(line))
                }
                Err(ReadlineError::Interrupted) => Ok(Some(String::new())),
                Err(ReadlineError::Eof) => Ok(None),
                Err(error) => Err(error).context("cannot read from the terminal"),
            },
            Lines::Pipe => {
                std::io::stdout().flush().ok();
                let mut line = String::new();
                let read = std::io::stdin()
                    .read_line(&mut line)
                    .context("cannot read standard input")?;
                Ok((read > 0).then(|| line.trim_end_matches(['\n', '\r']).to_owned()))
            }
        }
    }
}
