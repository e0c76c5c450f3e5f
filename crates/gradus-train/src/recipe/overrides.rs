//! `--set train.learning_rate=0.05`: values typed on the command line over those in the file.

use crate::{Error, Result};
use toml::{Table, Value};

/// Writes each override into `document`, making tables on the way as needed.
pub(super) fn apply(document: &mut Table, overrides: &[String]) -> Result<()> {
    overrides.iter().try_for_each(|text| apply_one(document, text))
}

fn apply_one(document: &mut Table, text: &str) -> Result<()> {
    let malformed = || Error::InvalidOverride {
        text: text.to_owned(),
    };
    let (path, value) = text.split_once('=').ok_or_else(malformed)?;
    let mut keys = path.split('.').map(str::trim);
    let last = keys
        .next_back()
        .filter(|key| !key.is_empty())
        .ok_or_else(malformed)?;
    let mut place = Place::Table(document);
    for key in keys {
        place = place.enter(key).ok_or_else(malformed)?;
    }
    place.set(last, value.trim()).ok_or_else(malformed)
}

/// What a key may lead into: a table, or a list by a number counted from 0.
enum Place<'a> {
    Table(&'a mut Table),
    List(&'a mut Vec<Value>),
}

impl<'a> Place<'a> {
    fn enter(self, key: &str) -> Option<Place<'a>> {
        let value = match self {
            Place::Table(table) => table.entry(key).or_insert_with(|| Value::Table(Table::new())),
            Place::List(list) => list.get_mut(key.parse::<usize>().ok()?)?,
        };
        match value {
            Value::Table(table) => Some(Place::Table(table)),
            Value::Array(list) => Some(Place::List(list)),
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_) => None,
        }
    }

    fn set(self, key: &str, text: &str) -> Option<()> {
        match (self, text) {
            // Nothing takes the key away, so that its default holds.
            (Place::Table(table), "") => {
                table.remove(key);
            }
            (Place::Table(table), text) => {
                table.insert(key.to_owned(), parse_value(text));
            }
            (Place::List(list), text) => {
                let item = list.get_mut(key.parse::<usize>().ok()?)?;
                *item = Some(text).filter(|text| !text.is_empty()).map(parse_value)?;
            }
        }
        Some(())
    }
}

/// The value as TOML, or as a plain string where it is none: nobody wants to quote inside a shell.
fn parse_value(text: &str) -> Value {
    let document = format!("value = {text}");
    let parsed = toml::from_str::<Table>(&document)
        .ok()
        .filter(|table| table.len() == 1);
    parsed
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_replace_and_create() {
        let mut document: Table = toml::from_str("[train]\nepochs = 3").unwrap();
        let overrides = [
            "train.epochs=5",
            "optimizer.name = sgd",
            "model.hidden_sizes=[32, 16]",
            "train.seed=7",
        ];
        apply(&mut document, &overrides.map(str::to_owned)).unwrap();
        assert_eq!(document["train"]["epochs"].as_integer(), Some(5));
        assert_eq!(document["optimizer"]["name"].as_str(), Some("sgd"));
        assert_eq!(
            document["model"]["hidden_sizes"].as_array().map(Vec::len),
            Some(2)
        );
    }

    #[test]
    fn a_number_leads_into_a_list() {
        let mut document: Table = toml::from_str("[model]\nhidden_sizes = [64, 32]").unwrap();
        apply(&mut document, &["model.hidden_sizes.1=48".to_owned()]).unwrap();
        let sizes = document["model"]["hidden_sizes"].as_array().unwrap();
        assert_eq!(sizes, &[Value::Integer(64), Value::Integer(48)]);
        for text in [
            "model.hidden_sizes.2=1",
            "model.hidden_sizes.x=1",
            "model.hidden_sizes.0=",
        ] {
            let error = apply(&mut document, &[text.to_owned()]).unwrap_err();
            assert!(matches!(error, Error::InvalidOverride { .. }), "{text}");
        }
    }

    #[test]
    fn an_empty_value_takes_a_key_away() {
        let mut document: Table = toml::from_str("[model]\nname = 'x'\n[model.lora]\nrank = 3").unwrap();
        apply(&mut document, &["model.lora=".to_owned()]).unwrap();
        assert_eq!(document["model"].as_table().map(Table::len), Some(1));
    }

    #[test]
    fn a_value_cannot_smuggle_in_more_keys() {
        assert_eq!(
            parse_value("1\nother = 2"),
            Value::String("1\nother = 2".to_owned())
        );
    }

    #[test]
    fn an_override_needs_a_key_and_a_value() {
        let mut document: Table = toml::from_str("[train]\nepochs = 3").unwrap();
        for text in ["train.epochs", "=5", "train.=5", "train.epochs.x=5"] {
            let error = apply(&mut document, &[text.to_owned()]).unwrap_err();
            assert!(matches!(error, Error::InvalidOverride { .. }), "{text}");
        }
    }
}
