//! Where text comes from: files and folders of `.txt`, `.md`, `.jsonl` and `.parquet`, read a piece at a time.
//!
//! A text file is a document; a line of JSON Lines or a row of Parquet is one. Documents come in the order of the
//! files' names, and a long one comes in several pieces, so that memory does not grow with the data. Each piece says
//! where the next one starts, and reading can go on from there.

mod cut;
mod holdout;
mod json_lines;
mod parquet_rows;
mod plain;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::text::error::{Result, TextError};
use json_lines::JsonLines;
use parquet_rows::ParquetRows;
use plain::PlainText;

pub use holdout::{Holdout, Part};

/// The most bytes of a piece: 64 KiB. The tokenizers library keeps some 50 bytes for each byte that it works on, and is
/// four times slower on texts of many megabytes than on this.
pub const PIECE_BYTES: usize = 64 << 10;

/// The column of a table that holds the text, unless another is named.
pub const TEXT_COLUMN: &str = "text";

/// How deep folders are searched.
const MAX_FOLDER_DEPTH: usize = 32;

/// What a file of text looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextFormat {
    /// The whole file is one document (`.txt`, `.md`, `.text`).
    Plain,
    /// A JSON object per line (`.jsonl`, `.ndjson`, `.json`), the document in one of its fields.
    JsonLines,
    /// A row per document, in one of the columns (`.parquet`).
    Parquet,
}

impl TextFormat {
    fn of(path: &Path) -> Option<TextFormat> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "txt" | "md" | "text" => Some(TextFormat::Plain),
            "jsonl" | "ndjson" | "json" => Some(TextFormat::JsonLines),
            "parquet" => Some(TextFormat::Parquet),
            _ => None,
        }
    }
}

/// One file of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it looks like.
    pub format: TextFormat,
    /// Its length.
    pub bytes: u64,
    /// When it was last changed: nanoseconds since 1970.
    pub modified_ns: u64,
}

/// Files of text, in the order in which they are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextSource {
    files: Vec<SourceFile>,
    column: String,
}

impl TextSource {
    /// The files at `paths`: files as they are, folders with all that lies below them, sorted by path. Files of a
    /// folder with other endings, and those whose name starts with a dot, are left out; a file that is named is text
    /// unless its ending says otherwise. `column` is the field or column that holds the text of a table.
    ///
    /// # Errors
    /// [`TextError::Io`], and [`TextError::NoFiles`] when there is nothing to read.
    pub fn open(paths: &[impl AsRef<Path>], column: &str) -> Result<TextSource> {
        let mut files = Vec::new();
        for path in paths {
            let path = path.as_ref();
            let metadata = fs::metadata(path).map_err(TextError::io("read", path))?;
            if metadata.is_dir() {
                search(path, 0, &mut files)?;
            } else {
                files.push(source_file(
                    path,
                    TextFormat::of(path).unwrap_or(TextFormat::Plain),
                )?);
            }
        }
        if files.iter().all(|file| file.bytes == 0) {
            let paths = paths.iter().map(|path| path.as_ref().to_owned()).collect();
            return Err(TextError::NoFiles { paths });
        }
        Ok(TextSource {
            files,
            column: column.to_owned(),
        })
    }

    /// The files.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The length of all files together.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The pieces of a part, from the beginning.
    pub fn pieces(&self, part: Part) -> Pieces<'_> {
        self.pieces_from(part, Position::default())
    }

    /// As [`pieces`](Self::pieces), from where a piece said that the next one starts.
    pub fn pieces_from(&self, part: Part, position: Position) -> Pieces<'_> {
        Pieces {
            source: self,
            part,
            position,
            reader: None,
            ended: false,
        }
    }
}

/// A place between two documents, or in a text file between two pieces, at which reading can go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The file, by its place in the source.
    pub file: u64,
    /// Bytes before it in a file of text or lines; 0 in Parquet.
    pub offset: u64,
    /// Lines or rows before it.
    pub record: u64,
}

