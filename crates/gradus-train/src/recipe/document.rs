//! A recipe's TOML, section by section, with the place of each mistake.

use super::keys::{UnknownName, nearest};
use super::overrides;
use crate::{Error, Place, Result, UnknownKey, UnknownValue};
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

    /// The text under a key of a section that has not been taken yet.
    pub(super) fn peek(&self, section: &str, key: &str) -> Option<&str> {
        self.table.get(section)?.get(key)?.as_str()
    }

    fn table(&mut self, section: &'static str) -> Result<Table> {
        match self.table.remove(section) {
            Some(Value::Table(table)) => Ok(table),
            Some(other) => Err(Error::InvalidValue {
                key: section.to_owned(),
                detail: format!(
                    "it is a {}, expected a table: write [{section}] on its own line",
                    other.type_str()
                ),
                place: self.place(&[section]),
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
        T::deserialize(Value::Table(table.clone())).map_err(|error| {
            let key = culprit::<T>(&table, &error);
            self.explain(Mistake { section, key, shared }, &error)
        })
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
    fn explain(&self, mistake: Mistake<'_>, error: &toml::de::Error) -> Error {
        let Mistake { section, key, shared } = mistake;
        let dotted = key.map_or_else(|| section.to_owned(), |key| format!("{section}.{key}"));
        let path: Vec<&str> = [section].into_iter().chain(key).collect();
        let Some(unknown) = UnknownName::from_message(error.message()) else {
            let (detail, place) = (error.message().to_owned(), self.place(&path));
            return Error::InvalidValue {
                key: dotted,
                detail,
                place,
            };
        };
        let shared = if unknown.is_variant { &[] } else { shared };
        let candidates: Vec<&str> = unknown.expected.iter().chain(shared).copied().collect();
        let suggestion = nearest(unknown.name, candidates.iter().copied()).map(str::to_owned);
        let (name, known) = (unknown.name.to_owned(), candidates.join(", "));
        if unknown.is_variant {
            let place = self.place(&path);
            return Error::UnknownValue(Box::new(UnknownValue {
                key: dotted,
                value: name,
                suggestion,
                known,
                place,
            }));
        }
        let (section, place) = (section.to_owned(), self.place(&[section, &name]));
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

/// Which part of a recipe serde refused.
struct Mistake<'a> {
    section: &'static str,
    /// The key of the section that it lies in, where one alone is to blame.
    key: Option<&'a str>,
    /// Keys of the section that serde does not list.
    shared: &'a [&'a str],
}

/// Keys that choose what the others of their section mean.
const TAGS: [&str; 2] = ["name", "model_type"];

/// The key without which the section fails otherwise or not at all. serde reads tagged sections from a buffer, and
/// its errors no longer know the key. Without its tag every section fails otherwise, so tags are tried last.
fn culprit<'a, T: DeserializeOwned>(table: &'a Table, error: &toml::de::Error) -> Option<&'a str> {
    let is_to_blame = |key: &&str| {
        let mut without = table.clone();
        without.remove(*key);
        let result = T::deserialize(Value::Table(without));
        !result.is_err_and(|other| other.message() == error.message())
    };
    let (tags, others): (Vec<&str>, Vec<&str>) = table
        .keys()
        .map(String::as_str)
        .partition(|key| TAGS.contains(key));
    others.into_iter().chain(tags).find(is_to_blame)
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
