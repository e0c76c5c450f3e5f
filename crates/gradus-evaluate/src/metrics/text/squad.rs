//! Exact match and F1 of short answers, as SQuAD's evaluation script computes them.

use super::counts::{ngrams, overlap};
use super::whitespace::words;

/// An answer as SQuAD compares it: lower case, no ASCII punctuation, no English article, single spaces.
///
/// ```
/// use gradus_evaluate::metrics::text::normalize_answer;
/// assert_eq!(normalize_answer("  The Eiffel-Tower!\n"), "eiffeltower");
/// ```
pub fn normalize_answer(text: &str) -> String {
    let lower = text.to_lowercase();
    let plain: String = lower.chars().filter(|c| !c.is_ascii_punctuation()).collect();
    words(&without_articles(&plain)).collect::<Vec<_>>().join(" ")
}

/// The text with `a`, `an` and `the` replaced by a space, where they are a whole run of letters and digits.
fn without_articles(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(char::is_alphanumeric) {
        let (gap, from) = rest.split_at(start);
        let end = from.find(|c: char| !c.is_alphanumeric()).unwrap_or(from.len());
        let (run, after) = from.split_at(end);
        out.push_str(gap);
        out.push_str(match run {
            "a" | "an" | "the" => " ",
            run => run,
        });
        rest = after;
    }
    out + rest
}

/// Whether prediction and answer are the same once normalised.
pub fn exact_match(prediction: &str, answer: &str) -> bool {
    normalize_answer(prediction) == normalize_answer(answer)
}

/// The F1 of the words that prediction and answer share once normalised, from 0 to 1. Where one of them has no words, it
/// is 1 if both have none (SQuAD 2.0).
///
/// P. Rajpurkar et al., *Know What You Don't Know: Unanswerable Questions for SQuAD*, ACL 2018.
pub fn token_f1(prediction: &str, answer: &str) -> f64 {
    let (prediction, answer) = (normalize_answer(prediction), normalize_answer(answer));
    let (prediction, answer): (Vec<&str>, Vec<&str>) =
        (words(&prediction).collect(), words(&answer).collect());
    if prediction.is_empty() || answer.is_empty() {
        return f64::from(prediction.is_empty() && answer.is_empty());
    }
    let shared = overlap(&ngrams(&prediction, 1), &ngrams(&answer, 1)) as f64;
    if shared == 0.0 {
        return 0.0;
    }
    let (precision, recall) = (shared / prediction.len() as f64, shared / answer.len() as f64);
    2.0 * precision * recall / (precision + recall)
}
