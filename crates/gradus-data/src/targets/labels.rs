//! Labels that apply or do not: out of columns of 0 and 1, or out of one column of names.

use super::Targets;
use super::columns::missing;
use crate::error::{Error, Result};
use crate::labels::{ClassIndex, canonical, class_names};
use crate::limits::{MAX_CLASSES, MAX_DATA_BYTES};
use crate::locate::Location;
use crate::table::{Column, ColumnValues, TextColumn};

/// The flags of columns, row by row.
///
/// # Errors
/// For a cell that is none of 0, 1, true and false, with its place.
pub(crate) fn flags_of_columns(location: &Location, columns: Vec<Column>) -> Result<Targets> {
    let width = columns.len();
    let rows = columns.first().map_or(0, |column| column.values.len());
    let mut flags = vec![0; room_for(location, rows, width)?];
    let mut names = Vec::with_capacity(width);
    for (at, column) in columns.into_iter().enumerate() {
        let words = words_of(column.values);
        for row in 0..rows {
            let word = words
                .get(row)
                .ok_or_else(|| missing(location, row, &column.name))?;
            flags[row * width + at] = flag(word).ok_or_else(|| Error::NotAFlag {
                path: location.path().to_owned(),
                place: location.place(row),
                column: column.name.clone(),
                found: word.to_owned(),
            })?;
        }
        names.push(column.name);
    }
    Ok(Targets::Labels { flags, names })
}

/// Readers leave label columns as text, so that `true` and 1 of any format read alike.
fn words_of(values: ColumnValues) -> TextColumn {
    match values {
        ColumnValues::Text(words) => words,
        ColumnValues::Number(_) => unreachable!("bug: a label column was read as numbers"),
    }
}

fn flag(word: &str) -> Option<u8> {
    match canonical(word) {
        "1" => Some(1),
        "0" => Some(0),
        other if other.eq_ignore_ascii_case("true") => Some(1),
        other if other.eq_ignore_ascii_case("false") => Some(0),
        _ => None,
    }
}

/// A column whose cells name the labels that apply, with a separator between them.
pub(crate) struct Separated<'a> {
    pub(crate) words: &'a TextColumn,
    pub(crate) column: &'a str,
    pub(crate) separator: &'a str,
}

impl Separated<'_> {
    /// The flags of each row; a cell without a value names no label. `known` are the labels, or none to find them.
    ///
    /// # Errors
    /// For a label that is not known, with its place; when labels are to be found, for a separator that occurs nowhere
    /// and for more labels than could be meant.
    pub(crate) fn targets(&self, location: &Location, known: &[String]) -> Result<Targets> {
        let names = if known.is_empty() {
            self.discover(location)?
        } else {
            known.to_vec()
        };
        let (rows, width) = (self.words.len(), names.len());
        let mut flags = vec![0; room_for(location, rows, width)?];
        let index = ClassIndex::new(&names);
        for row in 0..rows {
            for word in self.labels_of(row) {
                let Some(label) = index.get(word) else {
                    let (path, place) = (location.path().to_owned(), location.place(row));
                    return Err(Error::UnknownLabel {
                        path,
                        place,
                        label: word.to_owned(),
                        known: names,
                    });
                };
                flags[row * width + label as usize] = 1;
            }
        }
        Ok(Targets::Labels { flags, names })
    }

    fn labels_of(&self, row: usize) -> impl Iterator<Item = &str> {
        let words = self.words.get(row).unwrap_or_default().split(self.separator);
        words.map(str::trim).filter(|word| !word.is_empty())
    }

    fn discover(&self, location: &Location) -> Result<Vec<String>> {
        let rows = 0..self.words.len();
        let is_separated = |row| {
            self.words
                .get(row)
                .is_some_and(|cell| cell.contains(self.separator))
        };
        if !rows.clone().any(is_separated) {
            return Err(Error::NothingSeparated {
                path: location.path().to_owned(),
                column: self.column.to_owned(),
                separator: self.separator.to_owned(),
            });
        }
        let names = class_names(rows.flat_map(|row| self.labels_of(row)));
        if names.len() > MAX_CLASSES {
            return Err(Error::TooManyClasses {
                path: location.path().to_owned(),
                column: Some(self.column.to_owned()),
                found: names.len(),
                rows: self.words.len(),
                limit: MAX_CLASSES,
            });
        }
        Ok(names)
    }
}

/// The length of `[rows, width]` flags, unless it is past what a data set may take: few rows can name many labels.
fn room_for(location: &Location, rows: usize, width: usize) -> Result<usize> {
    let bytes = (rows as u64).saturating_mul(width as u64);
    if bytes > MAX_DATA_BYTES {
        return Err(Error::TooLarge {
            path: location.path().to_owned(),
            bytes,
            limit: MAX_DATA_BYTES,
        });
    }
    Ok(bytes as usize)
}

/// Flags are 0 or 1.
pub(super) fn check(flags: &[u8], names: &[String]) -> Result<()> {
    match flags.iter().position(|&flag| flag > 1) {
        None => Ok(()),
        Some(at) => Err(Error::FlagValue {
            index: at / names.len(),
            label: names[at % names.len()].clone(),
            value: flags[at],
        }),
    }
}
