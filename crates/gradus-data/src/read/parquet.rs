//! Flat Parquet tables, through the `parquet` crate without Arrow.
//!
//! The crate decodes; what comes before is ours: the footer and every page header are walked first ([`super::thrift`]),
//! and sizes that the file's length does not justify are refused before anything is allocated by them. Nested columns
//! are refused by name. Codecs that need a C library (Zstandard, LZO) are not built in; the error says how to rewrite
//! the file.

use std::any::Any;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::basic::{Compression, ConvertedType, LogicalType, Type as PhysicalType};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use crate::error::{Error, Result};
use crate::limits::{MAX_DATA_BYTES, expansion_is_justified};
use crate::read::csv::check_names;
use crate::read::thrift::{self, Value};
use crate::table::{Column, ColumnChoice, ColumnValues, Table, TextColumn, number_text};

/// The file's first and last four bytes.
const MAGIC: &[u8] = b"PAR1";

/// The footer's length and the magic, at the end of the file.
const TAIL_LEN: usize = 8;

/// Cells decoded at a time: enough to amortise a call, small beside the column.
const BATCH_ROWS: usize = 8192;

/// Field numbers of `FileMetaData.schema` (parquet.thrift), down to an element's name and number of children.
const SCHEMA_NAME: [i16; 2] = [2, 4];
const SCHEMA_CHILDREN: [i16; 2] = [2, 5];

/// Field numbers of `PageHeader` (parquet.thrift).
const PAGE_UNCOMPRESSED_SIZE: [i16; 1] = [2];
const PAGE_COMPRESSED_SIZE: [i16; 1] = [3];

/// Reads a Parquet file of flat columns: booleans and strings as text, numbers as numbers unless `choice` asks for text.
///
/// # Errors
/// When the file cannot be read, is not Parquet or is damaged, claims sizes its length does not justify, is compressed
/// with a codec that is not built in, or has a nested column or one of a type that is not listed above.
pub fn read_parquet(path: &Path, choice: ColumnChoice<'_>) -> Result<Table> {
    let source = Source { path };
    let file = File::open(path).map_err(|error| source.io(error))?;
    let bytes = file.metadata().map_err(|error| source.io(error))?.len();
    if bytes > MAX_DATA_BYTES {
        return Err(Error::TooLarge {
            path: path.to_owned(),
            bytes,
            limit: MAX_DATA_BYTES,
        });
    }
    let contents = file
        .get_bytes(0, bytes as usize)
        .map_err(|error| source.damaged(error))?;
    source.check_footer(&contents, 1)?;
    // The parquet crate asserts some properties of a page's contents (version 60: that a dictionary's strings end with
    // it) where it should return an error. What it was working on is dropped.
    guarded(path, || {
        let reader = SerializedFileReader::new(contents.clone()).map_err(|error| source.damaged(error))?;
        source.check_metadata(&reader, &contents, choice)?;
        source.read_columns(&reader, choice)
    })
}

/// Runs the decoder, a panic of which is an error of the file.
pub(super) fn guarded<T>(path: &Path, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|panic| {
        Err(Error::ParquetDecoder {
            path: path.to_owned(),
            reason: panic_message(&*panic),
        })
    })
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    message
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
        .to_owned()
}

/// A file, for the errors about it.
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
}

