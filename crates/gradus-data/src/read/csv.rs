//! Comma-separated text: a header line, then one row per record (RFC 4180: quoted fields may hold the delimiter, line
//! breaks and doubled quotes).
//!
//! The delimiter is whichever of `,` `;` tab `|` occurs most often in the header line, so files that say `.csv` and
//! mean semicolons read as they are. The file is parsed twice: once to see which columns are numbers and that no row is
//! ragged, once to fill columns of the right type. That costs less than holding every cell as text.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

use csv::{ByteRecord, Reader, ReaderBuilder};

use crate::error::{Error, Result};
use crate::limits::MAX_COLUMNS;
use crate::read::bytes::read_unpacked;
use crate::table::{Cell, Column, ColumnChoice, ColumnValues, Table, TextColumn, parse_number};

/// Delimiters tried, in order of preference when none is more frequent.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// UTF-8's byte order mark, which spreadsheet programs write first.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Reads a CSV file, plain or gzip.
///
/// A column is of numbers when each of its cells is missing or spells a finite number, unless `choice` asks for text.
///
/// # Errors
/// When the file cannot be read, is not UTF-8, has no header or no rows, names a column twice or not at all, or has a
/// row of another length than the header. Each error names the file and the line.
pub fn read_csv(path: &Path, choice: ColumnChoice<'_>) -> Result<Table> {
    let bytes = read_unpacked(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| Error::NotUtf8 {
        path: path.to_owned(),
        line: line_of(&bytes, error.valid_up_to()),
    })?;
    CsvText {
        path,
        text: text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text),
    }
    .read(choice)
}

/// 1-based line of a byte.
fn line_of(bytes: &[u8], offset: usize) -> u64 {
    1 + bytes[..offset].iter().filter(|&&byte| byte == b'\n').count() as u64
}

struct CsvText<'a> {
    path: &'a Path,
    text: &'a str,
}

impl CsvText<'_> {
    fn read(&self, choice: ColumnChoice<'_>) -> Result<Table> {
        let header = self.header(choice)?;
        let (rows, is_number) = self.infer_types(&header, choice)?;
        if rows == 0 {
            return Err(Error::Empty {
                path: self.path.to_owned(),
                what: "rows",
            });
        }
        let kept: Vec<usize> = (0..header.len()).filter(|&i| !choice.drops(&header[i])).collect();
        let mut values: Vec<ColumnValues> = kept.iter().map(|&i| empty_column(is_number[i], rows)).collect();
        self.for_each_row(header.len(), |record| {
            for (values, &i) in values.iter_mut().zip(&kept) {
                push_cell(values, field(record, i));
            }
        })?;
        let columns = kept.iter().zip(values).map(|(&i, values)| Column {
            name: header[i].clone(),
            values,
        });
        Ok(Table::new(columns.collect(), rows))
    }

    fn reader(&self) -> Reader<&[u8]> {
        // Row lengths are checked here rather than by the csv crate, for an error of our own with the line.
        ReaderBuilder::new()
            .delimiter(self.delimiter())
            .flexible(true)
            .from_reader(self.text.as_bytes())
    }

    fn delimiter(&self) -> u8 {
        let header = self
            .text
            .lines()
            .find(|line| !line.is_empty())
            .unwrap_or_default();
        // Every second piece between quotes is a name, in which a delimiter is none.
        let count = |delimiter: u8| -> usize {
            let unquoted = header.split('"').step_by(2);
            unquoted
                .map(|piece| piece.bytes().filter(|&byte| byte == delimiter).count())
                .sum()
        };
        // `max_by_key` takes the last of equals.
        DELIMITERS
            .into_iter()
            .rev()
            .max_by_key(|&delimiter| count(delimiter))
            .unwrap_or(b',')
    }

    fn header(&self, choice: ColumnChoice<'_>) -> Result<Vec<String>> {
        let path = || self.path.to_owned();
        let mut reader = self.reader();
        let record = reader
            .headers()
            .map_err(|source| Error::Csv { path: path(), source })?;
        let names: Vec<String> = record.iter().map(|name| name.trim().to_owned()).collect();
        if names.is_empty() {
            return Err(Error::Empty {
                path: path(),
                what: "header line",
            });
        }
        check_names(self.path, &names, choice)?;
        Ok(names)
    }

    /// Counts the rows, refuses ragged ones and finds the columns that are numbers throughout.
    fn infer_types(&self, header: &[String], choice: ColumnChoice<'_>) -> Result<(usize, Vec<bool>)> {
        let mut is_number: Vec<bool> = header.iter().map(|name| !choice.is_text(name)).collect();
        let mut rows = 0;
        self.for_each_row(header.len(), |record| {
            rows += 1;
            for (i, is_number) in is_number
                .iter_mut()
                .enumerate()
                .filter(|(_, is_number)| **is_number)
            {
                *is_number = match Cell::from_text(field(record, i)) {
                    Cell::Missing => true,
                    Cell::Text(text) => parse_number(text).is_some(),
                    Cell::Number(_) => true,
                };
            }
        })?;
        Ok((rows, is_number))
    }

    /// Calls `visit` with the fields of each row.
    fn for_each_row(&self, width: usize, mut visit: impl FnMut(&ByteRecord)) -> Result<()> {
        let mut reader = self.reader();
        let mut record = ByteRecord::new();
        while reader
            .read_byte_record(&mut record)
            .map_err(|source| Error::Csv {
                path: self.path.to_owned(),
                source,
            })?
        {
            if record.len() != width {
                let (path, line, found) = (self.path.to_owned(), self.line(&record), record.len());
                return Err(Error::RaggedRow {
                    path,
                    line,
                    expected: width,
                    found,
                });
            }
            visit(&record);
        }
        Ok(())
    }

    /// The 1-based line on which a record starts. The csv crate counts the blank lines before a record to it.
    fn line(&self, record: &ByteRecord) -> u64 {
        let Some(position) = record.position() else {
            return 1;
        };
        let from = self
            .text
            .as_bytes()
            .get(position.byte() as usize..)
            .unwrap_or_default();
        let blank = from.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
        position.line() + blank.filter(|&&byte| byte == b'\n').count() as u64
    }
}

