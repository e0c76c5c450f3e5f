//! Which columns of a table a model should do without, by a look at the table.

use std::collections::HashSet;
use std::path::Path;

use crate::config::Format;
use crate::error::{Error, Result};
use crate::limits::MAX_CATEGORIES;
use crate::read::csv::read_csv;
use crate::read::parquet::read_parquet;
use crate::table::{Cell, Column, ColumnChoice, ColumnValues};

/// Text of which more than this share of the cells differ is names, notes or identifiers: a model that gets an input
/// for each learns them by heart, and meets none of them again.
const MOST_DISTINCT: f64 = 0.5;

/// Below this many cells nothing is said about how many differ.
const MIN_CELLS: usize = 20;

/// A column that a model should do without, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnAdvice {
    /// The column.
    pub column: String,
    /// Why.
    pub reason: ColumnFault,
}

/// Why a model should do without a column.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnFault {
    /// Text that is nearly always another.
    Distinct {
        /// Different values.
        values: usize,
        /// Cells with a value.
        cells: usize,
    },
    /// More categories than are encoded.
    ManyCategories {
        /// Different values.
        values: usize,
    },
    /// No value at all.
    Empty,
}

impl std::fmt::Display for ColumnFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ColumnFault::Distinct { values, cells } => write!(f, "{values} different texts in {cells} cells"),
            ColumnFault::ManyCategories { values } => {
                write!(
                    f,
                    "{values} different texts, more than the {MAX_CATEGORIES} that are encoded"
                )
            }
            ColumnFault::Empty => write!(f, "no value in any row"),
        }
    }
}

/// The columns of a CSV or Parquet file to leave out of a model's inputs: text that mostly differs, text with too many
/// different values, and empty columns. `keep` are never among them: labels, and what else the caller needs.
///
/// # Errors
/// When the file is no table, lacks one of `keep`, or cannot be read.
pub fn columns_to_drop(path: &Path, keep: &[String]) -> Result<Vec<ColumnAdvice>> {
    // Columns without a name are dropped by name, too; `keep` is read as text so that it must be there.
    let choice = ColumnChoice {
        text: keep,
        ..ColumnChoice::default()
    };
    let format = Format::infer(path)?;
    let table = match format {
        Format::Csv => read_csv(path, choice)?,
        Format::Parquet => read_parquet(path, choice)?,
        Format::Idx | Format::ImageFolder => {
            let path = path.to_owned();
            return Err(Error::NotATable { path, format });
        }
    };
    let candidates = table
        .columns()
        .iter()
        .filter(|column| !keep.contains(&column.name));
    let advice = candidates.filter_map(|column| {
        let column_name = column.name.clone();
        fault(column, table.rows()).map(|reason| ColumnAdvice {
            column: column_name,
            reason,
        })
    });
    Ok(advice.collect())
}

fn fault(column: &Column, rows: usize) -> Option<ColumnFault> {
    let cells = (0..rows).filter(|&row| column.cell(row) != Cell::Missing).count();
    if cells == 0 {
        return Some(ColumnFault::Empty);
    }
    let ColumnValues::Text(text) = &column.values else {
        return None;
    };
    let values = (0..rows)
        .filter_map(|row| text.get(row))
        .collect::<HashSet<_>>()
        .len();
    if cells >= MIN_CELLS && values as f64 > MOST_DISTINCT * cells as f64 {
        return Some(ColumnFault::Distinct { values, cells });
    }
    (values > MAX_CATEGORIES).then_some(ColumnFault::ManyCategories { values })
}
