//! Bodies of prediction requests, in both dialects.

use std::fmt;

use gradus_tensor::Tensor;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::answer::Format;
use crate::error::{Error, Result};
use crate::input::SampleReader;

/// The only signature there is, by TensorFlow's default name.
pub(crate) const SIGNATURE_NAME: &str = "serving_default";

/// How many unknown fields a message lists.
const FIELDS_LISTED: usize = 8;

/// Which fields hold the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `input_data`.
    Plain,
    /// `instances` or `inputs`, and `signature_name`.
    TensorFlow,
}

/// A request's prepared samples, and how to answer it.
pub(crate) struct Request {
    pub inputs: Tensor,
    pub format: Format,
}

impl Request {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Error::Json`], [`Error::Value`], [`Error::MissingField`] and the others that are about bodies.
    pub(crate) fn parse(body: &[u8], dialect: Dialect, mut reader: SampleReader) -> Result<Request> {
        let mut parser = serde_json::Deserializer::from_slice(body);
        let seed = Body {
            reader: &mut reader,
            dialect,
        };
        let parsed = seed.deserialize(&mut parser);
        let parsed = parsed.and_then(|format| parser.end().map(|()| format));
        let format = parsed.map_err(|error| {
            let (place, mut reason) = (reader.position(), error.to_string());
            // What Python's json module writes for NaN stops the parser with just these words.
            if reason.starts_with("expected value") {
                reason.push_str(" (NaN and infinities are no JSON)");
            }
            reader.explain(&error).unwrap_or(Error::Json { place, reason })
        })?;
        Ok(Request {
            inputs: reader.finish()?,
            format,
        })
    }
}

/// The outer object.
struct Body<'r, 'a> {
    reader: &'r mut SampleReader<'a>,
    dialect: Dialect,
}

impl<'de> DeserializeSeed<'de> for Body<'_, '_> {
    type Value = Format;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Body<'_, '_> {
    type Value = Format;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with {}", expected_fields(self.dialect))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let Body { reader, dialect } = self;
        let mut format = None;
        let mut others = Vec::new();
        while let Some(name) = fields.next_key::<String>()? {
            let found = match (dialect, name.as_str()) {
                (Dialect::Plain, "input_data") => Format::OutputData,
                (Dialect::TensorFlow, "instances") => Format::Predictions,
                (Dialect::TensorFlow, "inputs") => Format::Outputs,
                (Dialect::TensorFlow, "signature_name") => {
                    let found = fields.next_value::<String>()?;
                    if !found.is_empty() && found != SIGNATURE_NAME {
                        return Err(reader.fail(Error::UnknownSignature {
                            found,
                            expected: SIGNATURE_NAME,
                        }));
                    }
                    continue;
                }
                (Dialect::Plain | Dialect::TensorFlow, _) => {
                    fields.next_value::<IgnoredAny>()?;
                    others.push(name);
                    continue;
                }
            };
            if format.is_some_and(|before| before != found) {
                return Err(reader.fail(Error::BothFormats));
            }
            format = Some(found);
            reader.begin(found.request_field(), found == Format::Outputs);
            fields.next_value_seed(&mut *reader)?;
        }
        format.ok_or_else(|| {
            reader.fail(Error::MissingField {
                expected: expected_fields(dialect),
                found: listed(&others),
            })
        })
    }
}

fn expected_fields(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Plain => "`input_data`",
        Dialect::TensorFlow => "`instances` or `inputs`",
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "no fields".to_owned();
    }
    let shown: Vec<String> = names
        .iter()
        .take(FIELDS_LISTED)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = if names.len() > FIELDS_LISTED { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}
