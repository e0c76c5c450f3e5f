//! A file of documents.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use gradus_data::text::TextError;

use super::document::Document;
use crate::{Error, Result};

/// The longest line that is read: 16 MiB, many times the context of any model.
pub const MAX_TASK_LINE_BYTES: usize = 16 << 20;

/// The most documents of one task; the largest in use have about a hundred thousand.
pub const MAX_DOCUMENTS: usize = 1 << 20;

/// The documents of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// What it is called: the file's name without its ending.
    pub name: String,
    /// At least one.
    pub documents: Vec<Document>,
}

impl Task {
    /// Reads a file of JSON Lines, at most `limit` documents of it if there is one. Blank lines are passed over.
    ///
    /// # Errors
    /// [`Error::InTask`] for the first line that cannot be used, with what is wrong with it (see [`Document::parse`]);
    /// [`Error::Text`] for a file that cannot be read, is not UTF-8 or has a line past the limit; [`Error::Empty`] for one
    /// without documents; [`Error::TaskDocuments`] for one with too many.
    pub fn open(path: &Path, limit: Option<usize>) -> Result<Task> {
        let file = File::open(path).map_err(|source| cannot_read(path, source))?;
        let mut reader = BufReader::new(file);
        let (mut documents, mut line, mut number) = (Vec::new(), Vec::new(), 0);
        while limit.is_none_or(|limit| documents.len() < limit) {
            line.clear();
            let mut limited = (&mut reader).take(MAX_TASK_LINE_BYTES as u64 + 1);
            let read = limited.read_until(b'\n', &mut line);
            number += 1;
            if read.map_err(|source| cannot_read(path, source))? == 0 {
                break;
            }
            if let Some(document) = document(&line, path, number)? {
                if documents.len() == MAX_DOCUMENTS {
                    return Err(Error::TaskDocuments {
                        path: path.to_owned(),
                        limit: MAX_DOCUMENTS,
                    });
                }
                documents.push(document);
            }
        }
        if documents.is_empty() {
            return Err(Error::Empty {
                what: "the task file",
            });
        }
        let name = path.file_stem().unwrap_or(path.as_os_str());
        Ok(Task {
            name: name.to_string_lossy().into_owned(),
            documents,
        })
    }
}

fn document(line: &[u8], path: &Path, number: u64) -> Result<Option<Document>> {
    if line.len() > MAX_TASK_LINE_BYTES {
        return Err(Error::Text(TextError::LineTooLong {
            path: path.to_owned(),
            line: number,
            limit: MAX_TASK_LINE_BYTES,
        }));
    }
    let Ok(text) = std::str::from_utf8(line) else {
        return Err(Error::Text(TextError::NotUtf8 {
            origin: format!("{}, line {number},", path.display()),
        }));
    };
    // A mark that some editors put at a file's start.
    let text = text
        .strip_prefix('\u{feff}')
        .filter(|_| number == 1)
        .unwrap_or(text)
        .trim();
    if text.is_empty() {
        return Ok(None);
    }
    Document::parse(text).map(Some).map_err(|source| Error::InTask {
        path: path.to_owned(),
        line: number,
        source: Box::new(source),
    })
}

fn cannot_read(path: &Path, source: std::io::Error) -> Error {
    Error::Text(TextError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    })
}
