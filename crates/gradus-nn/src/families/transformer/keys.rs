//! Reading typed values out of a `config.json`, with errors that name the key.

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The keys of one config.
pub(super) struct Keys<'a> {
    pub map: &'a Map<String, Value>,
    /// The family, for messages.
    pub owner: &'static str,
}

impl Keys<'_> {
    /// The value of a key that is there and not null.
    fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    fn read<T>(
        &self,
        key: &'static str,
        rule: &'static str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match read(value) {
            Some(value) => Ok(Some(value)),
            None => Err(self.invalid(key, value.to_string(), rule)),
        }
    }

    pub fn invalid(&self, setting: &'static str, value: String, rule: &'static str) -> Error {
        Error::InvalidSetting {
            owner: self.owner,
            setting,
            value,
            rule,
        }
    }

    pub fn count_if_set(&self, key: &'static str) -> Result<Option<usize>> {
        let read = |value: &Value| {
            let count = usize::try_from(value.as_u64()?).ok()?;
            (count <= MAX_COUNT).then_some(count)
        };
        self.read(key, "it must be a whole number of at most 2^32", read)
    }

    /// A size that every config of the family has.
    pub fn count(&self, key: &'static str) -> Result<usize> {
        self.count_if_set(key)?.ok_or(Error::MissingSetting {
            owner: self.owner,
            setting: key,
        })
    }

    pub fn count_or(&self, key: &'static str, default: usize) -> Result<usize> {
        Ok(self.count_if_set(key)?.unwrap_or(default))
    }

    pub fn number_if_set(&self, key: &'static str) -> Result<Option<f64>> {
        self.read(key, "it must be a number", Value::as_f64)
    }

    pub fn number_or(&self, key: &'static str, default: f64) -> Result<f64> {
        Ok(self.number_if_set(key)?.unwrap_or(default))
    }

    pub fn flag_or(&self, key: &'static str, default: bool) -> Result<bool> {
        Ok(self
            .read(key, "it must be true or false", Value::as_bool)?
            .unwrap_or(default))
    }

    pub fn text_or(&self, key: &'static str, default: &str) -> Result<String> {
        let read = |value: &Value| value.as_str().map(str::to_owned);
        Ok(self
            .read(key, "it must be a text", read)?
            .unwrap_or_else(|| default.to_owned()))
    }

    /// A list of texts.
    pub fn texts_if_set(&self, key: &'static str) -> Result<Option<Vec<String>>> {
        let read = |value: &Value| {
            let texts = value
                .as_array()?
                .iter()
                .map(|text| text.as_str().map(str::to_owned));
            texts.collect::<Option<Vec<_>>>()
        };
        self.read(key, "it must be a list of texts", read)
    }
}

/// Larger counts overflow when multiplied; no model comes near.
const MAX_COUNT: usize = 1 << 32;