/// A document, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The text, not empty unless it ends a document.
    pub text: String,
    /// Whether the document ends with it.
    pub ends_document: bool,
    /// Where the next piece starts; `None` inside a line or row, where reading cannot go on.
    pub next: Option<Position>,
    /// How far reading has come: bytes of all files up to here, for a progress bar.
    pub bytes_read: u64,
}

/// What a reader gives: a piece without its place in the whole.
struct FilePiece {
    text: String,
    ends_document: bool,
    resume: Option<(u64, u64)>,
    bytes_read: u64,
}

/// The pieces of a source, in order. An error ends them.
pub struct Pieces<'a> {
    source: &'a TextSource,
    part: Part,
    position: Position,
    reader: Option<Reader>,
    ended: bool,
}

enum Reader {
    Plain(PlainText),
    JsonLines(Box<JsonLines>),
    Parquet(Box<ParquetRows>),
}

impl Pieces<'_> {
    fn next_piece(&mut self) -> Result<Option<Piece>> {
        loop {
            let index = self.position.file as usize;
            let Some(file) = self.source.files.get(index) else {
                return Ok(None);
            };
            if self.reader.is_none() {
                self.reader = Some(self.open(file)?);
            }
            let piece = match &mut self.reader {
                Some(Reader::Plain(reader)) => reader.next_piece()?,
                Some(Reader::JsonLines(reader)) => reader.next_piece()?,
                Some(Reader::Parquet(reader)) => reader.next_piece()?,
                None => None,
            };
            match piece {
                Some(piece) => return Ok(Some(self.place(piece))),
                None => {
                    self.reader = None;
                    self.position = Position {
                        file: index as u64 + 1,
                        ..Position::default()
                    };
                }
            }
        }
    }

    fn open(&self, file: &SourceFile) -> Result<Reader> {
        let Position {
            file: index,
            offset,
            record,
        } = self.position;
        let holdout = self.part.in_file(index);
        Ok(match file.format {
            TextFormat::Plain => Reader::Plain(PlainText::open(file, self.part, offset)?),
            TextFormat::JsonLines => {
                let reader = JsonLines::open(file, &self.source.column, holdout, [offset, record])?;
                Reader::JsonLines(Box::new(reader))
            }
            TextFormat::Parquet => Reader::Parquet(Box::new(ParquetRows::open(
                file,
                &self.source.column,
                holdout,
                record,
            )?)),
        })
    }

    fn place(&mut self, piece: FilePiece) -> Piece {
        let file = self.position.file;
        let before: u64 = self.source.files[..file as usize]
            .iter()
            .map(|file| file.bytes)
            .sum();
        Piece {
            text: piece.text,
            ends_document: piece.ends_document,
            next: piece
                .resume
                .map(|(offset, record)| Position { file, offset, record }),
            bytes_read: before + piece.bytes_read,
        }
    }
}

impl Iterator for Pieces<'_> {
    type Item = Result<Piece>;

    fn next(&mut self) -> Option<Result<Piece>> {
        if self.ended {
            return None;
        }
        let piece = self.next_piece().transpose();
        self.ended = !matches!(piece, Some(Ok(_)));
        piece
    }
}

/// The files below a folder, in the order of their names.
fn search(folder: &Path, depth: usize, files: &mut Vec<SourceFile>) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(TextError::io("read", folder))?;
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(TextError::io("read", folder))?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    for path in paths {
        if path.is_dir() && depth < MAX_FOLDER_DEPTH {
            search(&path, depth + 1, files)?;
        } else if let Some(format) = TextFormat::of(&path).filter(|_| path.is_file()) {
            files.push(source_file(&path, format)?);
        }
    }
    Ok(())
}

fn source_file(path: &Path, format: TextFormat) -> Result<SourceFile> {
    let metadata = fs::metadata(path).map_err(TextError::io("read", path))?;
    if !metadata.is_file() {
        return Err(TextError::io("read", path)(std::io::Error::other(
            "it is no regular file",
        )));
    }
    let modified = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Ok(SourceFile {
        path: path.to_owned(),
        format,
        bytes: metadata.len(),
        modified_ns: modified.map_or(0, |since| since.as_nanos() as u64),
    })
}
