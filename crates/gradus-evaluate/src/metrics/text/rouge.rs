//! ROUGE: how much of a reference summary is found again.

use super::counts::{ngrams, overlap};
use super::porter;
use crate::{Error, Result};

/// The variants of ROUGE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Rouge {
    /// Words in common.
    Rouge1,
    /// Pairs of neighbouring words in common.
    Rouge2,
    /// The longest sequence of words that both have in this order, over the whole text.
    RougeL,
}

/// Which words count as the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stemming {
    /// Those that are spelled alike.
    #[default]
    Off,
    /// Those with the same stem by Porter's rules, where they have more than three letters: `rouge-score`'s `use_stemmer`.
    Porter,
}

/// A ROUGE score: each number from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct RougeScore {
    /// The share of the prediction that is in the reference.
    pub precision: f64,
    /// The share of the reference that is in the prediction.
    pub recall: f64,
    /// Their harmonic mean.
    pub f_measure: f64,
}

impl RougeScore {
    fn new(shared: u64, prediction: u64, reference: u64) -> RougeScore {
        let (precision, recall) = (
            shared as f64 / prediction.max(1) as f64,
            shared as f64 / reference.max(1) as f64,
        );
        let sum = precision + recall;
        RougeScore {
            precision,
            recall,
            f_measure: if sum > 0.0 {
                2.0 * precision * recall / sum
            } else {
                0.0
            },
        }
    }
}

/// ROUGE as the `rouge-score` package computes it: words are runs of `a`-`z` and `0`-`9` of the text in
/// lower case.
///
/// C.-Y. Lin, *ROUGE: A Package for Automatic Evaluation of Summaries*, 2004.
///
/// ```
/// use gradus_evaluate::metrics::text::{Rouge, Stemming, rouge};
/// let score = rouge(Rouge::RougeL, "The quick dog jumps", "the quick brown fox jumps", Stemming::Off);
/// assert_eq!((score.precision, score.recall), (0.75, 0.6));
/// ```
pub fn rouge(variant: Rouge, prediction: &str, reference: &str, stemming: Stemming) -> RougeScore {
    let (prediction, reference) = (tokens(prediction, stemming), tokens(reference, stemming));
    match variant {
        Rouge::Rouge1 => of_ngrams(&prediction, &reference, 1),
        Rouge::Rouge2 => of_ngrams(&prediction, &reference, 2),
        Rouge::RougeL => RougeScore::new(
            longest_common(&prediction, &reference),
            prediction.len() as u64,
            reference.len() as u64,
        ),
    }
}

/// The score against the reference with the highest F-measure.
///
/// # Errors
/// [`Error::Empty`] without a reference.
pub fn rouge_of_best<R: AsRef<str>>(
    variant: Rouge,
    prediction: &str,
    references: &[R],
    stemming: Stemming,
) -> Result<RougeScore> {
    references
        .iter()
        .map(|reference| rouge(variant, prediction, reference.as_ref(), stemming))
        .reduce(|best, score| {
            if score.f_measure > best.f_measure {
                score
            } else {
                best
            }
        })
        .ok_or(Error::Empty {
            what: "the list of references",
        })
}

/// Words of a text in lower case.
fn tokens(text: &str, stemming: Stemming) -> Vec<String> {
    let text = text.to_lowercase();
    text.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit()))
        .filter(|token| !token.is_empty())
        .map(|token| match stemming {
            Stemming::Porter if token.len() > 3 => porter::stem(token),
            Stemming::Porter | Stemming::Off => token.to_owned(),
        })
        .collect()
}

fn of_ngrams(prediction: &[String], reference: &[String], order: usize) -> RougeScore {
    let (prediction, reference) = (ngrams(prediction, order), ngrams(reference, order));
    RougeScore::new(
        overlap(&prediction, &reference),
        prediction.values().sum(),
        reference.values().sum(),
    )
}

/// The length of the longest common subsequence, in memory of one row of its table.
fn longest_common(a: &[String], b: &[String]) -> u64 {
    let mut row = vec![0; b.len() + 1];
    for left in a {
        let mut diagonal = 0;
        for (at, right) in b.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if left == right {
                diagonal + 1
            } else {
                above.max(row[at])
            };
            diagonal = above;
        }
    }
    row[b.len()]
}
