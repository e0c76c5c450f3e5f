//! Preparation of table rows: numbers are filled, centred and scaled; text becomes one input per known value.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::json_kind;
use crate::config::Normalize;
use crate::error::{Error, Result};
use crate::limits::{MAX_CATEGORIES, MAX_COLUMNS};
use crate::table::{Cell, Column, ColumnValues, Table, number_text};
use crate::targets::TargetEncoding;

/// Preparation of rows, column by column, in the order of the model's inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TablePreprocessing {
    /// The column that holds the class in labelled data, or the first of the columns in `targets`; it is no input.
    pub label: String,
    /// The columns that are inputs.
    pub columns: Vec<ColumnTransform>,
    /// Regression and multilabel: where labelled data has its targets, and how they are standardised. Classification
    /// has `label` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<TargetEncoding>,
}

/// Preparation of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnTransform {
    /// The column's name.
    pub name: String,
    /// What is done to its values.
    pub transform: Transform,
}

/// What is done to the values of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Transform {
    /// One input: `(value − mean) / std`.
    Numeric {
        /// Subtracted.
        mean: f64,
        /// Divided by; greater than 0.
        std: f64,
        /// Stands for a missing value: the median of the training data.
        fill: f64,
    },
    /// One input per value: 1 for the one that is there, 0 for the others. Zeros throughout for a missing value and for
    /// one that the training data did not have.
    Categorical {
        /// The values, sorted.
        values: Vec<String>,
    },
}

impl TablePreprocessing {
    /// Fits the preparation to the rows at `indices`. `table` no longer holds the label column.
    pub(crate) fn fit(table: &Table, label: &str, indices: &[usize], normalize: Normalize) -> Result<Self> {
        let columns = table.columns().iter().map(|column| {
            let transform = match &column.values {
                ColumnValues::Number(numbers) => fit_numeric(column, numbers, indices, normalize)?,
                ColumnValues::Text(_) => fit_categorical(column, indices)?,
            };
            Ok(ColumnTransform {
                name: column.name.clone(),
                transform,
            })
        });
        Ok(TablePreprocessing {
            label: label.to_owned(),
            columns: columns.collect::<Result<_>>()?,
            targets: None,
        })
    }

    /// The columns that hold the targets in labelled data: the label's, or those of `targets`.
    pub fn target_columns(&self) -> Vec<&str> {
        match &self.targets {
            None => vec![&self.label],
            Some(targets) => targets.column_names(),
        }
    }

    /// Number of inputs.
    pub fn width(&self) -> usize {
        self.columns.iter().map(|column| column.transform.width()).sum()
    }

    /// Names of the inputs: a numeric column's name, or `column=value`.
    pub fn input_names(&self) -> Vec<String> {
        let names = self.columns.iter().flat_map(|column| match &column.transform {
            Transform::Numeric { .. } => vec![column.name.clone()],
            Transform::Categorical { values } => values
                .iter()
                .map(|value| format!("{}={value}", column.name))
                .collect(),
        });
        names.collect()
    }

    /// Columns whose cells a reader must leave as text.
    pub(crate) fn text_columns(&self) -> Vec<String> {
        let is_text = |column: &&ColumnTransform| matches!(column.transform, Transform::Categorical { .. });
        self.columns
            .iter()
            .filter(is_text)
            .map(|column| column.name.clone())
            .collect()
    }

