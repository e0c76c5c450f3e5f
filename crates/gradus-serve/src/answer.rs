//! Answers to prediction requests.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::error::{Error, Result};

/// The format of an answer, decided by that of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// To `input_data`.
    OutputData,
    /// To TensorFlow Serving's `instances`.
    Predictions,
    /// To TensorFlow Serving's `inputs`.
    Outputs,
}

impl Format {
    /// The field of the request that asks for this format.
    pub(crate) fn request_field(self) -> &'static str {
        match self {
            Format::OutputData => "input_data",
            Format::Predictions => "instances",
            Format::Outputs => "inputs",
        }
    }

    fn answer_field(self) -> &'static str {
        match self {
            Format::OutputData => "output_data",
            Format::Predictions => "predictions",
            Format::Outputs => "outputs",
        }
    }
}

/// The body that answers with rows of `classes` probabilities.
///
/// # Errors
/// [`Error::NotFinite`] for a number that JSON cannot hold.
pub(crate) fn body(format: Format, probabilities: &[f32], classes: usize) -> Result<Vec<u8>> {
    if let Some(at) = probabilities.iter().position(|p| !p.is_finite()) {
        return Err(Error::NotFinite {
            field: format.request_field(),
            index: at / classes,
        });
    }
    // Each number takes at most 15 characters and a comma.
    let mut body = Vec::with_capacity(32 + probabilities.len() * 16);
    let answer = Answer {
        format,
        rows: Rows {
            values: probabilities,
            classes,
        },
    };
    serde_json::to_writer(&mut body, &answer).expect("finite numbers are always JSON");
    Ok(body)
}

struct Answer<'a> {
    format: Format,
    rows: Rows<'a>,
}

impl Serialize for Answer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.format.answer_field(), &self.rows)?;
        map.end()
    }
}

struct Rows<'a> {
    values: &'a [f32],
    classes: usize,
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows = self.values.chunks_exact(self.classes);
        let mut list = serializer.serialize_seq(Some(rows.len()))?;
        rows.into_iter().try_for_each(|row| list.serialize_element(row))?;
        list.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_under_the_field_of_the_format() {
        let text = |format| String::from_utf8(body(format, &[0.25, 0.75, 1.0, 0.0], 2).unwrap()).unwrap();
        assert_eq!(
            text(Format::OutputData),
            r#"{"output_data":[[0.25,0.75],[1.0,0.0]]}"#
        );
        assert_eq!(
            text(Format::Predictions),
            r#"{"predictions":[[0.25,0.75],[1.0,0.0]]}"#
        );
        assert_eq!(text(Format::Outputs), r#"{"outputs":[[0.25,0.75],[1.0,0.0]]}"#);
    }

    #[test]
    fn what_json_cannot_hold_is_an_error() {
        let error = body(Format::Predictions, &[0.5, 0.5, f32::NAN, 0.0], 2).unwrap_err();
        assert!(matches!(
            error,
            Error::NotFinite {
                field: "instances",
                index: 1
            }
        ));
    }
}
