//! Instruction data in memory: the ids of all examples, one after the other.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use gradus_kernels::pool::{self, parallel_chunks_mut};
use sha2::{Digest, Sha256};

use super::example::Example;
use super::render::{self, LEARNED};
use crate::limits::{MAX_INSTRUCTION_TOKENS, MAX_LINE_BYTES};
use crate::text::chat::ChatTemplate;
use crate::text::error::{Result, TextError};
use crate::text::tokenizer::Tokenizer;

/// Lines encoded at a time, per thread.
const LINES_PER_THREAD: usize = 256;

/// Bytes of lines encoded at a time, so that long lines do not add up.
const BYTES_AT_A_TIME: usize = 64 << 20;

/// What becomes of an example that is longer than a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Truncation {
    /// Its beginning is kept; if there is nothing to learn in it, the example is left out.
    #[default]
    KeepStart,
    /// Its end is kept, which is without the system's message and the template's opening.
    KeepEnd,
    /// It is left out.
    Drop,
}

/// How instruction data is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstructionOptions {
    /// Tokens of a row: an example has at most one more, the last of which is only ever a target.
    pub seq_len: usize,
    /// What becomes of longer examples.
    pub truncation: Truncation,
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InstructionCounts {
    /// Examples that are used.
    pub examples: usize,
    /// Examples that are used in part.
    pub truncated: usize,
    /// Examples that are left out: too long, or without anything to learn in what is left of them.
    pub dropped: usize,
    /// Tokens of the examples that are used.
    pub tokens: usize,
    /// Of these, those that are learned.
    pub learned_tokens: usize,
}

/// Encoded examples.
#[derive(Clone, Debug)]
pub struct InstructionData {
    /// Ids, with [`LEARNED`] where they are.
    ids: Vec<u32>,
    /// Where each example starts, and at the end where the last one ends.
    starts: Vec<usize>,
    counts: InstructionCounts,
    fingerprint: [u8; 32],
}

impl InstructionData {
    /// Reads a JSON Lines file of examples, in any of the forms in use: `messages` of `role` and `content`;
    /// `conversations` of `from` and `value`; `prompt` and `completion`; `instruction`, `input`, `output`. All answers of
    /// a conversation are learned, of a prompt and its completion the completion.
    ///
    /// Encoded on the threads of the pool; their number changes nothing.
    ///
    /// # Errors
    /// [`TextError::AtLine`] for the first line that cannot be used, with what is wrong with it; [`TextError::Io`],
    /// [`TextError::LineTooLong`], [`TextError::TooManyTokens`], and [`TextError::NoExamples`] when none is left.
    pub fn open(
        path: &Path,
        tokenizer: &Tokenizer,
        template: &ChatTemplate,
        options: &InstructionOptions,
    ) -> Result<InstructionData> {
        let file = File::open(path).map_err(TextError::io("read", path))?;
        let mut lines = Lines {
            path,
            reader: BufReader::new(file),
            number: 0,
        };
        let mut data = InstructionData {
            ids: Vec::new(),
            starts: vec![0],
            counts: InstructionCounts::default(),
            fingerprint: [0; 32],
        };
        let mut digest = Sha256::new();
        loop {
            let batch = lines.next_batch()?;
            if batch.is_empty() {
                break;
            }
            let mut encoded: Vec<Result<Vec<u32>>> = batch.iter().map(|_| Ok(Vec::new())).collect();
            parallel_chunks_mut(&mut encoded, 1, |index, result| {
                result[0] = Example::parse(&batch[index].1)
                    .and_then(|example| render::encode(&example, template, tokenizer));
            });
            for ((line, text), ids) in batch.iter().zip(encoded) {
                digest.update(text);
                let ids = ids.map_err(|source| at_line(path, *line, source))?;
                data.add(ids, options, path)?;
            }
        }
        if data.counts.examples == 0 {
            return Err(TextError::NoExamples {
                path: path.to_owned(),
                dropped: data.counts.dropped,
            });
        }
        data.fingerprint = digest.finalize().into();
        Ok(data)
    }

    fn add(&mut self, mut ids: Vec<u32>, options: &InstructionOptions, path: &Path) -> Result<()> {
        let most = options.seq_len.saturating_add(1);
        let is_long = ids.len() > most;
        match options.truncation {
            _ if !is_long => (),
            Truncation::KeepStart => ids.truncate(most),
            Truncation::KeepEnd => drop(ids.drain(..ids.len() - most)),
            Truncation::Drop => ids.clear(),
        }
        // The first token of an example is no target.
        let learned = ids.iter().skip(1).filter(|&&id| id & LEARNED != 0).count();
        if learned == 0 {
            self.counts.dropped += 1;
            return Ok(());
        }
        if self.ids.len() + ids.len() > MAX_INSTRUCTION_TOKENS {
            return Err(TextError::TooManyTokens {
                path: path.to_owned(),
                limit: MAX_INSTRUCTION_TOKENS,
            });
        }
        self.ids.extend(ids);
        self.starts.push(self.ids.len());
        self.counts.examples += 1;
        self.counts.truncated += usize::from(is_long);
        self.counts.tokens = self.ids.len();
        self.counts.learned_tokens += learned;
        Ok(())
    }

    /// How much there is.
    pub fn counts(&self) -> InstructionCounts {
        self.counts
    }

    /// SHA-256 of the lines.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// An example: its ids, and for each whether it is learned.
    ///
    /// # Panics
    /// When there is no such example.
    pub fn example(&self, index: usize) -> impl ExactSizeIterator<Item = (u32, bool)> {
        self.marked(index)
            .iter()
            .map(|&id| (id & !LEARNED, id & LEARNED != 0))
    }

    /// The ids of an example with their marks.
    pub(super) fn marked(&self, index: usize) -> &[u32] {
        &self.ids[self.starts[index]..self.starts[index + 1]]
    }
}

fn at_line(path: &Path, line: u64, source: TextError) -> TextError {
    TextError::AtLine {
        path: path.to_owned(),
        line,
        source: Box::new(source),
    }
}

/// The lines of a file that are not blank, with their numbers.
struct Lines<'a> {
    path: &'a Path,
    reader: BufReader<File>,
    number: u64,
}

impl Lines<'_> {
    fn next_batch(&mut self) -> Result<Vec<(u64, Vec<u8>)>> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < LINES_PER_THREAD * pool::threads() && bytes < BYTES_AT_A_TIME {
            let mut line = Vec::new();
            let mut limited = (&mut self.reader).take(MAX_LINE_BYTES as u64 + 1);
            let read = limited
                .read_until(b'\n', &mut line)
                .map_err(TextError::io("read", self.path))?;
            self.number += 1;
            if read == 0 {
                break;
            }
            if read > MAX_LINE_BYTES {
                let path = self.path.to_owned();
                return Err(TextError::LineTooLong {
                    path,
                    line: self.number,
                    limit: MAX_LINE_BYTES,
                });
            }
            if self.number == 1 && line.starts_with(b"\xef\xbb\xbf") {
                line.drain(..3);
            }
            if !line.iter().all(u8::is_ascii_whitespace) {
                bytes += line.len();
                batch.push((self.number, line));
            }
        }
        Ok(batch)
    }
}