    pub(super) fn validate(&self) -> Result<()> {
        let invalid = |column: &str, expected: &'static str| {
            Err(Error::TransformValue {
                column: column.to_owned(),
                expected,
            })
        };
        self.targets.as_ref().map_or(Ok(()), TargetEncoding::validate)?;
        let mut names: HashSet<&str> = self.target_columns().into_iter().collect();
        for ColumnTransform { name, transform } in &self.columns {
            if !names.insert(name) {
                return invalid(name, "a name of its own, other than the target's");
            }
            match transform {
                Transform::Numeric { mean, std, fill } => {
                    if !mean.is_finite() || !fill.is_finite() || !std.is_finite() || *std <= 0.0 {
                        return invalid(name, "finite numbers, and a `std` greater than 0");
                    }
                }
                Transform::Categorical { values } => {
                    if values.is_empty() || values.windows(2).any(|pair| pair[0] >= pair[1]) {
                        return invalid(name, "at least one value, and values sorted without repetition");
                    }
                }
            }
        }
        match self.width() {
            0 => invalid("columns", "at least one input"),
            width if width > MAX_COLUMNS => invalid("columns", "fewer inputs"),
            _ => Ok(()),
        }
    }

    pub(super) fn describe_input(&self) -> String {
        let names: Vec<String> = self
            .columns
            .iter()
            .map(|column| format!("`{}`", column.name))
            .collect();
        format!("{} values for the columns {}", names.len(), names.join(", "))
    }

    pub(super) fn json_sample(&self, value: &Value, out: &mut [f32]) -> Result<()> {
        match value {
            Value::Object(fields) => self.check_fields(fields)?,
            Value::Array(items) if items.len() == self.columns.len() => (),
            Value::Array(items) => {
                let found = format!("{} values", items.len());
                return Err(Error::SampleShape {
                    expected: self.describe_input(),
                    found,
                });
            }
            other => {
                let found = json_kind(other).to_owned();
                return Err(Error::SampleShape {
                    expected: self.describe_input(),
                    found,
                });
            }
        }
        self.encode(out, |index, column| {
            let field = match value {
                Value::Object(fields) => fields.get(&column.name),
                other => other.get(index),
            };
            column.encode_json(field.unwrap_or(&Value::Null))
        })
    }

    /// Every column must be there (null says that a value is missing), and nothing else but targets.
    fn check_fields(&self, fields: &Map<String, Value>) -> Result<()> {
        let missing = self
            .columns
            .iter()
            .find(|column| !fields.contains_key(&column.name));
        if let Some(column) = missing {
            return Err(Error::MissingField {
                column: column.name.clone(),
            });
        }
        let targets = self.target_columns();
        let is_known = |name: &String| {
            targets.contains(&name.as_str()) || self.columns.iter().any(|column| column.name == *name)
        };
        match fields.keys().find(|name| !is_known(name)) {
            Some(name) => Err(Error::UnknownField {
                field: name.clone(),
                expected: self.describe_input(),
            }),
            None => Ok(()),
        }
    }

    /// Encodes all rows of a table that has (at least) the input columns: `[rows, width]`.
    pub(crate) fn apply(&self, table: &Table) -> Result<Vec<f32>, ApplyError> {
        let columns: Vec<&Column> = self
            .columns
            .iter()
            .map(|column| {
                table
                    .column(&column.name)
                    .ok_or_else(|| ApplyError::NoColumn(column.name.clone()))
            })
            .collect::<Result<_, _>>()?;
        let width = self.width();
        let mut out = vec![0.0; table.rows() * width];
        for (row, sample) in out.chunks_exact_mut(width).enumerate() {
            self.encode(sample, |index, column| {
                column.encode_cell(columns[index].cell(row))
            })
            .map_err(|error| ApplyError::Row { row, error })?;
        }
        Ok(out)
    }

    /// Fills a sample; `code_of` gives each column's encoded value.
    fn encode(
        &self,
        out: &mut [f32],
        code_of: impl Fn(usize, &ColumnTransform) -> Result<Encoded>,
    ) -> Result<()> {
        assert_eq!(
            out.len(),
            self.width(),
            "bug: a sample buffer of the wrong length"
        );
        let mut rest = out;
        for (index, column) in self.columns.iter().enumerate() {
            let (inputs, after) = rest.split_at_mut(column.transform.width());
            inputs.fill(0.0);
            match code_of(index, column)? {
                Encoded::Value(value) => inputs[0] = value,
                Encoded::OneHot(hot) => inputs[hot] = 1.0,
                Encoded::Nothing => (),
            }
            rest = after;
        }
        Ok(())
    }
}

/// Why a table could not be prepared: what lacks the file's name and lines, which the caller knows.
#[derive(Debug)]
pub(crate) enum ApplyError {
    NoColumn(String),
    Row { row: usize, error: Error },
}

/// A cell as the model sees it.
enum Encoded {
    Value(f32),
    OneHot(usize),
    Nothing,
}

impl ColumnTransform {
    fn encode_json(&self, value: &Value) -> Result<Encoded> {
        match value {
            Value::Null => self.encode_cell(Cell::Missing),
            // Parquet's booleans are read as the same words.
            Value::Bool(value) => self.encode_cell(Cell::Text(if *value { "true" } else { "false" })),
            Value::Number(number) => match number.as_f64() {
                Some(number) => self.encode_cell(Cell::from_number(number)),
                None => Err(self.bad_value(&number.to_string())),
            },
            Value::String(text) => self.encode_cell(Cell::from_text(text)),
            Value::Array(_) | Value::Object(_) => Err(self.bad_value(json_kind(value))),
        }
    }