impl Source<'_> {
    pub(super) fn io(&self, source: std::io::Error) -> Error {
        Error::Io {
            path: self.path.to_owned(),
            source,
        }
    }

    pub(super) fn damaged(&self, source: ParquetError) -> Error {
        Error::Parquet {
            path: self.path.to_owned(),
            source,
        }
    }

    pub(super) fn malformed(&self, what: &'static str) -> Error {
        Error::ParquetMalformed {
            path: self.path.to_owned(),
            what,
        }
    }

    /// Finds the footer and refuses schemas with more than `max_groups` groups of columns, the root included, before the
    /// parquet crate builds a tree of them.
    pub(super) fn check_footer(&self, contents: &[u8], max_groups: usize) -> Result<()> {
        let (body, tail) = contents
            .split_last_chunk::<TAIL_LEN>()
            .ok_or_else(|| self.malformed("file length"))?;
        if !contents.starts_with(MAGIC) || tail[4..] != *MAGIC {
            return Err(Error::ParquetMagic {
                path: self.path.to_owned(),
            });
        }
        let footer_len = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]) as usize;
        let footer = body
            .len()
            .checked_sub(footer_len)
            .and_then(|start| body.get(start..));
        let footer = footer.ok_or_else(|| self.malformed("footer length"))?;
        let (mut name, mut groups, mut nested) = (&b""[..], 0, None);
        thrift::walk(footer, &mut |path, value| match value {
            Value::Bytes(bytes) if path == SCHEMA_NAME => name = bytes,
            Value::Integer(children) if path == SCHEMA_CHILDREN && children != 0 => {
                groups += 1;
                if groups == max_groups + 1 {
                    nested = Some(String::from_utf8_lossy(name).into_owned());
                }
            }
            Value::Integer(_) | Value::Bytes(_) => (),
        })
        .map_err(|thrift::Malformed| self.malformed("footer"))?;
        match nested {
            Some(column) => Err(Error::NestedColumn {
                path: self.path.to_owned(),
                column,
            }),
            None => Ok(()),
        }
    }

    /// Checks names, types, codecs, row counts and the sizes in all page headers of the columns to be read.
    fn check_metadata(
        &self,
        reader: &SerializedFileReader<impl ChunkReader + 'static>,
        contents: &[u8],
        choice: ColumnChoice<'_>,
    ) -> Result<()> {
        let metadata = reader.metadata();
        let schema = metadata.file_metadata().schema_descr();
        let names: Vec<String> = schema
            .columns()
            .iter()
            .map(|column| column.name().to_owned())
            .collect();
        check_names(self.path, &names, choice)?;
        let mut rows = 0u64;
        for group in metadata.row_groups() {
            let group_rows = u64::try_from(group.num_rows()).map_err(|_| self.malformed("row count"))?;
            rows = rows.saturating_add(group_rows);
            for chunk in group
                .columns()
                .iter()
                .filter(|chunk| !choice.drops(chunk.column_descr().name()))
            {
                self.check_chunk(chunk, contents)?;
            }
        }
        if rows == 0 {
            return Err(Error::Empty {
                path: self.path.to_owned(),
                what: "rows",
            });
        }
        let decoded = rows.saturating_mul(8).saturating_mul(names.len() as u64);
        if decoded > MAX_DATA_BYTES || !expansion_is_justified(contents.len() as u64, decoded) {
            return Err(Error::ParquetImplausible {
                path: self.path.to_owned(),
                rows,
                columns: names.len(),
            });
        }
        Ok(())
    }

    /// Checks the codec of a column chunk and the sizes in its page headers.
    pub(super) fn check_chunk(&self, chunk: &ColumnChunkMetaData, contents: &[u8]) -> Result<()> {
        self.check_codec(chunk)?;
        self.check_pages(chunk, contents)
    }

    fn check_codec(&self, chunk: &ColumnChunkMetaData) -> Result<()> {
        let codec = match chunk.compression() {
            Compression::UNCOMPRESSED
            | Compression::SNAPPY
            | Compression::GZIP(_)
            | Compression::BROTLI(_)
            | Compression::LZ4
            | Compression::LZ4_RAW => return Ok(()),
            Compression::ZSTD(_) => "zstd",
            Compression::LZO => "lzo",
        };
        let column = chunk.column_descr().name().to_owned();
        Err(Error::ParquetCodec {
            path: self.path.to_owned(),
            column,
            codec,
        })
    }

    /// Walks the headers of a column chunk's pages; the parquet crate reserves by the sizes in them.
    fn check_pages(&self, chunk: &ColumnChunkMetaData, contents: &[u8]) -> Result<()> {
        let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
        let range = usize::try_from(start)
            .ok()
            .zip(usize::try_from(chunk.compressed_size()).ok());
        let pages = range.and_then(|(start, len)| contents.get(start..)?.get(..len));
        let mut pages = pages.ok_or_else(|| self.malformed("column chunk range"))?;
        while !pages.is_empty() {
            let (mut packed, mut unpacked) = (0i64, 0i64);
            let header_len = thrift::walk(pages, &mut |path, value| match value {
                Value::Integer(size) if path == PAGE_UNCOMPRESSED_SIZE => unpacked = size,
                Value::Integer(size) if path == PAGE_COMPRESSED_SIZE => packed = size,
                Value::Integer(_) | Value::Bytes(_) => (),
            })
            .map_err(|thrift::Malformed| self.malformed("page header"))?;
            let (Ok(packed), Ok(unpacked)) = (usize::try_from(packed), u64::try_from(unpacked)) else {
                return Err(self.malformed("page size"));
            };
            if !expansion_is_justified(packed as u64, unpacked) {
                return Err(self.malformed("uncompressed page size"));
            }
            pages = pages[header_len..]
                .get(packed..)
                .ok_or_else(|| self.malformed("page size"))?;
        }
        Ok(())
    }

    fn read_columns(
        &self,
        reader: &SerializedFileReader<impl ChunkReader + 'static>,
        choice: ColumnChoice<'_>,
    ) -> Result<Table> {
        let metadata = reader.metadata();
        let schema = metadata.file_metadata().schema_descr();
        let rows: usize = metadata
            .row_groups()
            .iter()
            .map(|group| group.num_rows() as usize)
            .sum();
        let mut columns = Vec::new();
        for (index, descriptor) in schema.columns().iter().enumerate() {
            let name = descriptor.name();
            if choice.drops(name) {
                continue;
            }
            let mut builder = ColumnBuilder::new(self.path, descriptor, choice.is_text(name))?;
            for group in 0..metadata.num_row_groups() {
                let group = reader.get_row_group(group).map_err(|error| self.damaged(error))?;
                let expected = builder.values.len() + group.metadata().num_rows() as usize;
                builder.read(
                    group
                        .get_column_reader(index)
                        .map_err(|error| self.damaged(error))?,
                )?;
                if builder.values.len() != expected {
                    return Err(self.malformed("number of values in a column"));
                }
            }
            columns.push(Column {
                name: name.to_owned(),
                values: builder.values,
            });
        }
        Ok(Table::new(columns, rows))
    }
}

