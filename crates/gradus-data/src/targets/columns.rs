//! Which columns of a table hold the targets, and how they are taken out of it.

use super::{TargetEncoding, TargetKind};
use crate::config::DataConfig;
use crate::error::{Error, Result};
use crate::locate::Location;
use crate::preprocess::TablePreprocessing;
use crate::table::{Column, ColumnValues, Table, TextColumn};

/// The columns of a table that hold the targets.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum TargetColumns {
    /// None are read.
    #[default]
    Unread,
    /// One column of classes.
    Class(String),
    /// A column of numbers for each output.
    Values(Vec<String>),
    /// A column of 0 and 1 for each label.
    Flags(Vec<String>),
    /// One column that names the labels which apply.
    Separated { column: String, separator: String },
}

/// Targets as they were read.
pub(crate) enum RawTargets {
    /// None were asked for.
    None,
    /// IDX: indices of classes already.
    Indices(Vec<u8>),
    /// Names of the folders of pictures.
    Folders(Vec<String>),
    /// A table's column of classes.
    Class { name: String, words: TextColumn },
    /// A table's columns of numbers.
    Values(Vec<Column>),
    /// A table's columns of 0 and 1.
    Flags(Vec<Column>),
    /// A table's column of labels with a separator between them.
    Separated {
        name: String,
        words: TextColumn,
        separator: String,
    },
}

impl TargetColumns {
    /// As a recipe that passed its checks names them.
    pub(crate) fn of_config(config: &DataConfig) -> TargetColumns {
        let several = || config.labels.iter().chain(&config.label).cloned().collect();
        match (config.task, &config.label, &config.label_separator) {
            (TargetKind::Classification, Some(label), _) => TargetColumns::Class(label.clone()),
            (TargetKind::Classification, None, _) => TargetColumns::Unread,
            (TargetKind::Regression, _, _) => TargetColumns::Values(several()),
            (TargetKind::Multilabel, Some(column), Some(separator)) => TargetColumns::Separated {
                column: column.clone(),
                separator: separator.clone(),
            },
            (TargetKind::Multilabel, _, _) => TargetColumns::Flags(several()),
        }
    }

    /// As a model's preparation names them.
    pub(crate) fn of_preprocessing(table: &TablePreprocessing) -> TargetColumns {
        match &table.targets {
            None => TargetColumns::Class(table.label.clone()),
            Some(TargetEncoding::Values { columns }) => {
                TargetColumns::Values(columns.iter().map(|column| column.name.clone()).collect())
            }
            Some(TargetEncoding::Labels { columns }) => TargetColumns::Flags(columns.clone()),
            Some(TargetEncoding::SeparatedLabels { column, separator }) => TargetColumns::Separated {
                column: column.clone(),
                separator: separator.clone(),
            },
        }
    }

    /// Their names.
    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            TargetColumns::Unread => Vec::new(),
            TargetColumns::Class(column) | TargetColumns::Separated { column, .. } => vec![column.clone()],
            TargetColumns::Values(columns) | TargetColumns::Flags(columns) => columns.clone(),
        }
    }

    /// Those whose cells a reader must leave as text.
    pub(crate) fn text(&self) -> Vec<String> {
        match self {
            TargetColumns::Values(_) => Vec::new(),
            TargetColumns::Unread
            | TargetColumns::Class(_)
            | TargetColumns::Flags(_)
            | TargetColumns::Separated { .. } => self.names(),
        }
    }

    /// Takes them out of a table, which must have them and some others.
    pub(crate) fn take(&self, location: &Location, table: &mut Table) -> Result<RawTargets> {
        let names = table.names();
        let mut columns = Vec::new();
        for name in self.names() {
            let column = table.take_column(&name).ok_or_else(|| Error::NoColumn {
                path: location.path().to_owned(),
                name,
                columns: names.clone(),
            })?;
            columns.push(column);
        }
        if table.columns().is_empty() {
            return Err(Error::Empty {
                path: location.path().to_owned(),
                what: "columns besides the label",
            });
        }
        Ok(match self {
            TargetColumns::Unread => RawTargets::None,
            TargetColumns::Values(_) => RawTargets::Values(columns),
            TargetColumns::Flags(_) => RawTargets::Flags(columns),
            TargetColumns::Class(name) => RawTargets::Class {
                name: name.clone(),
                words: only_text(columns),
            },
            TargetColumns::Separated { column, separator } => RawTargets::Separated {
                name: column.clone(),
                words: only_text(columns),
                separator: separator.clone(),
            },
        })
    }
}

/// The words of the one column that was asked for as text.
fn only_text(columns: Vec<Column>) -> TextColumn {
    match columns.into_iter().next().map(|column| column.values) {
        Some(ColumnValues::Text(words)) => words,
        Some(ColumnValues::Number(_)) | None => {
            unreachable!("bug: a label column was read as numbers, or not at all")
        }
    }
}

/// A row without a target.
pub(super) fn missing(location: &Location, row: usize, column: &str) -> Error {
    Error::MissingLabel {
        path: location.path().to_owned(),
        place: location.place(row),
        column: Some(column.to_owned()),
    }
}