    fn encode_cell(&self, cell: Cell<'_>) -> Result<Encoded> {
        match &self.transform {
            Transform::Numeric { mean, std, fill } => {
                let number = match cell {
                    Cell::Missing => *fill,
                    Cell::Number(_) | Cell::Text(_) => {
                        cell.as_number().ok_or_else(|| self.bad_value(&spell(cell)))?
                    }
                };
                let value = ((number - mean) / std) as f32;
                if value.is_finite() {
                    Ok(Encoded::Value(value))
                } else {
                    Err(self.bad_value(&spell(cell)))
                }
            }
            Transform::Categorical { values } => {
                let found = values.binary_search_by(|value| value.as_str().cmp(&spell(cell)));
                let is_missing = cell == Cell::Missing;
                Ok(found
                    .ok()
                    .filter(|_| !is_missing)
                    .map_or(Encoded::Nothing, Encoded::OneHot))
            }
        }
    }

    fn bad_value(&self, found: &str) -> Error {
        Error::BadNumber {
            column: self.name.clone(),
            found: found.to_owned(),
        }
    }
}

impl Transform {
    /// Number of inputs.
    pub fn width(&self) -> usize {
        match self {
            Transform::Numeric { .. } => 1,
            Transform::Categorical { values } => values.len(),
        }
    }
}

fn spell(cell: Cell<'_>) -> String {
    match cell {
        Cell::Missing => String::new(),
        Cell::Number(number) => number_text(number),
        Cell::Text(text) => text.to_owned(),
    }
}

fn fit_numeric(
    column: &Column,
    numbers: &[f64],
    indices: &[usize],
    normalize: Normalize,
) -> Result<Transform> {
    let mut present: Vec<f64> = indices
        .iter()
        .map(|&row| numbers[row])
        .filter(|number| !number.is_nan())
        .collect();
    if present.is_empty() {
        return Err(Error::EmptyColumn {
            column: column.name.clone(),
        });
    }
    let fill = median(&mut present);
    let (mean, std) = match normalize {
        Normalize::None => (0.0, 1.0),
        Normalize::Unit => {
            // Sorted by `median`.
            let (least, greatest) = (present[0], present[present.len() - 1]);
            (least, greatest - least)
        }
        Normalize::Standard => moments(&present),
    };
    let std = divisor(mean, std);
    Ok(Transform::Numeric { mean, std, fill })
}

/// A constant column carries nothing; it is centred and otherwise left alone. The same holds for a spread that only
/// rounding made.
fn divisor(mean: f64, std: f64) -> f64 {
    let is_spread = std.is_finite() && std > mean.abs() * 1e-14;
    if is_spread { std } else { 1.0 }
}

/// Mean, and what to divide by for a standard deviation of 1.
pub(crate) fn standard_scale(numbers: &[f64]) -> (f64, f64) {
    let (mean, std) = moments(numbers);
    (mean, divisor(mean, std))
}

/// Sorts the numbers and gives the middle one, or the mean of the two in the middle.
fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    if numbers.len() % 2 == 1 {
        numbers[middle]
    } else {
        numbers[middle - 1] / 2.0 + numbers[middle] / 2.0
    }
}

/// Mean and population standard deviation in two passes, as scikit-learn's `StandardScaler` defines them.
fn moments(numbers: &[f64]) -> (f64, f64) {
    let count = numbers.len() as f64;
    let mean = numbers.iter().map(|number| number / count).sum::<f64>();
    let variance = numbers
        .iter()
        .map(|number| (number - mean).powi(2) / count)
        .sum::<f64>();
    (mean, variance.sqrt())
}

fn fit_categorical(column: &Column, indices: &[usize]) -> Result<Transform> {
    let mut values: Vec<String> = indices
        .iter()
        .map(|&row| spell(column.cell(row)))
        .filter(|value| !value.is_empty())
        .collect();
    values.sort_unstable();
    values.dedup();
    if values.is_empty() {
        return Err(Error::EmptyColumn {
            column: column.name.clone(),
        });
    }
    if values.len() > MAX_CATEGORIES {
        let (column, found, limit) = (column.name.clone(), values.len(), MAX_CATEGORIES);
        return Err(Error::TooManyCategories { column, found, limit });
    }
    Ok(Transform::Categorical { values })
}