/// The records of a CSV file as they stand in it, to be copied byte for byte.
pub(crate) struct CsvRecords {
    bytes: Vec<u8>,
    header: Range<usize>,
    records: Vec<Range<usize>>,
}

impl CsvRecords {
    /// Finds the records of a file, plain or gzip. The same files are refused as by [`read_csv`].
    pub(crate) fn read(path: &Path) -> Result<CsvRecords> {
        let bytes = read_unpacked(path)?;
        let text = std::str::from_utf8(&bytes).map_err(|error| Error::NotUtf8 {
            path: path.to_owned(),
            line: line_of(&bytes, error.valid_up_to()),
        })?;
        let unmarked = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let mark = text.len() - unmarked.len();
        let csv = CsvText { path, text: unmarked };
        let width = csv.header(ColumnChoice::default())?.len();
        let mut starts = Vec::new();
        csv.for_each_row(width, |record| {
            // The csv crate counts the blank lines before a record to it.
            let start = mark + record.position().map_or(0, |position| position.byte() as usize);
            let blank = bytes[start..]
                .iter()
                .take_while(|&&byte| matches!(byte, b'\r' | b'\n'));
            starts.push(start + blank.count());
        })?;
        let Some(&first) = starts.first() else {
            let path = path.to_owned();
            return Err(Error::Empty { path, what: "rows" });
        };
        let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
        let records = starts
            .iter()
            .zip(ends)
            .map(|(&start, end)| start..trimmed(&bytes, start, end));
        let records = records.collect();
        let header = 0..trimmed(&bytes, 0, first);
        Ok(CsvRecords {
            bytes,
            header,
            records,
        })
    }

    /// Number of records, the heading not counted.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// The heading and some of the records, each with the line break that the heading has.
    pub(crate) fn copy(&self, rows: &[usize]) -> Vec<u8> {
        let newline: &[u8] = match self.bytes[self.header.end..].starts_with(b"\r\n") {
            true => b"\r\n",
            false => b"\n",
        };
        let ranges = std::iter::once(&self.header).chain(rows.iter().map(|&row| &self.records[row]));
        let len = ranges.clone().map(|range| range.len() + newline.len()).sum();
        let mut copied = Vec::with_capacity(len);
        for range in ranges {
            copied.extend_from_slice(&self.bytes[range.clone()]);
            copied.extend_from_slice(newline);
        }
        copied
    }
}

/// The end of a record without the line breaks that follow it.
fn trimmed(bytes: &[u8], start: usize, end: usize) -> usize {
    let breaks = bytes[start..end]
        .iter()
        .rev()
        .take_while(|&&byte| matches!(byte, b'\r' | b'\n'));
    end - breaks.count()
}

/// A field as text. The whole file was checked to be UTF-8, and the csv crate cuts and unquotes at ASCII bytes only.
fn field(record: &ByteRecord, index: usize) -> &str {
    std::str::from_utf8(&record[index]).expect("fields of UTF-8 text are UTF-8")
}

fn empty_column(is_number: bool, rows: usize) -> ColumnValues {
    if is_number {
        ColumnValues::Number(Vec::with_capacity(rows))
    } else {
        ColumnValues::Text(TextColumn::default())
    }
}

fn push_cell(values: &mut ColumnValues, text: &str) {
    match values {
        ColumnValues::Number(numbers) => numbers.push(Cell::from_text(text).as_number().unwrap_or(f64::NAN)),
        ColumnValues::Text(column) => column.push(text),
    }
}

/// Refuses names that cannot address one column, and choices that address none.
pub(crate) fn check_names(path: &Path, names: &[String], choice: ColumnChoice<'_>) -> Result<()> {
    if names.len() > MAX_COLUMNS {
        return Err(Error::TooManyColumns {
            path: path.to_owned(),
            found: names.len(),
            limit: MAX_COLUMNS,
        });
    }
    let mut seen = HashSet::new();
    for (index, name) in names.iter().enumerate().filter(|(_, name)| !choice.drops(name)) {
        if name.is_empty() {
            return Err(Error::UnnamedColumn {
                path: path.to_owned(),
                column: index + 1,
            });
        }
        if !seen.insert(name) {
            return Err(Error::DuplicateColumn {
                path: path.to_owned(),
                name: name.clone(),
            });
        }
    }
    // What a model takes must be there. So must what a recipe drops: a misspelt name would let the column in.
    let named: Vec<&String> = match choice.keep {
        Some(keep) => keep.iter().collect(),
        None => choice.drop.iter().chain(choice.text).collect(),
    };
    match named.into_iter().find(|&name| !names.contains(name)) {
        Some(name) => Err(Error::NoColumn {
            path: path.to_owned(),
            name: name.clone(),
            columns: names.to_vec(),
        }),
        None => Ok(()),
    }
}

/// The 1-based line on which a data row starts, for messages about its content. Parses the file again: it is only
/// called when there is something to complain about.
pub(crate) fn line_of_row(path: &Path, row: usize) -> Option<u64> {
    let bytes = read_unpacked(path).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    let csv = CsvText {
        path,
        text: text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text),
    };
    let mut reader = csv.reader();
    let record = reader.byte_records().nth(row)?.ok()?;
    Some(csv.line(&record))
}
