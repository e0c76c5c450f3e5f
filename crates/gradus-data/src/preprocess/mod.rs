//! Preparation: what is done to raw inputs before a model sees them.
//!
//! It is fitted once, on training data alone, and stored in the package. Training, evaluation, prediction and serving
//! all apply the same value through the functions here, so a served model cannot be fed otherwise than it was trained.

mod image;
mod table;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::targets::{TargetEncoding, TargetKind, TargetScale};

pub use image::{ChannelAffine, ImagePreprocessing};
pub(crate) use table::{ApplyError, standard_scale};
pub use table::{ColumnTransform, TablePreprocessing, Transform};

/// How raw inputs become the numbers a model takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Preprocessing {
    /// Pictures of one size.
    Image(ImagePreprocessing),
    /// Rows of named columns.
    Table(TablePreprocessing),
}

impl Preprocessing {
    /// The shape of one sample: `[channels, height, width]`, or `[inputs]` for tables.
    pub fn sample_shape(&self) -> Vec<usize> {
        match self {
            Preprocessing::Image(image) => image.shape.to_vec(),
            Preprocessing::Table(table) => vec![table.width()],
        }
    }

    /// Numbers in one sample.
    pub fn sample_len(&self) -> usize {
        self.sample_shape().iter().product()
    }

    /// What the model was trained to tell.
    pub fn target_kind(&self) -> TargetKind {
        match self.target_encoding() {
            None => TargetKind::Classification,
            Some(TargetEncoding::Values { .. }) => TargetKind::Regression,
            Some(TargetEncoding::Labels { .. } | TargetEncoding::SeparatedLabels { .. }) => {
                TargetKind::Multilabel
            }
        }
    }

    /// How each output of a regression is standardised; empty for classes and labels.
    pub fn target_scales(&self) -> Vec<TargetScale> {
        self.target_encoding()
            .map(TargetEncoding::scales)
            .unwrap_or_default()
    }

    fn target_encoding(&self) -> Option<&TargetEncoding> {
        match self {
            Preprocessing::Image(_) => None,
            Preprocessing::Table(table) => table.targets.as_ref(),
        }
    }

    /// Checks a value that was read from a file: shapes, lengths and ranges.
    ///
    /// # Errors
    /// When a field is out of its range or does not agree with another.
    pub fn validate(&self) -> Result<()> {
        match self {
            Preprocessing::Image(image) => image.validate(),
            Preprocessing::Table(table) => table.validate(),
        }
    }

    /// One sample as a client sends it, in one line: for signatures and for messages.
    pub fn describe_input(&self) -> String {
        match self {
            Preprocessing::Image(image) => image.describe_input(),
            Preprocessing::Table(table) => table.describe_input(),
        }
    }

    /// Writes one sample, given as JSON, to `out` (length [`sample_len`](Self::sample_len)).
    ///
    /// A picture is an array of raw pixel values from 0 to 255, exactly as a training file holds them and **not**
    /// normalised: flat, or nested as `[height][width]` (one channel), `[channels][height][width]` or
    /// `[height][width][channels]`. A row of a table is an object with a value for each column, or an array of values
    /// in the order of the columns; numbers may also be spelt as strings, and null is a missing value.
    ///
    /// # Errors
    /// When the value has another shape, type, column or range; the message says where in the value.
    ///
    /// # Panics
    /// When `out` has another length.
    pub fn json_sample(&self, value: &Value, out: &mut [f32]) -> Result<()> {
        match self {
            Preprocessing::Image(image) => image.json_sample(value, out),
            Preprocessing::Table(table) => table.json_sample(value, out),
        }
    }

    /// Writes one sample, given as the bytes of a PNG or JPEG file, to `out` (length
    /// [`sample_len`](Self::sample_len)). It is converted to the model's size and number of channels.
    ///
    /// # Errors
    /// When the model does not take pictures, or the bytes are not one.
    ///
    /// # Panics
    /// When `out` has another length.
    pub fn picture_sample(&self, bytes: &[u8], out: &mut [f32]) -> Result<()> {
        match self {
            Preprocessing::Image(image) => image.picture_sample(bytes, out),
            Preprocessing::Table(_) => Err(Error::PictureForTable {
                expected: self.describe_input(),
            }),
        }
    }
}

/// What came instead of the JSON value that was expected, for messages.
pub(crate) fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
