//! Texts that the model predicts, in windows of its whole context.

use gradus_nn::generation::Continuation;

use super::examinee::Examinee;
use super::sample::{Likelihood, TextSample};
use crate::{Error, Result};

impl Examinee<'_> {
    /// The log-likelihood of every token of a text: in windows that do not overlap in what they score, the last of which
    /// reaches back so far that it is full.
    pub(super) fn predict(&mut self, text: &str) -> Result<TextSample> {
        let start = self.model.prompt("")?.into_iter().next();
        let mut tokens: Vec<u32> = start.into_iter().collect();
        tokens.extend(self.model.tokenizer().encode(text)?);
        if tokens.len() < 2 {
            return Err(Error::Empty {
                what: "what can be predicted of a text",
            });
        }
        let most = self.session.capacity();
        let (mut sum, mut done) = (Likelihood::default(), 1);
        while done < tokens.len() {
            let end = tokens.len().min(done + most);
            let begin = end.saturating_sub(most + 1);
            let window = Continuation {
                tokens: &tokens[begin..end],
                from: done - begin,
            };
            let scores = self.session.score(&[window])?;
            sum.add(&Likelihood::of(&scores.continuations[0]));
            done = end;
        }
        Ok(TextSample {
            filtered_resps: [sum.log_likelihood],
            tokens: sum.tokens,
            words: words(text),
            bytes: text.len(),
        })
    }
}

/// Pieces between runs of white space, as lm-evaluation-harness counts them: white space at an end makes one more.
fn words(text: &str) -> usize {
    let mut words = 1;
    let mut in_space = false;
    for c in text.chars() {
        let space = c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
        words += usize::from(space && !in_space);
        in_space = space;
    }
    words
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_are_counted_as_by_the_harness() {
        for (text, words) in [("", 1), ("a", 1), ("a b", 2), (" a  b\n", 4), ("\n", 2)] {
            assert_eq!(super::words(text), words, "{text:?}");
        }
    }
}
