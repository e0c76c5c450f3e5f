//! What a model answered to one document, as lm-evaluation-harness writes it.

use gradus_nn::generation::TokenScore;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::language_model::CompletionStop;

/// One document and its answer: a line of a file of samples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// Its place in the task, from 0.
    pub doc_id: usize,
    /// Its line.
    pub doc: Map<String, Value>,
    /// What the model made of it.
    #[serde(flatten)]
    pub answer: Answer,
}

/// An answer of each kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// Of a multiple choice.
    Choice(ChoiceSample),
    /// Of a text to be written.
    Generation(GenerationSample),
    /// Of a text to be predicted.
    Text(TextSample),
}

/// How likely a text is; written as a pair of the log-likelihood and whether it is what the model would have written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likelihood {
    /// The sum of its tokens' log-probabilities, in nats.
    pub log_likelihood: f64,
    /// Whether each of its tokens was the likeliest.
    pub greedy: bool,
    /// How many tokens it has.
    pub tokens: usize,
}

impl Default for Likelihood {
    fn default() -> Self {
        Likelihood {
            log_likelihood: 0.0,
            greedy: true,
            tokens: 0,
        }
    }
}

impl Likelihood {
    pub(super) fn of(scores: &[TokenScore]) -> Likelihood {
        Likelihood {
            log_likelihood: scores.iter().map(|score| f64::from(score.log_probability)).sum(),
            greedy: scores.iter().all(|score| score.most_likely),
            tokens: scores.len(),
        }
    }

    pub(super) fn add(&mut self, other: &Likelihood) {
        self.log_likelihood += other.log_likelihood;
        self.greedy &= other.greedy;
        self.tokens += other.tokens;
    }
}

impl Serialize for Likelihood {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.log_likelihood, self.greedy).serialize(serializer)
    }
}

/// The answer to a multiple choice.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChoiceSample {
    /// The places of the right choices.
    pub target: Vec<usize>,
    /// The likeliest choice.
    pub chosen: usize,
    /// Whether the likeliest choice is right.
    pub acc: bool,
    /// Whether the one with the highest log-likelihood per character is, as lm-evaluation-harness has it.
    pub acc_norm: bool,
    /// Whether the one with the highest log-likelihood per byte is.
    pub acc_bytes: bool,
    /// Whether the one with the highest log-likelihood per token is.
    pub acc_token: bool,
    /// Context and continuation of each choice.
    pub arguments: Vec<[String; 2]>,
    /// How likely each continuation is.
    pub filtered_resps: Vec<Likelihood>,
    /// Tokens that the model read for it.
    pub tokens_read: usize,
    /// Tokens that it would have read had nothing been shared.
    pub tokens_given: usize,
}

/// The answer to a text to be written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GenerationSample {
    /// The right answers.
    pub target: Vec<String>,
    /// The context.
    pub arguments: [String; 1],
    /// What the model wrote, without white space around it.
    pub filtered_resps: [String; 1],
    /// Why it stopped.
    pub stop: CompletionStop,
    /// Whether it is one of the right answers, by SQuAD's rules.
    pub exact_match: bool,
    /// F1 of the words by SQuAD's rules, 0 to 1, of the best answer; the same of all below.
    pub f1: f64,
    /// Sentence BLEU, 0 to 100.
    pub bleu: f64,
    /// F-measure of words, 0 to 1.
    pub rouge1: f64,
    /// F-measure of pairs of words, 0 to 1.
    pub rouge2: f64,
    /// F-measure of the longest common sequence, 0 to 1.
    #[serde(rename = "rougeL")]
    pub rouge_l: f64,
    /// chrF, 0 to 100.
    pub chrf: f64,
}

/// The likelihood of a text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TextSample {
    /// Its log-likelihood in nats.
    pub filtered_resps: [f64; 1],
    /// Tokens that were scored.
    pub tokens: usize,
    /// Words of the text.
    pub words: usize,
    /// Bytes of the text.
    pub bytes: usize,
}