/// How the cells of a column become numbers or text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Plain,
    /// The stored integer is unsigned.
    Unsigned,
    /// The stored integer counts units of 10^-scale.
    Decimal {
        scale: i32,
    },
}

struct ColumnBuilder<'a> {
    path: &'a Path,
    name: &'a str,
    meaning: Meaning,
    optional: bool,
    values: ColumnValues,
}

impl<'a> ColumnBuilder<'a> {
    fn new(path: &'a Path, descriptor: &'a ColumnDescriptor, as_text: bool) -> Result<Self> {
        let (is_number, meaning) = understand(path, descriptor)?;
        let values = if is_number && !as_text {
            ColumnValues::Number(Vec::new())
        } else {
            ColumnValues::Text(TextColumn::default())
        };
        let optional = descriptor.max_def_level() > 0;
        Ok(ColumnBuilder {
            path,
            name: descriptor.name(),
            meaning,
            optional,
            values,
        })
    }

    /// Appends one column chunk.
    fn read(&mut self, reader: ColumnReader) -> Result<()> {
        let meaning = self.meaning;
        match reader {
            ColumnReader::BoolColumnReader(reader) => self.text_cells(reader, |&value| Ok(value.to_string())),
            ColumnReader::Int32ColumnReader(reader) => self.integer_cells(reader, |&value| match meaning {
                Meaning::Unsigned => i64::from(value as u32),
                Meaning::Plain | Meaning::Decimal { .. } => i64::from(value),
            }),
            ColumnReader::Int64ColumnReader(reader) => self.integer_cells(reader, |&value| value),
            ColumnReader::FloatColumnReader(reader) => self.float_cells(reader, |&value| value.into()),
            ColumnReader::DoubleColumnReader(reader) => self.float_cells(reader, |&value| value),
            ColumnReader::ByteArrayColumnReader(reader) => {
                let (path, name) = (self.path, self.name);
                self.text_cells(reader, |value: &ByteArray| {
                    match std::str::from_utf8(value.data()) {
                        Ok(text) => Ok(text.to_owned()),
                        Err(_) => Err(Error::NotUtf8Column {
                            path: path.to_owned(),
                            column: name.to_owned(),
                        }),
                    }
                })
            }
            ColumnReader::Int96ColumnReader(_) | ColumnReader::FixedLenByteArrayColumnReader(_) => {
                Err(unsupported(self.path, self.name, "raw bytes"))
            }
        }
    }

    fn integer_cells<T: DataType>(
        &mut self,
        reader: ColumnReaderImpl<T>,
        integer: impl Fn(&T::T) -> i64,
    ) -> Result<()> {
        let meaning = self.meaning;
        self.cells(reader, |values, value| {
            let value = value.map(&integer);
            match values {
                ColumnValues::Number(numbers) => {
                    numbers.push(value.map_or(f64::NAN, |value| scale(value, meaning)))
                }
                ColumnValues::Text(text) => {
                    text.push(&value.map_or(String::new(), |value| spell(value, meaning)))
                }
            }
            Ok(())
        })
    }

