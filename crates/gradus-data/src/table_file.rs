//! A table as a file, to be cut into files of its rows.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::config::Format;
use crate::error::{Error, Result};
use crate::locate::{Location, Split, locate};
use crate::read::csv::CsvRecords;
use crate::read::parquet::read_parquet;
use crate::split::{Parts, Shares};
use crate::split_config::SplitConfig;
use crate::table::{Cell, ColumnChoice, Table, number_text};

/// A CSV or Parquet file that is to be cut into files of its rows.
pub struct TableFile {
    path: PathBuf,
    location: Location,
    rows: Rows,
}

enum Rows {
    /// Records as they stand in the file.
    Csv(CsvRecords),
    /// Cells, which are written as CSV.
    Parquet(Table),
}

/// The bytes of a CSV file for each part; `None` for a part without a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartFiles {
    /// What is trained on.
    pub train: Option<Vec<u8>>,
    /// What decides when to stop.
    pub validation: Option<Vec<u8>>,
    /// What is only ever measured on.
    pub test: Option<Vec<u8>>,
}

impl TableFile {
    /// Reads a table.
    ///
    /// # Errors
    /// [`Error::NotATable`] for IDX files and pictures, and whatever reading can end in.
    pub fn read(path: &Path) -> Result<TableFile> {
        let format = Format::infer(path)?;
        let rows = match format {
            Format::Csv => Rows::Csv(CsvRecords::read(path)?),
            Format::Parquet => Rows::Parquet(read_parquet(path, ColumnChoice::default())?),
            Format::Idx | Format::ImageFolder => {
                let path = path.to_owned();
                return Err(Error::NotATable { path, format });
            }
        };
        let location = locate(path, format, Split::Train)?;
        let path = path.to_owned();
        Ok(TableFile { path, location, rows })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        match &self.rows {
            Rows::Csv(records) => records.len(),
            Rows::Parquet(table) => table.rows(),
        }
    }

    /// Divides the rows; without a column to divide by, by chance.
    ///
    /// # Errors
    /// When the shares are none, a part would be empty, or the column is not there or cannot divide.
    pub fn divide(&self, split: &SplitConfig) -> Result<Parts> {
        split.divide(
            &self.location,
            &vec![0; self.rows()],
            split.seed.unwrap_or_default(),
        )
    }

    /// Whether parts are the file's own bytes, line by line. Parquet's cells are written as text.
    pub fn is_copied(&self) -> bool {
        matches!(self.rows, Rows::Csv(_))
    }

    /// A CSV file with the heading and its rows, in their order, for each part that `shares` gives something.
    pub fn part_files(&self, parts: &Parts, shares: Shares) -> PartFiles {
        let file = |rows: &[usize], share: f64| (share > 0.0).then(|| self.part_file(rows));
        PartFiles {
            train: file(&parts.train, shares.train),
            validation: file(&parts.validation, shares.validation),
            test: file(&parts.test, shares.test),
        }
    }

    fn part_file(&self, rows: &[usize]) -> Vec<u8> {
        match &self.rows {
            Rows::Csv(records) => records.copy(rows),
            Rows::Parquet(table) => table_text(table, rows).into_bytes(),
        }
    }

    /// What a part's file is called: the part's name, and how the table's own name ends.
    pub fn part_name(&self, part: Split) -> String {
        let name = self.path.to_string_lossy().to_ascii_lowercase();
        let is_tsv = name.trim_end_matches(".gz").ends_with(".tsv");
        format!("{}.{}", part.name(), if is_tsv { "tsv" } else { "csv" })
    }
}

/// The rows of a table as CSV: numbers with as many digits as read back the same, missing cells empty.
fn table_text(table: &Table, rows: &[usize]) -> String {
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = String>| {
        let cells: Vec<String> = cells.collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", cells.join(","));
    };
    line(&mut table.columns().iter().map(|column| quoted(&column.name)));
    for &row in rows {
        line(&mut table.columns().iter().map(|column| match column.cell(row) {
            Cell::Missing => String::new(),
            Cell::Number(number) => number_text(number),
            Cell::Text(text) => quoted(text),
        }));
    }
    text
}

/// A cell, quoted where it must be (RFC 4180).
fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}
