//! A recipe's TOML, section by section, with the place of each mistake.

use super::keys::{UnknownName, nearest};
use super::overrides;
use crate::{Error, Place, Result, UnknownKey};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

/// The sections of a recipe.
const SECTIONS: [&str; 5] = ["data", "model", "train", "optimizer", "schedule"];

/// The sections that have not been taken yet, and the text they came from.
pub(super) struct Document {
    path: PathBuf,
    text: String,
    table: Table,
}

impl Document {
    pub(super) fn parse(text: &str, path: &Path, overrides: &[String]) -> Result<Document> {
        let mut table: Table = toml::from_str(text).map_err(|error| Error::RecipeSyntax {
            place: place_of_span(text, path, error.span()),
            message: error.message().to_owned(),
        })?;
        overrides::apply(&mut table, overrides)?;
        Ok(Document {
            path: path.to_owned(),
            text: text.to_owned(),
            table,
        })
    }

    fn table(&mut self, section: &'static str) -> Result<Table> {
        match self.table.remove(section) {
            Some(Value::Table(table)) => Ok(table),
            Some(other) => Err(Error::InvalidSection {
                section: section.to_owned(),
                detail: format!(
                    "it is a {}, expected a table: write [{section}] on a line of its own",
                    other.type_str()
                ),
            }),
            None => Err(Error::MissingSection {
                section,
                place: Place {
                    path: self.path.clone(),
                    line: None,
                },
            }),
        }
    }

    /// Takes and reads a section that every recipe must have; `shared` are keys that serde does not list for it.
    pub(super) fn section<T: DeserializeOwned>(
        &mut self,
        section: &'static str,
        shared: &[&str],
    ) -> Result<T> {
        let table = self.table(section)?;
        T::deserialize(Value::Table(table)).map_err(|error| self.explain(section, &error, shared))
    }

    /// As [`Document::section`], with the type's default for a section that is not there.
    pub(super) fn section_or<T: DeserializeOwned + Default>(
        &mut self,
        section: &'static str,
        shared: &[&str],
    ) -> Result<T> {
        if self.table.contains_key(section) {
            self.section(section, shared)
        } else {
            Ok(T::default())
        }
    }

    /// Complains about sections that nobody has taken.
    pub(super) fn finish(self) -> Result<()> {
        let Some(key) = self.table.keys().next() else {
            return Ok(());
        };
        Err(Error::UnknownSection {
            key: key.clone(),
            suggestion: nearest(key, SECTIONS).map(str::to_owned),
            known: SECTIONS.join(", "),
            place: self.place(&[key]),
        })
    }

    /// serde's error with its place, and for an unknown name with the nearest real one.
    fn explain(&self, section: &'static str, error: &toml::de::Error, shared: &[&str]) -> Error {
        let Some(unknown) = UnknownName::from_message(error.message()) else {
            let detail = error.to_string().trim_end().replace('\n', " ");
            return Error::InvalidSection {
                section: section.to_owned(),
                detail,
            };
        };
        let shared = if unknown.is_variant { &[] } else { shared };
        let candidates: Vec<&str> = unknown.expected.iter().chain(shared).copied().collect();
        let suggestion = nearest(unknown.name, candidates.iter().copied()).map(str::to_owned);
        let (section, name, known) = (section.to_owned(), unknown.name.to_owned(), candidates.join(", "));
        if unknown.is_variant {
            return Error::UnknownValue {
                section,
                value: name,
                suggestion,
                known,
            };
        }
        let place = self.place(&[&section, &name]);
        Error::UnknownKey(Box::new(UnknownKey {
            section,
            key: name,
            suggestion,
            known,
            place,
        }))
    }

    /// The line of the first key of this path; none when it came from an override.
    fn place(&self, path: &[&str]) -> Place {
        let table = DeTable::parse(&self.text).ok();
        let span = table.and_then(|table| find_key(table.get_ref(), path));
        place_of_span(&self.text, &self.path, span)
    }
}

/// Where the last key of `path` stands: the other keys lead to it directly, the last may lie anywhere below them.
fn find_key(table: &DeTable<'_>, path: &[&str]) -> Option<std::ops::Range<usize>> {
    let (wanted, rest) = path.split_first()?;
    for (key, value) in table {
        let is_match = key.get_ref() == wanted;
        if is_match && rest.is_empty() {
            return Some(key.span());
        }
        if let DeValue::Table(inner) = value.get_ref() {
            let deeper = if is_match { rest } else { path };
            if let Some(span) = (is_match || rest.is_empty())
                .then(|| find_key(inner, deeper))
                .flatten()
            {
                return Some(span);
            }
        }
    }
    None
}

fn place_of_span(text: &str, path: &Path, span: Option<std::ops::Range<usize>>) -> Place {
    let line = span.map(|span| {
        text.bytes()
            .take(span.start)
            .filter(|&byte| byte == b'\n')
            .count()
            + 1
    });
    Place {
        path: path.to_owned(),
        line,
    }
}
