//! How well a model did on a task.

use serde::Serialize;

use super::sample::{Answer, ChoiceSample, GenerationSample, Sample, TextSample};
use crate::bootstrap::{BootstrapOptions, intervals};
use crate::metrics::text::{ChrfOptions, bleu, chrf};
use crate::metrics::{ConfusionMatrix, accuracy};
use crate::{Error, Estimate, Result};

/// The answers to a task, summed up by kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskReport {
    /// The task's name.
    pub task: String,
    /// Documents answered.
    pub documents: usize,
    /// Of its multiple choices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiple_choice: Option<ChoiceReport>,
    /// Of its texts to be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<GenerationReport>,
    /// Of its texts to be predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<TextReport>,
}

/// Shares of multiple choices that were answered rightly.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChoiceReport {
    /// How many there were.
    pub documents: usize,
    /// The likeliest choice is right.
    pub acc: Estimate,
    /// The likeliest per character is.
    pub acc_norm: Estimate,
    /// The likeliest per byte is.
    pub acc_bytes: Estimate,
    /// The likeliest per token is.
    pub acc_token: Estimate,
    /// Tokens that the model read.
    pub tokens_read: usize,
    /// Tokens that it would have read had no beginnings been shared.
    pub tokens_given: usize,
}

/// Scores of written answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GenerationReport {
    /// How many there were.
    pub documents: usize,
    /// The share that is right by SQuAD's rules.
    pub exact_match: Estimate,
    /// The mean F1 by SQuAD's rules, 0 to 1.
    pub f1: f64,
    /// Corpus BLEU, 0 to 100.
    pub bleu: f64,
    /// The mean F-measure of words, 0 to 1.
    pub rouge1: f64,
    /// The mean F-measure of pairs of words, 0 to 1.
    pub rouge2: f64,
    /// The mean F-measure of the longest common sequence, 0 to 1.
    #[serde(rename = "rougeL")]
    pub rouge_l: f64,
    /// Corpus chrF, 0 to 100.
    pub chrf: f64,
}

/// How well texts were predicted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TextReport {
    /// How many there were.
    pub documents: usize,
    /// `e` to the mean loss of a token.
    pub token_perplexity: f64,
    /// `e` to the mean loss of a word, which compares between tokenizers.
    pub word_perplexity: f64,
    /// `e` to the mean loss of a byte.
    pub byte_perplexity: f64,
    /// The mean loss of a byte in bits.
    pub bits_per_byte: f64,
    /// Tokens that were scored.
    pub tokens: usize,
    /// Bytes of text that they stand for.
    pub bytes: usize,
}

impl TaskReport {
    /// Sums up samples. Shares have intervals if `bootstrap` says how they are drawn.
    ///
    /// # Errors
    /// [`Error::Empty`] without samples, [`Error::BootstrapOption`] for an option outside its range.
    pub fn of(task: &str, samples: &[Sample], bootstrap: Option<&BootstrapOptions>) -> Result<TaskReport> {
        if samples.is_empty() {
            return Err(Error::Empty {
                what: "the list of samples",
            });
        }
        let (mut choices, mut generations, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for sample in samples {
            match &sample.answer {
                Answer::Choice(sample) => choices.push(sample),
                Answer::Generation(sample) => generations.push(sample),
                Answer::Text(sample) => texts.push(sample),
            }
        }
        Ok(TaskReport {
            task: task.to_owned(),
            documents: samples.len(),
            multiple_choice: of_choices(&choices, bootstrap).transpose()?,
            generation: of_generations(&generations, bootstrap).transpose()?,
            perplexity: of_texts(&texts),
        })
    }
}

fn of_choices(
    samples: &[&ChoiceSample],
    bootstrap: Option<&BootstrapOptions>,
) -> Option<Result<ChoiceReport>> {
    if samples.is_empty() {
        return None;
    }
    let right = |of: fn(&ChoiceSample) -> bool| share(samples.iter().map(|sample| of(sample)), bootstrap);
    let report = || {
        Ok(ChoiceReport {
            documents: samples.len(),
            acc: right(|sample| sample.acc)?,
            acc_norm: right(|sample| sample.acc_norm)?,
            acc_bytes: right(|sample| sample.acc_bytes)?,
            acc_token: right(|sample| sample.acc_token)?,
            tokens_read: samples.iter().map(|sample| sample.tokens_read).sum(),
            tokens_given: samples.iter().map(|sample| sample.tokens_given).sum(),
        })
    };
    Some(report())
}

fn of_generations(
    samples: &[&GenerationSample],
    bootstrap: Option<&BootstrapOptions>,
) -> Option<Result<GenerationReport>> {
    if samples.is_empty() {
        return None;
    }
    let mean = |of: fn(&GenerationSample) -> f64| {
        samples.iter().map(|sample| of(sample)).sum::<f64>() / samples.len() as f64
    };
    let report = || {
        let texts: Vec<&str> = samples
            .iter()
            .map(|sample| sample.filtered_resps[0].as_str())
            .collect();
        let targets: Vec<Vec<&str>> = samples
            .iter()
            .map(|sample| sample.target.iter().map(String::as_str).collect())
            .collect();
        Ok(GenerationReport {
            documents: samples.len(),
            exact_match: share(samples.iter().map(|sample| sample.exact_match), bootstrap)?,
            f1: mean(|sample| sample.f1),
            bleu: bleu(&texts, &targets)?.score,
            rouge1: mean(|sample| sample.rouge1),
            rouge2: mean(|sample| sample.rouge2),
            rouge_l: mean(|sample| sample.rouge_l),
            chrf: chrf(&texts, &targets, &ChrfOptions::default())?,
        })
    };
    Some(report())
}

fn of_texts(samples: &[&TextSample]) -> Option<TextReport> {
    if samples.is_empty() {
        return None;
    }
    let sum = |of: fn(&TextSample) -> usize| samples.iter().map(|sample| of(sample)).sum::<usize>();
    let loss = -samples.iter().map(|sample| sample.filtered_resps[0]).sum::<f64>();
    let (tokens, words, bytes) = (sum(|s| s.tokens), sum(|s| s.words), sum(|s| s.bytes));
    Some(TextReport {
        documents: samples.len(),
        token_perplexity: (loss / tokens as f64).exp(),
        word_perplexity: (loss / words as f64).exp(),
        byte_perplexity: (loss / bytes as f64).exp(),
        bits_per_byte: loss / bytes as f64 / std::f64::consts::LN_2,
        tokens,
        bytes,
    })
}

/// The share of what is right, with its interval.
fn share(right: impl Iterator<Item = bool>, bootstrap: Option<&BootstrapOptions>) -> Result<Estimate> {
    let mut counts = [0_u64; 2];
    right.for_each(|right| counts[usize::from(!right)] += 1);
    let interval = |options| {
        let matrix = ConfusionMatrix::from_counts(vec![counts[0], counts[1], 0, 0], 2)?;
        let found = intervals(&matrix, options, 1, |counts, out| out[0] = accuracy(counts))?;
        Ok::<_, Error>(found[0])
    };
    Ok(Estimate {
        value: counts[0] as f64 / (counts[0] + counts[1]) as f64,
        interval: bootstrap.map(interval).transpose()?,
    })
}
