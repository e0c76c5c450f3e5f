//! chrF: the F-score of character n-grams.

use super::counts::{ngrams, overlap};
use super::whitespace::{is_space, words};
use crate::{Error, Result};

/// Settings of chrF.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChrfOptions {
    /// The longest character n-gram; 6 by default.
    pub char_order: usize,
    /// The longest word n-gram; 0 by default, 2 is chrF++.
    pub word_order: usize,
    /// How many times as much recall counts as precision; 2 by default.
    pub beta: f64,
}

impl Default for ChrfOptions {
    fn default() -> Self {
        ChrfOptions {
            char_order: 6,
            word_order: 0,
            beta: 2.0,
        }
    }
}

/// N-grams of one length: of the hypothesis, of the reference, and those they share.
#[derive(Clone, Copy, Default)]
struct Matches {
    hypothesis: u64,
    reference: u64,
    shared: u64,
}

/// Corpus chrF as sacrebleu computes it, from 0 to 100: white space does not count, case does, and n-gram lengths for
/// which either side is too short are left out. `references[i]` are the references of `hypotheses[i]`, of which the one
/// that scores best counts.
///
/// M. Popović, *chrF: character n-gram F-score for automatic MT evaluation*, WMT 2015.
///
/// ```
/// use gradus_evaluate::metrics::text::{ChrfOptions, chrf};
/// let score = chrf(&["The cat sat."], &[vec!["The cat sits."]], &ChrfOptions::default())?;
/// assert!(score > 50.0 && score < 100.0);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
///
/// # Errors
/// [`Error::LengthMismatch`] when there are not as many entries in `references` as in `hypotheses`, [`Error::Empty`] when
/// there are none or a text has no reference.
pub fn chrf<H: AsRef<str>, R: AsRef<str>>(
    hypotheses: &[H],
    references: &[Vec<R>],
    options: &ChrfOptions,
) -> Result<f64> {
    super::check_texts(hypotheses.len(), references)?;
    let mut sum = vec![Matches::default(); options.char_order + options.word_order];
    for (hypothesis, references) in hypotheses.iter().zip(references) {
        for (sum, matches) in sum.iter_mut().zip(best(hypothesis.as_ref(), references, options)) {
            sum.hypothesis += matches.hypothesis;
            sum.reference += matches.reference;
            sum.shared += matches.shared;
        }
    }
    Ok(f_score(&sum, options.beta))
}

/// chrF of one text, of its references the one that scores best.
///
/// # Errors
/// [`Error::Empty`] without a reference.
pub fn sentence_chrf<R: AsRef<str>>(
    hypothesis: &str,
    references: &[R],
    options: &ChrfOptions,
) -> Result<f64> {
    if references.is_empty() {
        return Err(Error::Empty {
            what: "the list of references",
        });
    }
    Ok(f_score(&best(hypothesis, references, options), options.beta))
}

/// The counts against the reference that scores best, the first of those that score the same.
fn best<R: AsRef<str>>(hypothesis: &str, references: &[R], options: &ChrfOptions) -> Vec<Matches> {
    let (mut best, mut best_score) = (Vec::new(), -1.0);
    let hypothesis = Text::new(hypothesis);
    for reference in references {
        let matches = hypothesis.matches(&Text::new(reference.as_ref()), options);
        let score = f_score(&matches, options.beta);
        if score > best_score {
            (best, best_score) = (matches, score);
        }
    }
    best
}

struct Text<'a> {
    characters: Vec<char>,
    words: Vec<&'a str>,
}

impl<'a> Text<'a> {
    fn new(text: &'a str) -> Text<'a> {
        Text {
            characters: text.chars().filter(|&c| !is_space(c)).collect(),
            words: words(text).flat_map(mark_apart).flatten().collect(),
        }
    }

    fn matches(&self, reference: &Text, options: &ChrfOptions) -> Vec<Matches> {
        let characters =
            (1..=options.char_order).map(|order| matches_of(&self.characters, &reference.characters, order));
        let words = (1..=options.word_order).map(|order| matches_of(&self.words, &reference.words, order));
        characters.chain(words).collect()
    }
}

fn matches_of<T: Eq + std::hash::Hash>(hypothesis: &[T], reference: &[T], order: usize) -> Matches {
    let (hypothesis, reference) = (ngrams(hypothesis, order), ngrams(reference, order));
    Matches {
        // What has no counterpart to be found in does not count.
        hypothesis: if reference.is_empty() {
            0
        } else {
            hypothesis.values().sum()
        },
        reference: reference.values().sum(),
        shared: overlap(&hypothesis, &reference),
    }
}

/// A word with the punctuation mark at its end, or else at its start, as a word of its own.
fn mark_apart(word: &str) -> [Option<&str>; 2] {
    let mark = |c: Option<char>| c.is_some_and(|c| c.is_ascii_punctuation());
    if word.chars().nth(1).is_none() {
        [Some(word), None]
    } else if mark(word.chars().next_back()) {
        let (rest, mark) = word.split_at(word.len() - 1);
        [Some(rest), Some(mark)]
    } else if mark(word.chars().next()) {
        let (mark, rest) = word.split_at(1);
        [Some(mark), Some(rest)]
    } else {
        [Some(word), None]
    }
}

/// From the mean precision and the mean recall over the lengths that both sides have n-grams of.
fn f_score(matches: &[Matches], beta: f64) -> f64 {
    let (mut precision, mut recall, mut lengths) = (0.0, 0.0, 0.0);
    let both = matches.iter().filter(|m| m.hypothesis > 0 && m.reference > 0);
    for of_length in both {
        precision += of_length.shared as f64 / of_length.hypothesis as f64;
        recall += of_length.shared as f64 / of_length.reference as f64;
        lengths += 1.0;
    }
    if precision + recall == 0.0 {
        return 0.0;
    }
    let (precision, recall, factor) = (precision / lengths, recall / lengths, beta * beta);
    100.0 * ((1.0 + factor) * precision * recall / (factor * precision + recall))
}
