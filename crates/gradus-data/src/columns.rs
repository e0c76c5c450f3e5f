//! Columns of a table beside what a model takes: to slice an evaluation by, to group rows by, to weigh them.

use std::path::Path;

use crate::config::Format;
use crate::error::{Error, Result};
use crate::read::csv::read_csv;
use crate::read::parquet::read_parquet;
use crate::table::{ColumnChoice, Table};

/// Reads the named columns of a CSV or Parquet file as they are: the row `i` of the table is the sample `i` that
/// [`load_labelled`](crate::load_labelled) makes of the same file.
///
/// # Errors
/// [`Error::NotATable`] for other data, and when a column is not there or the file cannot be read.
pub fn read_columns(path: &Path, names: &[String]) -> Result<Table> {
    let choice = ColumnChoice {
        keep: Some(names),
        ..ColumnChoice::default()
    };
    match Format::infer(path)? {
        Format::Csv => read_csv(path, choice),
        Format::Parquet => read_parquet(path, choice),
        format @ (Format::Idx | Format::ImageFolder) => Err(Error::NotATable {
            path: path.to_owned(),
            format,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_by_name_and_in_the_order_of_the_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.csv");
        std::fs::write(&path, "city,age,name\nRome,30,a\n,41,b\nOslo,7,c\n").unwrap();
        let table = read_columns(&path, &["age".to_owned(), "city".to_owned()]).unwrap();
        assert_eq!(table.rows(), 3);
        assert_eq!(table.columns().len(), 2);
        assert_eq!(table.column("age").unwrap().cell(2).as_number(), Some(7.0));
        let missing = read_columns(&path, &["town".to_owned()]);
        assert!(
            matches!(missing, Err(Error::NoColumn { name, columns, .. }) if name == "town" && columns.len() == 3)
        );
    }

    #[test]
    fn pictures_have_no_columns() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("cats")).unwrap();
        let result = read_columns(folder.path(), &["size".to_owned()]);
        assert!(matches!(result, Err(Error::NotATable { .. })));
    }
}
