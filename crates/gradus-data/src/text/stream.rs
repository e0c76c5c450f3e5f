//! Text out of ids as they come, only ever whole characters.

use crate::text::error::Result;
use crate::text::tokenizer::Tokenizer;

/// How many ids may wait for a character to be completed. A character takes at most four bytes, hence four ids; when
/// more wait, their text is broken for good and is shown with replacement characters.
const MAX_WAITING: usize = 4;

/// Decodes a stream of ids. What it gives, put together, is what [`Tokenizer::decode`] gives for all of them.
///
/// A token may hold a part of a character, or change its look by what stands before it (the space that the first word
/// of a sentence lacks). So an id's text is shown when it is whole.
#[derive(Clone, Debug)]
pub struct StreamDecoder {
    tokenizer: Tokenizer,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// Byte-level tokenizers: the bytes of a character that is not whole yet.
    Bytes(Vec<u8>),
    /// All others: the ids whose text was shown last, as the context of those after them, whose text was not.
    Ids { ids: Vec<u32>, shown: usize },
}

impl StreamDecoder {
    /// A decoder that leaves out special tokens.
    pub fn new(tokenizer: &Tokenizer) -> StreamDecoder {
        let state = match tokenizer.byte_table() {
            Some(_) => State::Bytes(Vec::new()),
            None => State::Ids {
                ids: Vec::new(),
                shown: 0,
            },
        };
        StreamDecoder {
            tokenizer: tokenizer.clone(),
            state,
        }
    }

    /// Takes the next id and gives the text that became whole with it, which may be none.
    ///
    /// # Errors
    /// [`TextError::Decode`](crate::text::TextError::Decode) when the tokenizer's decoder fails.
    pub fn push(&mut self, id: u32) -> Result<String> {
        match &mut self.state {
            State::Bytes(pending) => {
                pending.extend_from_slice(self.tokenizer.bytes_of(id));
                Ok(take_whole(pending))
            }
            State::Ids { ids, shown } => {
                ids.push(id);
                let text = fresh_text(&self.tokenizer, ids, *shown)?;
                let waits = text.ends_with(char::REPLACEMENT_CHARACTER) && ids.len() - *shown <= MAX_WAITING;
                if text.is_empty() || waits {
                    return Ok(String::new());
                }
                ids.drain(..*shown);
                *shown = ids.len();
                Ok(text)
            }
        }
    }

    /// The text of what was held back, broken characters included; the decoder is then as new.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(&mut self) -> Result<String> {
        match &mut self.state {
            State::Bytes(pending) => Ok(String::from_utf8_lossy(&std::mem::take(pending)).into_owned()),
            State::Ids { ids, shown } => {
                let text = fresh_text(&self.tokenizer, ids, *shown)?;
                ids.clear();
                *shown = 0;
                Ok(text)
            }
        }
    }
}

/// Removes and gives all that cannot change any more: everything but a character that is cut short. Bytes that are in
/// no character become U+FFFD as [`String::from_utf8_lossy`] makes them.
fn take_whole(pending: &mut Vec<u8>) -> String {
    let mut text = String::new();
    let mut whole = 0;
    for chunk in pending.utf8_chunks() {
        text.push_str(chunk.valid());
        whole += chunk.valid().len();
        let invalid = chunk.invalid();
        if invalid.is_empty() {
            continue;
        }
        let at_end = whole + invalid.len() == pending.len();
        // A prefix of a character is an error without a length: more bytes may still complete it.
        let cut_short = std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
        if at_end && cut_short {
            break;
        }
        text.push(char::REPLACEMENT_CHARACTER);
        whole += invalid.len();
    }
    pending.drain(..whole);
    text
}

/// The text that the ids after the `shown` first ones add to theirs.
fn fresh_text(tokenizer: &Tokenizer, ids: &[u32], shown: usize) -> Result<String> {
    let before = tokenizer.decode(&ids[..shown])?;
    let mut text = tokenizer.decode(ids)?;
    // A decoder may strip what ends a text (a space before the end): then the longer text need not continue the
    // shorter one, and what they share is all that is certain.
    let common = before
        .bytes()
        .zip(text.bytes())
        .take_while(|(left, right)| left == right)
        .count();
    let start = (0..=common)
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0);
    Ok(text.split_off(start))
}

#[cfg(test)]
mod tests {
    use super::take_whole;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn cut_anywhere_bytes_give_the_text_of_the_whole(bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x80u8..0xf5, 0x41u8..0x5a], 0..60), step in 1usize..5) {
            let (mut pending, mut text) = (Vec::new(), String::new());
            for piece in bytes.chunks(step) {
                pending.extend_from_slice(piece);
                text += &take_whole(&mut pending);
                prop_assert!(pending.len() < 4);
            }
            text += &String::from_utf8_lossy(&pending);
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
        }
    }
}
