//! JSON Lines: one field of each object, found without building the rest.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::PathBuf;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::holdout::RecordChoice;
use super::{FilePiece, PIECE_BYTES, SourceFile, cut};
use crate::limits::MAX_LINE_BYTES;
use crate::text::error::{Result, TextError};

/// Lines are read through a buffer of this size.
const BUFFER_BYTES: usize = 1 << 20;

pub(super) struct JsonLines {
    path: PathBuf,
    reader: BufReader<File>,
    column: String,
    choice: RecordChoice,
    offset: u64,
    /// Lines before the next one.
    record: u64,
    line: Vec<u8>,
    /// Pieces of a long document that were not given yet, the next one last.
    waiting: Vec<FilePiece>,
}

impl JsonLines {
    pub(super) fn open(
        source: &SourceFile,
        column: &str,
        choice: RecordChoice,
        [offset, record]: [u64; 2],
    ) -> Result<JsonLines> {
        let path = &source.path;
        let mut file = File::open(path).map_err(TextError::io("read", path))?;
        file.seek(SeekFrom::Start(offset))
            .map_err(TextError::io("read", path))?;
        Ok(JsonLines {
            path: path.clone(),
            reader: BufReader::with_capacity(BUFFER_BYTES, file),
            column: column.to_owned(),
            choice,
            offset,
            record,
            line: Vec::new(),
            waiting: Vec::new(),
        })
    }

    pub(super) fn next_piece(&mut self) -> Result<Option<FilePiece>> {
        loop {
            if let Some(piece) = self.waiting.pop() {
                return Ok(Some(piece));
            }
            if !self.read_line()? {
                return Ok(None);
            }
            let is_blank = self.line.iter().all(u8::is_ascii_whitespace);
            if is_blank || !self.choice.takes(self.record - 1) {
                continue;
            }
            let text = self.text()?;
            if !text.is_empty() {
                self.waiting = pieces(&text, (self.offset, self.record), self.offset);
            }
        }
    }

    /// Reads the next line, within the limit; `false` at the end.
    fn read_line(&mut self) -> Result<bool> {
        self.line.clear();
        let mut limited = (&mut self.reader).take(MAX_LINE_BYTES as u64 + 1);
        let read = limited
            .read_until(b'\n', &mut self.line)
            .map_err(TextError::io("read", &self.path))?;
        self.record += 1;
        self.offset += read as u64;
        if read > MAX_LINE_BYTES {
            return Err(TextError::LineTooLong {
                path: self.path.clone(),
                line: self.record,
                limit: MAX_LINE_BYTES,
            });
        }
        Ok(read > 0)
    }

    fn text(&self) -> Result<String> {
        let line = || (self.path.clone(), self.record);
        let bytes = self.line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.line);
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let found = Field { name: &self.column }
            .deserialize(&mut deserializer)
            .and_then(|found| deserializer.end().map(|()| found));
        match found {
            Ok(Some(text)) => Ok(text),
            Ok(None) => {
                let (path, line) = line();
                Err(TextError::NoField {
                    path,
                    line,
                    field: self.column.clone(),
                })
            }
            Err(source) => {
                let (path, line) = line();
                Err(TextError::Line { path, line, source })
            }
        }
    }
}

/// The pieces of one document, the first one last; reading goes on behind the last.
pub(super) fn pieces(text: &str, resume: (u64, u64), bytes_read: u64) -> Vec<FilePiece> {
    let parts = cut::split(text, PIECE_BYTES);
    let count = parts.len();
    let pieces = parts.into_iter().enumerate().map(|(index, text)| FilePiece {
        text: text.to_owned(),
        ends_document: index + 1 == count,
        resume: (index + 1 == count).then_some(resume),
        bytes_read,
    });
    let mut pieces: Vec<FilePiece> = pieces.collect();
    pieces.reverse();
    pieces
}

/// The text in one field of an object.
struct Field<'a> {
    name: &'a str,
}

impl<'de> DeserializeSeed<'de> for Field<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<Option<String>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Field<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with a text `{}`", self.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Option<String>, A::Error> {
        let mut text = None;
        while let Some(is_wanted) = map.next_key_seed(Key { wanted: self.name })? {
            match is_wanted {
                true => text = Some(map.next_value()?),
                false => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(text)
    }
}

/// Whether a key is the one that is wanted.
struct Key<'a> {
    wanted: &'a str,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> std::result::Result<bool, E> {
        Ok(key == self.wanted)
    }
}