    fn float_cells<T: DataType>(
        &mut self,
        reader: ColumnReaderImpl<T>,
        number: impl Fn(&T::T) -> f64,
    ) -> Result<()> {
        let (path, name) = (self.path, self.name);
        self.cells(reader, |values, value| {
            let value = value.map_or(f64::NAN, &number);
            if value.is_infinite() {
                let (path, column, row) = (path.to_owned(), name.to_owned(), values.len());
                return Err(Error::InfiniteCell { path, column, row });
            }
            match values {
                ColumnValues::Number(numbers) => numbers.push(value),
                ColumnValues::Text(text) => text.push(&number_text(value)),
            }
            Ok(())
        })
    }

    fn text_cells<T: DataType>(
        &mut self,
        reader: ColumnReaderImpl<T>,
        text_of: impl Fn(&T::T) -> Result<String>,
    ) -> Result<()> {
        self.cells(reader, |values, value| {
            let text = value.map_or(Ok(String::new()), &text_of)?;
            match values {
                ColumnValues::Text(column) => column.push(&text),
                ColumnValues::Number(_) => unreachable!("bug: text read into a column of numbers"),
            }
            Ok(())
        })
    }

    /// Calls `push` with each cell of a chunk, `None` where it is null.
    fn cells<T: DataType>(
        &mut self,
        mut reader: ColumnReaderImpl<T>,
        mut push: impl FnMut(&mut ColumnValues, Option<&T::T>) -> Result<()>,
    ) -> Result<()> {
        let damaged = |source| Error::Parquet {
            path: self.path.to_owned(),
            source,
        };
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        loop {
            levels.clear();
            values.clear();
            let level_buffer = self.optional.then_some(&mut levels);
            let (records, _, _) = reader
                .read_records(BATCH_ROWS, level_buffer, None, &mut values)
                .map_err(damaged)?;
            if records == 0 {
                return Ok(());
            }
            let mut present = values.iter();
            for record in 0..records {
                let is_null = self.optional && levels.get(record) == Some(&0);
                let value = if is_null { None } else { present.next() };
                push(&mut self.values, value)?;
            }
        }
    }
}

/// Whether a column holds numbers, and how to take them.
fn understand(path: &Path, descriptor: &ColumnDescriptor) -> Result<(bool, Meaning)> {
    let refuse = |found: &str| Err(unsupported(path, descriptor.name(), found));
    let meaning = match (descriptor.logical_type_ref(), descriptor.converted_type()) {
        (Some(LogicalType::Date), _) | (_, ConvertedType::DATE) => return refuse("dates"),
        (Some(LogicalType::Timestamp(_)), _)
        | (_, ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS) => {
            return refuse("timestamps");
        }
        (Some(LogicalType::Time(_)), _)
        | (_, ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS | ConvertedType::INTERVAL) => {
            return refuse("times");
        }
        (Some(LogicalType::Decimal(decimal)), _) => Meaning::Decimal { scale: decimal.scale },
        (None, ConvertedType::DECIMAL) => Meaning::Decimal {
            scale: descriptor.type_scale(),
        },
        (Some(LogicalType::Integer(integer)), _) if !integer.is_signed => Meaning::Unsigned,
        (
            None,
            ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64,
        ) => Meaning::Unsigned,
        _ => Meaning::Plain,
    };
    match descriptor.physical_type() {
        PhysicalType::BOOLEAN => Ok((false, meaning)),
        PhysicalType::INT32 | PhysicalType::INT64 | PhysicalType::FLOAT | PhysicalType::DOUBLE => {
            Ok((true, meaning))
        }
        PhysicalType::BYTE_ARRAY if meaning == Meaning::Plain => Ok((false, meaning)),
        PhysicalType::BYTE_ARRAY => refuse("decimals of any length"),
        PhysicalType::INT96 => refuse("timestamps (INT96)"),
        PhysicalType::FIXED_LEN_BYTE_ARRAY => refuse("bytes of fixed length"),
    }
}

pub(super) fn unsupported(path: &Path, column: &str, found: &str) -> Error {
    Error::UnsupportedColumn {
        path: path.to_owned(),
        column: column.to_owned(),
        found: found.to_owned(),
    }
}

fn scale(value: i64, meaning: Meaning) -> f64 {
    match meaning {
        Meaning::Plain => value as f64,
        Meaning::Unsigned => value as u64 as f64,
        Meaning::Decimal { scale } => value as f64 / 10f64.powi(scale),
    }
}

/// Integers of 64 bits do not pass through a float on their way to text: identifiers and labels keep every digit.
fn spell(value: i64, meaning: Meaning) -> String {
    match meaning {
        Meaning::Plain => value.to_string(),
        Meaning::Unsigned => (value as u64).to_string(),
        Meaning::Decimal { .. } => number_text(scale(value, meaning)),
    }
}
