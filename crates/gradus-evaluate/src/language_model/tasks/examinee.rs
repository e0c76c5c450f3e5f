//! Whoever answers: a model with what it has read, and how it is asked.

use gradus_nn::generation::Session;
use gradus_tensor::CacheType;

use super::document::{Document, Question};
use super::sample::{Answer, Sample};
use crate::language_model::LanguageModel;
use crate::{Error, Result};

/// How a model is asked.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ExamineeOptions {
    /// What stands between a question and its answer, unless one of them brings white space; a space by default.
    pub delimiter: String,
    /// What stands behind each example; an empty line by default.
    pub example_delimiter: String,
    /// Texts that end a written answer; an empty line by default.
    pub stop: Vec<String>,
    /// The longest written answer in tokens; 256 by default.
    pub max_tokens: usize,
}

impl Default for ExamineeOptions {
    fn default() -> Self {
        ExamineeOptions {
            delimiter: " ".to_owned(),
            example_delimiter: "\n\n".to_owned(),
            stop: vec!["\n\n".to_owned()],
            max_tokens: 256,
        }
    }
}

/// A model that answers documents. What it has read of one question it does not read again for the next.
pub struct Examinee<'m> {
    pub(super) model: &'m LanguageModel,
    pub(super) session: Session<'m>,
    pub(super) options: ExamineeOptions,
    /// The examples that stand before every question.
    examples: String,
    /// What the tokenizer puts in front of a text.
    pub(super) start: Vec<u32>,
}

impl<'m> Examinee<'m> {
    /// A model that is shown `examples` with their answers before every question, in this order.
    ///
    /// # Errors
    /// [`Error::TaskExample`] for an example without a question; [`Error::Text`] when the tokenizer fails.
    pub fn new(
        model: &'m LanguageModel,
        examples: &[Document],
        options: ExamineeOptions,
    ) -> Result<Examinee<'m>> {
        let mut shown = String::new();
        for (index, example) in examples.iter().enumerate() {
            let (query, answer) = match &example.question {
                Question::Choice { query, choices, gold } => (query, &choices[gold[0]]),
                Question::Generation { query, targets, .. } => (query, &targets[0]),
                Question::Text { .. } => return Err(Error::TaskExample { index }),
            };
            shown.push_str(query);
            shown.push_str(&joined(query, answer, &options.delimiter));
            shown.push_str(&options.example_delimiter);
        }
        Ok(Examinee {
            session: model.session(usize::MAX, CacheType::F32),
            start: start_of_text(model)?,
            model,
            options,
            examples: shown,
        })
    }

    /// The answer to a document.
    ///
    /// # Errors
    /// [`Error::TaskTooLong`] when a choice alone is longer than the model's context; [`Error::Empty`] for an empty question to
    /// a model without a token that starts a text; [`Error::Text`] when the tokenizer fails.
    pub fn answer(&mut self, index: usize, document: &Document) -> Result<Sample> {
        let answer = match &document.question {
            Question::Choice { query, choices, gold } => {
                Answer::Choice(self.choose(&self.context(query), choices, gold)?)
            }
            Question::Generation {
                query,
                targets,
                stop,
                max_tokens,
            } => {
                let stop = stop.as_ref().unwrap_or(&self.options.stop).clone();
                let max_tokens = max_tokens.unwrap_or(self.options.max_tokens);
                Answer::Generation(self.write(&self.context(query), targets, stop, max_tokens)?)
            }
            Question::Text { text } => Answer::Text(self.predict(text)?),
        };
        Ok(Sample {
            doc_id: index,
            doc: document.fields.clone(),
            answer,
        })
    }

    fn context(&self, query: &str) -> String {
        format!("{}{query}", self.examples)
    }

    /// The tokens of a context and its continuation, and where the continuation begins. They are encoded together, as the
    /// model would have read them, and the continuation has what stands behind as many tokens as the context alone has;
    /// spaces between them belong to the continuation.
    pub(super) fn encode_pair(&self, context: &str, continuation: &str) -> Result<(Vec<u32>, usize)> {
        let tokenizer = self.model.tokenizer();
        let (context, spaces) = context.split_at(context.trim_end().len());
        let mut before = tokenizer.encode(context)?;
        let mut whole = tokenizer.encode(&format!("{context}{spaces}{continuation}"))?;
        let mut after = whole.split_off(before.len().min(whole.len()));
        if after.is_empty() {
            // The continuation disappeared in the context's last token.
            after.extend(whole.pop());
            before = whole;
        }
        let mut tokens = self.start.clone();
        if before.is_empty() && tokens.is_empty() {
            // Something must stand before the first token that is scored.
            tokens = self.model.prompt("")?;
        }
        tokens.extend(before);
        if tokens.is_empty() || after.is_empty() {
            return Err(Error::Empty {
                what: "a question to a model without a token that starts a text",
            });
        }
        let from = tokens.len();
        tokens.extend(after);
        Ok((tokens, from))
    }
}

/// The answer with what stands between it and its question.
pub(super) fn joined(query: &str, answer: &str, delimiter: &str) -> String {
    let brings_space = query.ends_with(char::is_whitespace) || answer.starts_with(char::is_whitespace);
    match brings_space || query.is_empty() {
        true => answer.to_owned(),
        false => format!("{delimiter}{answer}"),
    }
}

/// The token that the tokenizer puts before every text, if it does.
fn start_of_text(model: &LanguageModel) -> Result<Vec<u32>> {
    let around = model.tokenizer().encode_with_special("")?;
    let bos = model.tokenizer().special().bos.as_ref();
    Ok(match (around.first(), bos) {
        (Some(&first), Some(bos)) if first == bos.id => vec![first],
        (Some(_) | None, Some(_) | None) => Vec::new(),
    })
}
