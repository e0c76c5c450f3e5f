//! Questions that a language model answers, in the shape of lm-evaluation-harness, and how well it does.
//!
//! A [`Task`] is a file of JSON Lines: questions with choices of which one is right, questions with an answer to be written,
//! or texts to be predicted. An [`Examinee`] answers its documents one after the other, each giving a [`Sample`];
//! [`TaskReport`] sums them up.
//!
//! Numbers are those of lm-evaluation-harness: a context and its continuation are encoded together, with the spaces between
//! them on the continuation's side; log-likelihoods are sums over the continuation's tokens; texts past the model's
//! context lose their beginning. Three things differ on purpose. Nothing is put between a question and an answer where one of
//! them already brings white space. What the tokenizer puts in front of a text is put there. And examples of the
//! few-shot context are the first of their file, the same for every question, so that the context is read once.

mod choice;
mod document;
mod examinee;
mod file;
mod generation;
mod report;
mod sample;
mod text;

pub use document::{Document, Question};
pub use examinee::{Examinee, ExamineeOptions};
pub use file::{MAX_DOCUMENTS, MAX_TASK_LINE_BYTES, Task};
pub use report::{ChoiceReport, GenerationReport, TaskReport, TextReport};
pub use sample::{Answer, ChoiceSample, GenerationSample, Likelihood, Sample, TextSample};
