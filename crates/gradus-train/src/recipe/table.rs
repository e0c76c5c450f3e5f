//! A recipe for a table that nobody has written a recipe for.

use super::Recipe;
use crate::Result;
use gradus_data::{ColumnAdvice, columns_to_drop};
use std::path::Path;

/// A commented recipe for a table, and what it leaves out.
#[derive(Clone, Debug, PartialEq)]
pub struct TableRecipe {
    /// The recipe as TOML.
    pub text: String,
    /// The columns that it drops, and why each.
    pub dropped: Vec<ColumnAdvice>,
}

impl TableRecipe {
    /// The template `table` for a file and its label column, without the columns that
    /// [`columns_to_drop`] finds, and without `dividing`: columns that only say how rows are divided.
    ///
    /// # Errors
    /// When the file is no table, has no such columns, or cannot be read.
    pub fn new(data: &Path, label: &str, dividing: &[String]) -> Result<TableRecipe> {
        let keep: Vec<String> = [label.to_owned()]
            .into_iter()
            .chain(dividing.iter().cloned())
            .collect();
        let dropped = columns_to_drop(data, &keep)?;
        let columns: Vec<String> = dropped.iter().map(|advice| advice.column.clone()).collect();
        let template = Recipe::template("table")?;
        let lines = template.lines().map(|line| match line.split_once(" = ") {
            Some(("train", _)) => setting("train", data.display().to_string(), ""),
            Some(("label", rest)) => setting("label", label, comment(rest)),
            Some(("drop", rest)) => setting("drop", columns.clone(), comment(rest)),
            Some(_) | None => line.to_owned(),
        });
        let text = lines.map(|line| line + "\n").collect();
        Ok(TableRecipe { text, dropped })
    }
}

fn setting(key: &str, value: impl Into<toml::Value>, comment: &str) -> String {
    let line = format!("{key} = {}", value.into());
    match comment {
        "" => line,
        comment => format!("{line:<32} {comment}"),
    }
}

/// The comment behind a value of the template.
fn comment(rest: &str) -> &str {
    rest.find('#').map_or("", |at| &rest[at..])
}
