//! A text file, in pieces.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::{FilePiece, PIECE_BYTES, Part, SourceFile, cut};
use crate::text::error::{Result, TextError};

/// What some editors put before UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How far the end of a line is looked for, where a file is divided.
const LINE_SEARCH_BYTES: usize = 64 << 10;

pub(super) struct PlainText {
    path: PathBuf,
    file: File,
    offset: u64,
    end: u64,
    /// Bytes that were read and not given yet: the end of a piece after its cut.
    buffer: Vec<u8>,
    done: bool,
}

impl PlainText {
    /// The part's bytes of the file, from `offset` on if that is within them.
    pub(super) fn open(source: &SourceFile, part: Part, offset: u64) -> Result<PlainText> {
        let path = &source.path;
        let mut file = File::open(path).map_err(TextError::io("read", path))?;
        let mut bounds = part.byte_range(source.bytes);
        for bound in &mut bounds {
            *bound = to_line_end(&mut file, *bound, source.bytes).map_err(TextError::io("read", path))?;
        }
        let [start, end] = bounds;
        let offset = offset.max(start);
        file.seek(SeekFrom::Start(offset))
            .map_err(TextError::io("read", path))?;
        Ok(PlainText {
            path: path.clone(),
            file,
            offset,
            end,
            buffer: Vec::new(),
            done: offset >= end,
        })
    }

    pub(super) fn next_piece(&mut self) -> Result<Option<FilePiece>> {
        if self.done {
            return Ok(None);
        }
        let wanted = PIECE_BYTES - self.buffer.len();
        let left = self.end - self.offset - self.buffer.len() as u64;
        let read = (&mut self.file)
            .take(left.min(wanted as u64))
            .read_to_end(&mut self.buffer);
        let read = read.map_err(TextError::io("read", &self.path))? as u64;
        if read < left.min(wanted as u64) {
            // The file is shorter than it was when the source was opened.
            let gone = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
            return Err(TextError::io("read", &self.path)(gone));
        }
        let is_last = read == left;
        let mut text = self.whole_text(is_last)?;
        if !is_last {
            text.truncate(cut::cut(&text));
        }
        let given = text.len();
        self.buffer.drain(..given);
        if self.offset == 0 && text.as_bytes().starts_with(BYTE_ORDER_MARK) {
            text.drain(..BYTE_ORDER_MARK.len());
        }
        self.offset += given as u64;
        self.done = is_last;
        Ok(Some(FilePiece {
            text,
            ends_document: is_last,
            resume: Some((self.offset, 0)),
            bytes_read: self.offset,
        }))
    }

    /// The buffer as text; at its end a character may be cut short, unless the file ends there.
    fn whole_text(&self, is_last: bool) -> Result<String> {
        let valid = match std::str::from_utf8(&self.buffer) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() && !is_last => {
                std::str::from_utf8(&self.buffer[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(error) => {
                return Err(TextError::NotUtf8At {
                    path: self.path.clone(),
                    offset: self.offset + error.valid_up_to() as u64,
                });
            }
        };
        Ok(valid.to_owned())
    }
}

/// Moves a place inside a file behind the end of its line; if no line ends nearby, to the start of a character.
fn to_line_end(file: &mut File, place: u64, bytes: u64) -> std::io::Result<u64> {
    if place == 0 || place >= bytes {
        return Ok(place.min(bytes));
    }
    // One byte earlier, so that a place behind a line break is left as it is.
    file.seek(SeekFrom::Start(place - 1))?;
    let mut window = Vec::new();
    file.take(LINE_SEARCH_BYTES as u64).read_to_end(&mut window)?;
    if let Some(line_break) = window.iter().position(|&byte| byte == b'\n') {
        return Ok(place + line_break as u64);
    }
    let is_start = |byte: &u8| (*byte as i8) >= -0x40;
    Ok(place + window.iter().skip(1).position(is_start).unwrap_or(0) as u64)
}
