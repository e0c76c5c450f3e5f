//! Chat templates: Jinja programs that come with a model and write a conversation the way it was taught to read one.
//!
//! They are written for Python's Jinja as `transformers` sets it up, so that is what they get: its whitespace rules,
//! its `tojson`, `raise_exception` and `strftime_now`, Python's methods of strings and dictionaries, and loop controls.
//! They come from strangers: the work of a rendering is bounded, and there is nothing to reach from inside. One hole is
//! the engine's: a template that adds a list to itself more than 32 times makes it hold the list, however long.

mod clock;
mod generation;
mod message;
mod python_json;
mod python_methods;

use std::fmt;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};

use crate::limits::MAX_TEMPLATE_BYTES;
use crate::text::error::{Result, TextError};
use crate::text::tokenizer::SpecialTokens;

pub use message::{ChatExtra, ChatMessage};

/// The name under which the one template is registered.
const NAME: &str = "chat_template";

/// Instructions, or 64 bytes of output each, that one rendering may use: enough for conversations of a thousand messages
/// or ten megabytes, and no more than a second or 32 MB of a template that means harm.
const FUEL: u64 = 500_000;

/// OpenAI's ChatML, for models that say nothing else.
const CHATML: &str = "{% for message in messages %}\
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}\
{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// Whether the rendered text ends with what opens the model's own turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenerationPrompt {
    /// It does: the model is to answer next.
    Add,
    /// It ends with the last message.
    Omit,
}

/// A parsed chat template, cheap to clone.
#[derive(Clone)]
pub struct ChatTemplate {
    environment: Arc<Environment<'static>>,
    source: Arc<str>,
    special: Arc<Vec<(&'static str, String)>>,
}

impl ChatTemplate {
    /// Parses a template. `special` is what it knows as `bos_token`, `eos_token`, `pad_token` and `unk_token`.
    ///
    /// # Errors
    /// [`TextError::Template`] when it is no template, [`TextError::TemplateTooLarge`].
    pub fn new(source: &str, special: &SpecialTokens) -> Result<ChatTemplate> {
        if source.len() > MAX_TEMPLATE_BYTES {
            return Err(TextError::TemplateTooLarge {
                bytes: source.len(),
                limit: MAX_TEMPLATE_BYTES,
            });
        }
        let environment = environment(source).map_err(|source| TextError::Template { source })?;
        Ok(ChatTemplate {
            environment: Arc::new(environment),
            source: source.into(),
            special: Arc::new(special.named()),
        })
    }

    /// ChatML (`<|im_start|>role`, a line break, the content, `<|im_end|>`, a line break), for models without a
    /// template.
    pub fn chatml() -> ChatTemplate {
        ChatTemplate::new(CHATML, &SpecialTokens::default()).expect("the built-in template parses")
    }

    /// The template as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Writes a conversation. The text holds the model's special tokens, its first token included: encode it with
    /// [`Tokenizer::encode`](crate::text::Tokenizer::encode), which adds none.
    ///
    /// Gives what `transformers.PreTrainedTokenizer.apply_chat_template(…, tokenize=False)` gives, except that
    /// `strftime_now` tells the time in UTC.
    ///
    /// # Errors
    /// [`TextError::TemplateRefused`] when the template does not allow the conversation (two turns of one role, say),
    /// [`TextError::Render`] when it fails or takes too long.
    pub fn render(
        &self,
        messages: &[ChatMessage],
        prompt: GenerationPrompt,
        extra: &ChatExtra,
    ) -> Result<String> {
        let messages: Value = messages.iter().map(ChatMessage::value).collect();
        let standard = [
            ("messages", messages),
            (
                "add_generation_prompt",
                Value::from(prompt == GenerationPrompt::Add),
            ),
            ("tools", Value::from(())),
            ("documents", Value::from(())),
        ];
        let special = self
            .special
            .iter()
            .map(|(name, token)| (*name, Value::from(token)));
        let context = Value::from_pairs(special.chain(standard).chain(extra.values()));
        self.environment
            .get_template(NAME)
            .and_then(|template| template.render(context))
            .map_err(render_error)
    }
}

impl fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatTemplate")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// As `transformers` sets Jinja up: `trim_blocks`, `lstrip_blocks`, loop controls and three functions.
fn environment(source: &str) -> std::result::Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment.set_fuel(Some(FUEL));
    environment.set_unknown_method_callback(python_methods::call);
    environment.add_filter("tojson", python_json::to_json);
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("strftime_now", clock::strftime_now);
    environment.add_template_owned(NAME, generation::without_tracking(source))?;
    Ok(environment)
}

/// What a template said when it refused.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refusal(String);

fn raise_exception(message: String) -> std::result::Result<Value, minijinja::Error> {
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, "raise_exception").with_source(Refusal(message)))
}

fn render_error(error: minijinja::Error) -> TextError {
    let mut cause = std::error::Error::source(&error);
    while let Some(current) = cause {
        if let Some(Refusal(message)) = current.downcast_ref() {
            return TextError::TemplateRefused {
                message: message.clone(),
            };
        }
        cause = current.source();
    }
    TextError::Render { source: error }
}
