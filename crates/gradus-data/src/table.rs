//! A table in memory: named columns of numbers or of text.

use std::collections::HashMap;

/// What stands for "no value" in a text cell, in a CSV file and in a JSON string alike: pandas' list
/// (`pandas._libs.parsers.STR_NA_VALUES`) and the `?` of the UCI data sets.
const MISSING_WORDS: [&str; 20] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "?",
    "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// The code of a missing text cell.
const MISSING_CODE: u32 = u32::MAX;

/// Named columns of one length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
    rows: usize,
}

/// One column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name in the file's header or schema.
    pub name: String,
    /// Its cells.
    pub values: ColumnValues,
}

/// The cells of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnValues {
    /// Numbers; NaN where there is none.
    Number(Vec<f64>),
    /// Text, each different value stored once.
    Text(TextColumn),
}

/// Text cells as indices into a dictionary.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextColumn {
    codes: Vec<u32>,
    dictionary: Vec<String>,
    code_of: HashMap<String, u32>,
}

/// One cell, or one value of a JSON row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// No value.
    Missing,
    /// A finite number.
    Number(f64),
    /// Text that is not one of the words for a missing value.
    Text(&'a str),
}

impl<'a> Cell<'a> {
    /// Text as a cell: blanks around it are dropped, and words such as `NA`, `null` and `?` mean that it is missing.
    pub fn from_text(text: &'a str) -> Cell<'a> {
        let text = text.trim();
        if MISSING_WORDS.contains(&text) {
            Cell::Missing
        } else {
            Cell::Text(text)
        }
    }

    /// A number as a cell; NaN means that it is missing.
    pub fn from_number(number: f64) -> Cell<'static> {
        if number.is_nan() {
            Cell::Missing
        } else {
            Cell::Number(number)
        }
    }

    /// The cell as a number, when it is one or spells a finite one.
    pub fn as_number(self) -> Option<f64> {
        match self {
            Cell::Missing => None,
            Cell::Number(number) => Some(number),
            Cell::Text(text) => parse_number(text),
        }
    }
}

/// A finite number spelt in decimal. Rust's own `inf` and `infinity` are not numbers here.
pub(crate) fn parse_number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Numbers as text, so that `3`, `3.0` and a Parquet integer 3 are the same category and the same class.
pub(crate) fn number_text(number: f64) -> String {
    // Rust prints the shortest digits that read back the same, without a fraction for whole numbers.
    format!("{number}")
}

impl Table {
    /// A table of columns of one length.
    ///
    /// # Panics
    /// When the lengths differ: readers check rows before they come here.
    pub(crate) fn new(columns: Vec<Column>, rows: usize) -> Table {
        assert!(
            columns.iter().all(|column| column.values.len() == rows),
            "bug: ragged columns in a table"
        );
        Table { columns, rows }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns, in the file's order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// A column by name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Removes a column and gives it to the caller.
    pub(crate) fn take_column(&mut self, name: &str) -> Option<Column> {
        let index = self.columns.iter().position(|column| column.name == name)?;
        Some(self.columns.remove(index))
    }

    /// The rows at `indices`, in that order.
    pub(crate) fn select(&self, indices: &[usize]) -> Table {
        let columns = self.columns.iter().map(|column| column.select(indices)).collect();
        Table {
            columns,
            rows: indices.len(),
        }
    }

    /// Names of all columns.
    pub(crate) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }
}

impl Column {
    /// One cell.
    pub fn cell(&self, row: usize) -> Cell<'_> {
        match &self.values {
            ColumnValues::Number(numbers) => Cell::from_number(numbers[row]),
            ColumnValues::Text(text) => text.get(row).map_or(Cell::Missing, Cell::Text),
        }
    }

    /// Copies the cells of the rows at `indices`.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn select(&self, indices: &[usize]) -> Column {
        let values = match &self.values {
            ColumnValues::Number(numbers) => {
                ColumnValues::Number(indices.iter().map(|&i| numbers[i]).collect())
            }
            ColumnValues::Text(text) => ColumnValues::Text(text.select(indices)),
        };
        Column {
            name: self.name.clone(),
            values,
        }
    }
}

impl ColumnValues {
    /// Number of cells.
    pub fn len(&self) -> usize {
        match self {
            ColumnValues::Number(numbers) => numbers.len(),
            ColumnValues::Text(text) => text.len(),
        }
    }

    /// Whether there is no cell.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl TextColumn {
    /// Appends a cell; words for a missing value become one.
    pub(crate) fn push(&mut self, text: &str) {
        let code = match Cell::from_text(text) {
            Cell::Text(text) => self.intern(text),
            Cell::Missing | Cell::Number(_) => MISSING_CODE,
        };
        self.codes.push(code);
    }

    fn intern(&mut self, text: &str) -> u32 {
        if let Some(&code) = self.code_of.get(text) {
            return code;
        }
        let code = self.dictionary.len() as u32;
        self.dictionary.push(text.to_owned());
        self.code_of.insert(text.to_owned(), code);
        code
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there is no cell.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// The text of a cell, where it has one.
    pub fn get(&self, row: usize) -> Option<&str> {
        self.dictionary.get(self.codes[row] as usize).map(String::as_str)
    }

    fn select(&self, indices: &[usize]) -> TextColumn {
        let codes = indices.iter().map(|&i| self.codes[i]).collect();
        TextColumn {
            codes,
            dictionary: self.dictionary.clone(),
            code_of: self.code_of.clone(),
        }
    }
}

/// Which columns a table reader takes, and how. The default takes all as they come.
#[derive(Clone, Copy, Debug, Default)]
pub struct ColumnChoice<'a> {
    /// Columns that are not read.
    pub drop: &'a [String],
    /// The only columns that are read, if given.
    pub keep: Option<&'a [String]>,
    /// Columns read as text even where every cell spells a number: labels, and categories coded as numbers.
    pub text: &'a [String],
}

impl ColumnChoice<'_> {
    pub(crate) fn drops(&self, name: &str) -> bool {
        let contains = |names: &[String]| names.iter().any(|other| other == name);
        contains(self.drop) || self.keep.is_some_and(|keep| !contains(keep))
    }

    pub(crate) fn is_text(&self, name: &str) -> bool {
        self.text.iter().any(|text| text == name)
    }
}
