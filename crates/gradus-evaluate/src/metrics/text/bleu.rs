//! BLEU: the share of n-grams that a reference has too.

use std::collections::HashMap;

use super::counts::{Counts, ngrams};
use super::tokenize_13a::tokenize_13a;
use super::whitespace::{is_space, words};
use crate::{Error, Result};

/// N-grams go up to this length.
const ORDERS: usize = 4;

/// What BLEU is computed from; the statistics of a corpus are the sums over its texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BleuStatistics {
    /// Tokens of the hypotheses.
    pub hypothesis_tokens: u64,
    /// Tokens of the references, of each text the one closest in length.
    pub reference_tokens: u64,
    /// N-grams that a reference has too, by length.
    pub matches: [u64; ORDERS],
    /// N-grams of the hypotheses, by length.
    pub totals: [u64; ORDERS],
}

/// A BLEU score and its parts.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct BleuScore {
    /// From 0 to 100.
    pub score: f64,
    /// Precision of each n-gram length in per cent, smoothed.
    pub precisions: [f64; ORDERS],
    /// What short hypotheses are multiplied by.
    pub brevity_penalty: f64,
}

/// How many n-gram lengths the mean is over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Orders {
    /// All four.
    All,
    /// Those that the hypothesis is long enough for.
    Effective,
}

/// Corpus BLEU as sacrebleu computes it by default: `13a` tokens, exponential smoothing (NIST's), case kept.
/// `references[i]` are the references of `hypotheses[i]`, at least one.
///
/// K. Papineni et al., *BLEU: a Method for Automatic Evaluation of Machine Translation*, ACL 2002; M. Post, *A Call for
/// Clarity in Reporting BLEU Scores*, WMT 2018.
///
/// ```
/// use gradus_evaluate::metrics::text::bleu;
/// let references = [vec!["The dog bit the man."], vec!["It was not unexpected."]];
/// let score = bleu(&["The dog bit the man.", "It was not surprising."], &references)?;
/// assert!((score.score - 74.19).abs() < 0.01);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
///
/// # Errors
/// [`Error::LengthMismatch`] when there are not as many entries in `references` as in `hypotheses`, [`Error::Empty`] when
/// there are none or a text has no reference.
pub fn bleu<H: AsRef<str>, R: AsRef<str>>(hypotheses: &[H], references: &[Vec<R>]) -> Result<BleuScore> {
    super::check_texts(hypotheses.len(), references)?;
    let mut sum = BleuStatistics::default();
    for (hypothesis, references) in hypotheses.iter().zip(references) {
        sum.add(&BleuStatistics::of(hypothesis.as_ref(), references));
    }
    Ok(sum.score(Orders::All))
}

/// BLEU of one text as sacrebleu computes it by default: as [`bleu()`], but over those n-gram lengths that the hypothesis is
/// long enough for.
///
/// # Errors
/// [`Error::Empty`] without a reference.
pub fn sentence_bleu<R: AsRef<str>>(hypothesis: &str, references: &[R]) -> Result<BleuScore> {
    if references.is_empty() {
        return Err(Error::Empty {
            what: "the list of references",
        });
    }
    Ok(BleuStatistics::of(hypothesis, references).score(Orders::Effective))
}

impl BleuStatistics {
    /// Those of one text. Without references it matches nothing.
    pub fn of<R: AsRef<str>>(hypothesis: &str, references: &[R]) -> BleuStatistics {
        let tokenized = |text: &str| tokenize_13a(text.trim_end_matches(is_space));
        let hypothesis = tokenized(hypothesis);
        let hypothesis: Vec<&str> = words(&hypothesis).collect();
        let references: Vec<String> = references.iter().map(|text| tokenized(text.as_ref())).collect();
        let references: Vec<Vec<&str>> = references.iter().map(|text| words(text).collect()).collect();
        let mut statistics = BleuStatistics {
            hypothesis_tokens: hypothesis.len() as u64,
            reference_tokens: closest_len(hypothesis.len(), &references),
            ..BleuStatistics::default()
        };
        for order in 1..=ORDERS {
            let most = most_in_one(&references, order);
            for (ngram, count) in ngrams(&hypothesis, order) {
                statistics.totals[order - 1] += count;
                statistics.matches[order - 1] += count.min(most.get(ngram).copied().unwrap_or(0));
            }
        }
        statistics
    }

    /// Adds those of another text.
    pub fn add(&mut self, other: &BleuStatistics) {
        self.hypothesis_tokens += other.hypothesis_tokens;
        self.reference_tokens += other.reference_tokens;
        for order in 0..ORDERS {
            self.matches[order] += other.matches[order];
            self.totals[order] += other.totals[order];
        }
    }

    /// The score of a corpus with these statistics.
    pub fn corpus_score(&self) -> BleuScore {
        self.score(Orders::All)
    }

    fn score(&self, orders: Orders) -> BleuScore {
        let mut score = BleuScore {
            score: 0.0,
            precisions: [0.0; ORDERS],
            brevity_penalty: self.brevity_penalty(),
        };
        if self.matches.iter().all(|&matches| matches == 0) {
            return score;
        }
        let (mut smoothing, mut counted) = (1.0, ORDERS);
        for order in 0..ORDERS {
            let (matches, total) = (self.matches[order] as f64, self.totals[order] as f64);
            if self.totals[order] == 0 {
                break;
            }
            if orders == Orders::Effective {
                counted = order + 1;
            }
            score.precisions[order] = if self.matches[order] == 0 {
                smoothing *= 2.0;
                100.0 / (smoothing * total)
            } else {
                100.0 * matches / total
            };
        }
        let logarithms = score.precisions[..counted].iter().map(|&precision| ln(precision));
        score.score = score.brevity_penalty * (logarithms.sum::<f64>() / counted as f64).exp();
        score
    }

    fn brevity_penalty(&self) -> f64 {
        let (hypothesis, reference) = (self.hypothesis_tokens as f64, self.reference_tokens as f64);
        match self.hypothesis_tokens {
            tokens if tokens >= self.reference_tokens => 1.0,
            0 => 0.0,
            _ => (1.0 - reference / hypothesis).exp(),
        }
    }
}

/// sacrebleu's logarithm: that of 0 is finite.
fn ln(x: f64) -> f64 {
    if x == 0.0 { -9_999_999_999.0 } else { x.ln() }
}

/// Of the references the length closest to the hypothesis', the shorter of two equally close.
fn closest_len(hypothesis: usize, references: &[Vec<&str>]) -> u64 {
    let lengths = references.iter().map(Vec::len);
    lengths
        .min_by_key(|&len| (len.abs_diff(hypothesis), len))
        .unwrap_or(0) as u64
}

/// Each n-gram of the references with how often it occurs in the one that has it most often.
fn most_in_one<'a>(references: &'a [Vec<&'a str>], order: usize) -> Counts<'a, &'a str> {
    let mut most = HashMap::new();
    for reference in references {
        for (ngram, count) in ngrams(reference, order) {
            let held = most.entry(ngram).or_insert(0);
            *held = count.max(*held);
        }
    }
    most
}
