//! One text column of a Parquet file, row group by row group: files larger than memory, with other columns of any kind
//! beside it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gradus_tensor::MappedFile;
use parquet::basic::Type as PhysicalType;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::parquet::{Source, guarded, unsupported};
use crate::error::{Error, Result};

/// Rows decoded at a time; texts are long.
const BATCH_ROWS: usize = 64;

/// The most groups of columns in a schema: the parquet crate builds a tree of them by recursion.
const MAX_GROUPS: usize = 256;

/// Reads the rows of a text column in order.
pub(crate) struct TextColumnReader {
    path: PathBuf,
    column: String,
    /// The column's place among the leaves of the schema.
    index: usize,
    reader: SerializedFileReader<File>,
    is_optional: bool,
    rows: u64,
    /// The row group after the one that is read now.
    next_group: usize,
    current: Option<ColumnReaderImpl<ByteArrayType>>,
    /// Decoded rows, the next one last.
    decoded: Vec<Option<ByteArray>>,
    next_row: u64,
}

impl TextColumnReader {
    /// Opens a file at a row.
    ///
    /// # Errors
    /// As [`read_parquet`](super::parquet::read_parquet), for this column alone.
    pub(crate) fn open(path: &Path, column: &str, first_row: u64) -> Result<TextColumnReader> {
        let source = Source { path };
        let mapped = map(path)?;
        source.check_footer(mapped.bytes(), MAX_GROUPS)?;
        guarded(path, || {
            let file = File::open(path).map_err(|error| source.io(error))?;
            let reader = SerializedFileReader::new(file).map_err(|error| source.damaged(error))?;
            let (index, is_optional) = find_column(path, &reader, column)?;
            let mut rows = 0u64;
            for group in reader.metadata().row_groups() {
                let group_rows =
                    u64::try_from(group.num_rows()).map_err(|_| source.malformed("row count"))?;
                rows = rows.saturating_add(group_rows);
                source.check_chunk(group.column(index), mapped.bytes())?;
            }
            let mut opened = TextColumnReader {
                path: path.to_owned(),
                column: column.to_owned(),
                index,
                reader,
                is_optional,
                rows,
                next_group: 0,
                current: None,
                decoded: Vec::new(),
                next_row: 0,
            };
            opened.skip_to(first_row)?;
            Ok(opened)
        })
    }

    /// Rows of the file.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// The next row and its text, empty where it is null.
    pub(crate) fn next_row(&mut self) -> Result<Option<(u64, String)>> {
        while self.decoded.is_empty() {
            let path = self.path.clone();
            if !guarded(&path, || self.decode())? {
                return Ok(None);
            }
        }
        let row = self.next_row;
        self.next_row += 1;
        let bytes = self.decoded.pop().flatten();
        let text = bytes.map_or(Ok(String::new()), |bytes| {
            std::str::from_utf8(bytes.data())
                .map(str::to_owned)
                .map_err(|_| Error::NotUtf8Column {
                    path: self.path.clone(),
                    column: self.column.clone(),
                })
        });
        Ok(Some((row, text?)))
    }

    fn skip_to(&mut self, row: u64) -> Result<()> {
        while self.next_group < self.reader.num_row_groups() {
            let group_rows = self.reader.metadata().row_group(self.next_group).num_rows() as u64;
            if self.next_row + group_rows > row {
                break;
            }
            self.next_row += group_rows;
            self.next_group += 1;
        }
        while self.next_row < row && self.next_row()?.is_some() {}
        Ok(())
    }

    /// Decodes some rows; `false` when there are none left.
    fn decode(&mut self) -> Result<bool> {
        loop {
            let Some(current) = &mut self.current else {
                if !self.next_group()? {
                    return Ok(false);
                }
                continue;
            };
            let (mut levels, mut values) = (Vec::new(), Vec::new());
            let wanted_levels = self.is_optional.then_some(&mut levels);
            let (records, _, _) = current
                .read_records(BATCH_ROWS, wanted_levels, None, &mut values)
                .map_err(|source| Error::Parquet {
                    path: self.path.clone(),
                    source,
                })?;
            if records == 0 {
                self.current = None;
                continue;
            }
            let mut present = values.into_iter();
            let is_null = |record: usize| self.is_optional && levels.get(record) == Some(&0);
            self.decoded
                .extend((0..records).map(|record| if is_null(record) { None } else { present.next() }));
            self.decoded.reverse();
            return Ok(true);
        }
    }

    fn next_group(&mut self) -> Result<bool> {
        if self.next_group >= self.reader.num_row_groups() {
            return Ok(false);
        }
        let damaged = |source| Error::Parquet {
            path: self.path.clone(),
            source,
        };
        let group = self.reader.get_row_group(self.next_group).map_err(damaged)?;
        match group.get_column_reader(self.index).map_err(damaged)? {
            ColumnReader::ByteArrayColumnReader(reader) => self.current = Some(reader),
            _ => return Err(unsupported(&self.path, &self.column, "something other than text")),
        }
        self.next_group += 1;
        Ok(true)
    }
}

fn map(path: &Path) -> Result<Arc<MappedFile>> {
    MappedFile::open(path).map_err(|error| Error::Io {
        path: path.to_owned(),
        source: std::io::Error::other(error),
    })
}

/// The place of a text column, and whether it may hold nulls.
fn find_column(path: &Path, reader: &SerializedFileReader<File>, column: &str) -> Result<(usize, bool)> {
    let schema = reader.metadata().file_metadata().schema_descr();
    let is_wanted = |parts: &[String]| parts.first().is_some_and(|part| part == column);
    let Some(index) = schema
        .columns()
        .iter()
        .position(|descriptor| is_wanted(descriptor.path().parts()))
    else {
        let mut columns: Vec<String> = schema
            .columns()
            .iter()
            .map(|column| column.path().string())
            .collect();
        columns.dedup();
        return Err(Error::NoColumn {
            path: path.to_owned(),
            name: column.to_owned(),
            columns,
        });
    };
    let descriptor = schema.column(index);
    if descriptor.path().parts().len() != 1 || descriptor.max_rep_level() > 0 {
        return Err(Error::NestedColumn {
            path: path.to_owned(),
            column: column.to_owned(),
        });
    }
    if descriptor.physical_type() != PhysicalType::BYTE_ARRAY {
        return Err(unsupported(path, column, "numbers"));
    }
    Ok((index, descriptor.max_def_level() > 0))
}
