//! Metrics of generated text against reference texts, equal to the reference implementations of each.
//!
//! [`bleu`](bleu()) and [`chrf`](chrf()) are sacrebleu's, [`rouge`](rouge()) is the `rouge-score` package's,
//! [`exact_match`] and [`token_f1`] are those of SQuAD's evaluation script. Crates that offer them were looked at: none
//! computes both corpus and sentence scores with the same tokenization, so the numbers could not be compared with
//! published ones.
//!
//! Scores keep the scale of their reference: BLEU and chrF go from 0 to 100, the others from 0 to 1.

mod bleu;
mod chrf;
mod counts;
mod porter;
mod rouge;
mod squad;
mod tokenize_13a;
mod whitespace;

use crate::{Error, Result};

pub use bleu::{BleuScore, BleuStatistics, bleu, sentence_bleu};
pub use chrf::{ChrfOptions, chrf, sentence_chrf};
pub use rouge::{Rouge, RougeScore, Stemming, rouge, rouge_of_best};
pub use squad::{exact_match, normalize_answer, token_f1};
pub use tokenize_13a::tokenize_13a;

/// That there is a text, and as many lists of references, none of them empty.
fn check_texts<R>(hypotheses: usize, references: &[Vec<R>]) -> Result<()> {
    if references.len() != hypotheses {
        return Err(Error::LengthMismatch {
            left_name: "references",
            left: references.len(),
            right_name: "hypotheses",
            right: hypotheses,
        });
    }
    if hypotheses == 0 {
        return Err(Error::Empty {
            what: "the list of texts",
        });
    }
    match references.iter().any(Vec::is_empty) {
        true => Err(Error::Empty {
            what: "a text's list of references",
        }),
        false => Ok(()),
    }
}
