//! From an example to ids, each with the word whether it is learned.
//!
//! Templates do not say where an answer begins and ends. It is found by rendering the conversation up to before the
//! answer, with what opens the model's turn, and up to after it: both must be beginnings of the whole. Some templates
//! shorten earlier answers (they drop a model's thoughts once the next question came); such an answer is context, for
//! it stands there in words that the model would not say. The last answer must be found.
//!
//! An answer ends with the token that ends the turn. White space that the template writes behind that token is not learned:
//! whoever generates stops at the token, so the model never has to say it, and a loss that counts it looks better than
//! the answers are. (TRL's own training templates count it.)

use std::ops::Range;

use super::example::{Example, is_answer};
use crate::text::chat::{ChatTemplate, GenerationPrompt};
use crate::text::error::{Result, TextError};
use crate::text::tokenizer::Tokenizer;

/// Marks an id that is learned; vocabularies end far below it.
pub(super) const LEARNED: u32 = 1 << 31;

/// Writes an example and encodes it. Ids to be learned are marked with [`LEARNED`].
pub(super) fn encode(example: &Example, template: &ChatTemplate, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
    let text = template.render(&example.messages, GenerationPrompt::Omit, &example.extra)?;
    let mut answers = find_answers(example, template, &text)?;
    let (ids, offsets) = tokenizer.encode_with_offsets(&text)?;
    for answer in &mut answers {
        let specials = ids
            .iter()
            .zip(&offsets)
            .filter(|(id, _)| tokenizer.is_special(**id));
        let mut inside = specials.filter(|(_, [start, end])| answer.start <= *start && *end <= answer.end);
        if let Some((_, &[_, end])) = inside.next_back()
            && text[end..answer.end].trim().is_empty()
        {
            answer.end = end;
        }
    }
    let borders: Vec<usize> = answers
        .iter()
        .flat_map(|answer| [answer.start, answer.end])
        .collect();
    let straddles = |[start, end]: &[usize; 2]| borders.iter().any(|border| start < border && border < end);
    if offsets.iter().any(straddles) {
        return encode_apart(&text, &answers, tokenizer);
    }
    let is_learned = |[start, _]: [usize; 2]| answers.iter().any(|answer| answer.contains(&start));
    let marked = ids.into_iter().zip(offsets);
    Ok(marked
        .map(|(id, span)| if is_learned(span) { id | LEARNED } else { id })
        .collect())
}

/// The bytes of the text that the model says.
fn find_answers(example: &Example, template: &ChatTemplate, text: &str) -> Result<Vec<Range<usize>>> {
    let mut answers = Vec::new();
    let indices =
        (example.learned_from..example.messages.len()).filter(|&index| is_answer(&example.messages[index]));
    let indices: Vec<usize> = indices.collect();
    for &index in &indices {
        let is_final = Some(&index) == indices.last();
        match find_answer(example, template, text, index) {
            Ok(answer) => answers.push(answer),
            // A template may refuse a conversation that stops in the middle, too.
            Err(error) if is_final => return Err(error),
            Err(_) => (),
        }
    }
    Ok(answers)
}

fn find_answer(example: &Example, template: &ChatTemplate, text: &str, index: usize) -> Result<Range<usize>> {
    let messages = &example.messages;
    let before = template.render(&messages[..index], GenerationPrompt::Add, &example.extra)?;
    let through = match index + 1 == messages.len() {
        true => text.len(),
        false => {
            let through = template.render(&messages[..=index], GenerationPrompt::Omit, &example.extra)?;
            if !text.starts_with(&through) {
                return Err(TextError::AnswerNotFound);
            }
            through.len()
        }
    };
    if !text.starts_with(&before) || before.len() >= through {
        return Err(TextError::AnswerNotFound);
    }
    Ok(before.len()..through)
}

/// Encodes what the model says and what it is told one after the other, as it happens when the model is used. For texts
/// in which a token would reach from one into the other.
fn encode_apart(text: &str, answers: &[Range<usize>], tokenizer: &Tokenizer) -> Result<Vec<u32>> {
    let (mut ids, mut end) = (Vec::new(), 0);
    for answer in answers {
        ids.extend(tokenizer.encode(&text[end..answer.start])?);
        ids.extend(
            tokenizer
                .encode(&text[answer.clone()])?
                .into_iter()
                .map(|id| id | LEARNED),
        );
        end = answer.end;
    }
    ids.extend(tokenizer.encode(&text[end..])?);
    Ok(ids)
}
