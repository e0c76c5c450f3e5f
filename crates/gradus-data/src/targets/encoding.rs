//! What a package keeps of its targets: where labelled data has them, and how numbers were standardised.

use serde::{Deserialize, Serialize};

use super::{TargetColumns, TargetScale, Targets, values};
use crate::error::{Error, Result};

/// Where the rows of labelled tables have their targets, and how these become the numbers that a model learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TargetEncoding {
    /// Regression: one column for each output.
    Values {
        /// The columns in the order of the outputs.
        columns: Vec<ValueColumn>,
    },
    /// Multilabel: one column of 0 and 1 for each label.
    Labels {
        /// The columns in the order of the outputs.
        columns: Vec<String>,
    },
    /// Multilabel: one column that names the labels which apply.
    SeparatedLabels {
        /// The column.
        column: String,
        /// What stands between two names.
        separator: String,
    },
}

/// A column of numbers to be learnt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueColumn {
    /// Its name.
    pub name: String,
    /// Its mean over the training rows.
    pub mean: f64,
    /// Its standard deviation over the training rows; 1 where they are all equal.
    pub std: f64,
}

impl ValueColumn {
    /// How its numbers become the model's.
    pub fn scale(&self) -> TargetScale {
        let ValueColumn { mean, std, .. } = *self;
        TargetScale { mean, std }
    }
}

impl TargetEncoding {
    /// The encoding of targets that were read from `columns`, fitted to the rows at `rows`; none for classes.
    pub(crate) fn fit(columns: &TargetColumns, targets: &Targets, rows: &[usize]) -> Option<TargetEncoding> {
        match (columns, targets) {
            (TargetColumns::Values(_), Targets::Values { values, names, .. }) => {
                Some(TargetEncoding::Values {
                    columns: values::fit(values, names, rows),
                })
            }
            (TargetColumns::Flags(columns), _) => Some(TargetEncoding::Labels {
                columns: columns.clone(),
            }),
            (TargetColumns::Separated { column, separator }, _) => Some(TargetEncoding::SeparatedLabels {
                column: column.clone(),
                separator: separator.clone(),
            }),
            (TargetColumns::Values(_) | TargetColumns::Class(_) | TargetColumns::Unread, _) => None,
        }
    }

    /// Names of the columns that hold the targets.
    pub fn column_names(&self) -> Vec<&str> {
        match self {
            TargetEncoding::Values { columns } => columns.iter().map(|column| column.name.as_str()).collect(),
            TargetEncoding::Labels { columns } => columns.iter().map(String::as_str).collect(),
            TargetEncoding::SeparatedLabels { column, .. } => vec![column],
        }
    }

    /// How each output of a regression is standardised; empty for labels.
    pub fn scales(&self) -> Vec<TargetScale> {
        match self {
            TargetEncoding::Values { columns } => columns.iter().map(ValueColumn::scale).collect(),
            TargetEncoding::Labels { .. } | TargetEncoding::SeparatedLabels { .. } => Vec::new(),
        }
    }

    /// Checks a value that was read from a file.
    pub(crate) fn validate(&self) -> Result<()> {
        let invalid = |column: &str, expected| {
            Err(Error::TransformValue {
                column: column.to_owned(),
                expected,
            })
        };
        let mut names = self.column_names();
        if names.is_empty() {
            return invalid("targets", "at least one target column");
        }
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return invalid(twice[0], "a name of its own among the targets");
        }
        match self {
            TargetEncoding::Values { columns } => {
                let is_sound = |column: &&ValueColumn| {
                    column.mean.is_finite() && column.std.is_finite() && column.std > 0.0
                };
                match columns.iter().find(|column| !is_sound(column)) {
                    Some(column) => invalid(&column.name, "finite numbers, and a `std` greater than 0"),
                    None => Ok(()),
                }
            }
            TargetEncoding::SeparatedLabels { column, separator } if separator.is_empty() => {
                invalid(column, "a separator of at least one character")
            }
            TargetEncoding::Labels { .. } | TargetEncoding::SeparatedLabels { .. } => Ok(()),
        }
    }
}
