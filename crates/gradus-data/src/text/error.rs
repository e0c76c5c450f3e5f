//! What can go wrong with text, with the place it went wrong at.

use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};

/// The result of this module's functions.
pub type Result<T, E = TextError> = std::result::Result<T, E>;

/// Why text could not be tokenised, stored, read back or rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    // Files.
    /// The system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: `read`, `write`, …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file past its limit.
    #[error("{} is {bytes} bytes long, the limit is {limit}", path.display())]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A file that is not JSON, or not the JSON that was expected.
    #[error("{origin} is not the JSON that was expected")]
    Json {
        /// The file, or what else it is called.
        origin: String,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// A file that is not UTF-8.
    #[error("{origin} is not UTF-8 text")]
    NotUtf8 {
        /// The file, or what else it is called.
        origin: String,
    },

    /// Paths without text behind them.
    #[error(
        "there is no text at {}; a folder is searched for .txt, .md, .jsonl and .parquet files",
        paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    NoFiles {
        /// The paths.
        paths: Vec<PathBuf>,
    },
    /// Bytes in a text file that are no UTF-8.
    #[error(
        "{}: the bytes at {offset} are not UTF-8 text; convert the file (for example with `iconv -f latin1 -t utf8`)",
        path.display()
    )]
    NotUtf8At {
        /// The file.
        path: PathBuf,
        /// Bytes before them.
        offset: u64,
    },
    /// A line past the limit.
    #[error("{}, line {line}: longer than {limit} bytes", path.display())]
    LineTooLong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Bytes allowed.
        limit: usize,
    },
    /// A line that is not the JSON that was expected.
    #[error("{}, line {line}: not the JSON that was expected", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// A line without the field that holds the text.
    #[error("{}, line {line}: no field `{field}`; name the one that holds the text as `column`", path.display())]
    NoField {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The field.
        field: String,
    },
    /// A table could not be read.
    #[error(transparent)]
    Table(Box<crate::error::Error>),

    // Tokenizers.
    /// A `tokenizer.json` that the library refuses.
    #[error("{origin} is not a usable tokenizer; it is damaged or of a kind that is not supported")]
    Tokenizer {
        /// The file, or what else it is called.
        origin: String,
        /// What the library said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The library broke on a tokenizer or on a text.
    #[error("{action} stopped with \"{reason}\"; the tokenizer is damaged")]
    TokenizerPanic {
        /// What was done: `reading the tokenizer`, …
        action: &'static str,
        /// What it stopped with.
        reason: String,
    },
    /// A text that the tokenizer cannot encode.
    #[error("the tokenizer cannot encode the text")]
    Encode {
        /// What the library said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Ids that the tokenizer cannot decode.
    #[error("the tokenizer cannot decode the ids")]
    Decode {
        /// What the library said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A tokenizer without a token that is needed.
    #[error("the tokenizer has no {role} token; name one as `{role}_token` in tokenizer_config.json")]
    NoSpecialToken {
        /// What it is for: `bos`, `eos`, …
        role: &'static str,
    },
    /// A special token that the vocabulary lacks.
    #[error("`{role}_token` is `{token}`, which is not in the tokenizer's vocabulary")]
    UnknownSpecialToken {
        /// What it is for: `bos`, `eos`, …
        role: &'static str,
        /// How it is spelled.
        token: String,
    },
    /// An option of a tokenizer's training is out of its range.
    #[error("`{field}` must be {expected}, not {found}")]
    TrainOption {
        /// The option.
        field: &'static str,
        /// Its range.
        expected: String,
        /// Its value.
        found: String,
    },
    /// Nothing to train a tokenizer on.
    #[error("there is no text to make a tokenizer of")]
    NoText,
    /// A tokenizer could not be trained.
    #[error("the tokenizer could not be trained")]
    Train {
        /// What the library said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },

    // Tokens on disk.
    /// A file of tokens that is not what it should be.
    #[error("{} is damaged: its {what} cannot be right; tokenise again", path.display())]
    Shard {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// Whoever watched the progress asked to stop.
    #[error("stopped; what is finished is kept, and the next run goes on from there")]
    Stopped,
    /// Too few tokens for a row.
    #[error(
        "no batch of {batch_size} rows of {seq_len} tokens (and the one after them) from {tokens} tokens"
    )]
    NoBatch {
        /// Rows of a batch.
        batch_size: usize,
        /// Tokens of a row.
        seq_len: usize,
        /// Tokens there are.
        tokens: u64,
    },

    // Instruction data.
    /// A line could not be used.
    #[error("{}, line {line}", path.display())]
    AtLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Why.
        #[source]
        source: Box<TextError>,
    },
    /// A line in none of the forms of instruction data.
    #[error(
        "an example needs `messages`, or `conversations`, or `prompt` and `completion`, or `instruction` and `output`"
    )]
    ExampleForm,
    /// A speaker of a conversation that is not known.
    #[error("`from` is \"{found}\"; known are human, user, gpt, assistant, model, system and tool")]
    Speaker {
        /// What came.
        found: String,
    },
    /// An example without anything to learn.
    #[error("the example has no answer (a message of the role `assistant`) to learn from")]
    NoAnswer,
    /// A chat template that does not show where the model's answer begins.
    #[error(
        "the chat template writes the conversation so that the answer cannot be told from it: what it writes before the \
         answer is not how it writes the whole"
    )]
    AnswerNotFound,
    /// A file without an example that can be used.
    #[error("{} has no example to learn from ({dropped} were left out because they do not fit a row)", path.display())]
    NoExamples {
        /// The file.
        path: PathBuf,
        /// Examples that were left out.
        dropped: usize,
    },
    /// More instruction data than is held in memory.
    #[error("{} has more than {limit} tokens", path.display())]
    TooManyTokens {
        /// The file.
        path: PathBuf,
        /// Tokens allowed.
        limit: usize,
    },

    // Chat templates.
    /// A chat template that cannot be parsed.
    #[error("the chat template cannot be parsed")]
    Template {
        /// What the parser said.
        #[source]
        source: minijinja::Error,
    },
    /// A chat template longer than allowed.
    #[error("the chat template is {bytes} bytes long, the limit is {limit}")]
    TemplateTooLarge {
        /// Its length.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A conversation that the template refuses (it called `raise_exception`).
    #[error("the chat template refuses the conversation: {message}")]
    TemplateRefused {
        /// What the template said.
        message: String,
    },
    /// A chat template that failed on a conversation.
    #[error("the chat template failed on the conversation")]
    Render {
        /// What the engine said.
        #[source]
        source: minijinja::Error,
    },
    /// A chat template that is none of the known forms.
    #[error("`chat_template` in {origin} is neither a text nor a list with a template named \"default\"")]
    TemplateForm {
        /// The file, or what else it is called.
        origin: String,
    },
    /// A message without a role, or whose role or content is no text.
    #[error("a chat message must be an object with a text `role`; got {found}")]
    Message {
        /// What came.
        found: String,
    },
}

impl From<crate::error::Error> for TextError {
    fn from(error: crate::error::Error) -> TextError {
        match error {
            crate::error::Error::Text(error) => error,
            error => TextError::Table(Box::new(error)),
        }
    }
}

impl TextError {
    /// For `map_err` on a file operation.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> TextError {
        move |source| TextError::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}
