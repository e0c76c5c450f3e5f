//! Samples straight from JSON into prepared numbers, without a tree of values in between.
//!
//! Pictures' numbers are pushed into one list as the parser finds them. Rows of tables hold strings and nulls as well,
//! so each becomes a small [`Value`] of its own before it is prepared. Whatever is wrong is kept as a typed error in the
//! reader, because a parser's error can only be text.

use std::fmt;

use base64::Engine;
use gradus_data::{ImagePreprocessing, Preprocessing, TablePreprocessing};
use gradus_tensor::Tensor;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The most numbers that one request may become, 128 MiB: pictures are small in a body and large as numbers.
const MAX_NUMBERS: usize = 1 << 25;

/// Arrays deeper than any picture are refused before they are read.
const MAX_DEPTH: usize = 4;

/// Reads the samples of one field.
pub(crate) struct SampleReader<'a> {
    preprocessing: &'a Preprocessing,
    /// The name of the model's input, which may be spelt out around a sample.
    input_name: &'a str,
    /// The field of the body that holds the samples; empty before it is met.
    field: &'static str,
    /// Whether an object may hold one array per column.
    columns_allowed: bool,
    max_samples: usize,
    sample_len: usize,
    values: Vec<f32>,
    nested: NestedNumbers,
    failure: Option<Error>,
}

impl<'a> SampleReader<'a> {
    pub(crate) fn new(preprocessing: &'a Preprocessing, input_name: &'a str, max_samples: usize) -> Self {
        let sample_len = preprocessing.sample_len();
        SampleReader {
            preprocessing,
            input_name,
            field: "",
            columns_allowed: false,
            max_samples: max_samples.min((MAX_NUMBERS / sample_len).max(1)),
            sample_len,
            values: Vec::new(),
            nested: NestedNumbers::default(),
            failure: None,
        }
    }

    /// Starts on the samples of `field`, in which an object may hold one array per column if `columns_allowed`.
    pub(crate) fn begin(&mut self, field: &'static str, columns_allowed: bool) {
        self.values.clear();
        self.field = field;
        self.columns_allowed = columns_allowed;
    }

    /// Number of samples so far.
    pub(crate) fn samples(&self) -> usize {
        self.values.len() / self.sample_len
    }

    /// The samples, f32 `[samples, ..sample_shape]`.
    ///
    /// # Errors
    /// [`Error::NoSamples`] when there are none.
    pub(crate) fn finish(self) -> Result<Tensor> {
        let samples = self.samples();
        if samples == 0 {
            return Err(Error::NoSamples { field: self.field });
        }
        let shape = [&[samples], self.preprocessing.sample_shape().as_slice()].concat();
        Tensor::from_slice(&self.values, shape).map_err(|error| Error::Predict(error.into()))
    }

    /// The typed error behind a parser's: what the reader found wrong, or what the parser says about the place that the
    /// reader had reached.
    pub(crate) fn explain(&mut self, error: &serde_json::Error) -> Option<Error> {
        let found_here = self.failure.take();
        found_here.or_else(|| {
            error.is_data().then(|| Error::Value {
                field: self.position(),
                reason: error.to_string(),
            })
        })
    }

    /// Where the parser stopped: the sample, and the place within it when it lies in arrays of numbers.
    pub(crate) fn position(&self) -> String {
        if self.field.is_empty() {
            return "body".to_owned();
        }
        self.place() + &path(self.nested.open_path())
    }

    /// Where the next sample stands in the body.
    fn place(&self) -> String {
        format!("{}[{}]", self.field, self.samples())
    }

    /// Keeps the typed error and gives the parser one to stop with.
    pub(crate) fn fail<E: de::Error>(&mut self, failure: Error) -> E {
        self.failure = Some(failure);
        E::custom("")
    }

    /// Prepares one sample at the end of the list.
    fn push<E: de::Error>(
        &mut self,
        prepare: impl FnOnce(&NestedNumbers, &mut [f32]) -> gradus_data::Result<()>,
    ) -> Result<(), E> {
        if self.samples() == self.max_samples {
            let (field, limit) = (self.field, self.max_samples);
            return Err(self.fail(Error::TooManySamples { field, limit }));
        }
        let place = self.place();
        let start = self.values.len();
        self.values.resize(start + self.sample_len, 0.0);
        prepare(&self.nested, &mut self.values[start..]).map_err(|cause| {
            let within = match cause {
                gradus_data::Error::PixelRange { .. } => path(&self.nested.first_out_of_range()),
                _ => String::new(),
            };
            self.fail(Error::Sample {
                place: place + &within,
                source: Box::new(cause),
            })
        })
    }

    /// One array for each column of a table, as many samples as each is long.
    fn push_columns<E: de::Error>(&mut self, mut fields: Map<String, Value>) -> Result<(), E> {
        let Some(Value::Array(first)) = fields.values().next() else {
            let reason = format!(
                "expected samples, or one array for each column; {}",
                self.preprocessing.describe_input()
            );
            return Err(self.fail(Error::Value {
                field: self.field.to_owned(),
                reason,
            }));
        };
        let samples = first.len();
        for (name, values) in &fields {
            let found = values
                .as_array()
                .map_or("no array".to_owned(), |items| format!("{} values", items.len()));
            if values.as_array().map(Vec::len) != Some(samples) {
                let field = format!("{}.{name}", self.field);
                let reason =
                    format!("expected an array of {samples} values, as the first column has; got {found}");
                return Err(self.fail(Error::Value { field, reason }));
            }
        }
        for index in 0..samples {
            let take = |values: &mut Value| values.get_mut(index).map_or(Value::Null, Value::take);
            let row = fields
                .iter_mut()
                .map(|(name, values)| (name.clone(), take(values)))
                .collect();
            self.push_row(Value::Object(row))?;
        }
        Ok(())
    }

    fn push_row<E: de::Error>(&mut self, row: Value) -> Result<(), E> {
        let preprocessing = self.preprocessing;
        self.push(|_, out| preprocessing.json_sample(&row, out))
    }
}

/// `[3][17]` for 3 and 17.
fn path(indices: &[usize]) -> String {
    indices.iter().map(|index| format!("[{index}]")).collect()
}

/// The field's value: a list of samples, or an object around one.
impl<'de> DeserializeSeed<'de> for &mut SampleReader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(SampleList { reader: self })
    }
}

struct SampleList<'r, 'a> {
    reader: &'r mut SampleReader<'a>,
}

impl<'de> Visitor<'de> for SampleList<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "an array of samples, each {}",
            self.reader.preprocessing.describe_input()
        )
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut samples: A) -> Result<(), A::Error> {
        let reader = self.reader;
        while samples
            .next_element_seed(OneSample { reader, depth: 0 })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let reader = self.reader;
        if let (Preprocessing::Table(table), true) = (reader.preprocessing, reader.columns_allowed) {
            let mut columns = Map::new();
            while let Some(name) = fields.next_key::<String>()? {
                if name == reader.input_name && !is_column(table, &name) {
                    fields.next_value_seed(&mut *reader)?;
                } else {
                    columns.insert(name, fields.next_value()?);
                }
            }
            return if columns.is_empty() {
                Ok(())
            } else {
                reader.push_columns(columns)
            };
        }
        let name = fields.next_key::<String>()?;
        if !reader.columns_allowed || name.as_deref() != Some(reader.input_name) {
            let reason = format!(
                "expected an array of samples, each {}; got an object",
                reader.preprocessing.describe_input()
            );
            let field = reader.field.to_owned();
            return Err(reader.fail(Error::Value { field, reason }));
        }
        fields.next_value_seed(&mut *reader)?;
        refuse_second_input(reader, fields)
    }
}

fn refuse_second_input<'de, A: MapAccess<'de>>(
    reader: &mut SampleReader,
    mut fields: A,
) -> Result<(), A::Error> {
    match fields.next_key::<String>()? {
        None => Ok(()),
        Some(other) => {
            let reason = format!("the model has one input, `{}`", reader.input_name);
            let field = format!("{}.{other}", reader.field);
            Err(reader.fail(Error::Value { field, reason }))
        }
    }
}

fn is_column(table: &TablePreprocessing, name: &str) -> bool {
    table.columns.iter().any(|column| column.name == name)
}

/// One sample in any of its spellings. `depth` counts the objects around it.
struct OneSample<'r, 'a> {
    reader: &'r mut SampleReader<'a>,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for OneSample<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.reader.preprocessing {
            Preprocessing::Image(image) => deserializer.deserialize_any(OnePicture {
                reader: self.reader,
                image,
                depth: self.depth,
            }),
            Preprocessing::Table(table) => {
                let row = Value::deserialize(deserializer)?;
                let row = unwrap_named(row, self.reader.input_name, table);
                self.reader.push_row(row)
            }
        }
    }
}

/// `{"input": row}` as `row`, unless the table has a column of that name.
fn unwrap_named(row: Value, input_name: &str, table: &TablePreprocessing) -> Value {
    match row {
        Value::Object(mut fields) if fields.len() == 1 && !is_column(table, input_name) => {
            fields.remove(input_name).unwrap_or(Value::Object(fields))
        }
        other => other,
    }
}

struct OnePicture<'r, 'a> {
    reader: &'r mut SampleReader<'a>,
    image: &'a ImagePreprocessing,
    depth: usize,
}

impl<'de> Visitor<'de> for OnePicture<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, or {{\"b64\": \"…\"}} with a PNG or JPEG file in base64",
            self.reader.preprocessing.describe_input()
        )
    }

    fn visit_seq<A: SeqAccess<'de>>(self, numbers: A) -> Result<(), A::Error> {
        self.reader.nested.clear();
        NumbersAt {
            nested: &mut self.reader.nested,
            depth: 0,
        }
        .visit_seq(numbers)?;
        let image = self.image;
        self.reader
            .push(|nested, out| image.pixel_sample(nested.shape(), &nested.numbers, out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let OnePicture { reader, image, depth } = self;
        let name = fields.next_key::<String>()?;
        match name.as_deref() {
            Some("b64") => {
                let text = fields.next_value::<std::borrow::Cow<'de, str>>()?;
                push_picture(reader, image, &text)?;
            }
            Some(name) if name == reader.input_name && depth == 0 => {
                fields.next_value_seed(OneSample {
                    reader,
                    depth: depth + 1,
                })?;
            }
            Some(_) | None => {
                let got = name.map_or("an empty object".to_owned(), |name| format!("a field `{name}`"));
                let expected = format!("an object here has one field, `b64` or `{}`", reader.input_name);
                let place = reader.place();
                return Err(reader.fail(Error::Value {
                    field: place,
                    reason: format!("{expected}; got {got}"),
                }));
            }
        }
        match fields.next_entry::<String, IgnoredAny>()? {
            None => Ok(()),
            Some((extra, _)) => {
                let field = format!("{}[{}].{extra}", reader.field, reader.samples() - 1);
                Err(reader.fail(Error::Value {
                    field,
                    reason: "nothing is expected here".to_owned(),
                }))
            }
        }
    }
}

fn push_picture<E: de::Error>(
    reader: &mut SampleReader,
    image: &ImagePreprocessing,
    text: &str,
) -> Result<(), E> {
    let place = reader.place();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text);
    let bytes = bytes.map_err(|cause| reader.fail(Error::Base64 { place, cause }))?;
    let preparation = Preprocessing::Image(image.clone());
    reader.push(|_, out| preparation.picture_sample(&bytes, out))
}

/// The numbers of nested arrays, and the lengths of the arrays at each depth.
#[derive(Default)]
struct NestedNumbers {
    numbers: Vec<f32>,
    /// Lengths from the outside in; the inner ones are known first.
    lengths: [Option<usize>; MAX_DEPTH],
    shape: [usize; MAX_DEPTH],
    /// How deep the numbers lie, once one was seen.
    rank: Option<usize>,
    /// The item that is being read of each array that is not closed yet.
    at: [usize; MAX_DEPTH],
    /// How many arrays are not closed yet.
    open: usize,
}

impl NestedNumbers {
    fn clear(&mut self) {
        self.numbers.clear();
        self.lengths = [None; MAX_DEPTH];
        self.rank = None;
        self.open = 0;
    }

    fn open_path(&self) -> &[usize] {
        &self.at[..self.open]
    }

    /// Where the first number that is no pixel value stands.
    fn first_out_of_range(&self) -> Vec<usize> {
        let is_pixel = |number: &f32| (0.0..=255.0).contains(number);
        let mut flat = self
            .numbers
            .iter()
            .position(|number| !is_pixel(number))
            .unwrap_or(0);
        let mut indices = self.shape().to_vec();
        for index in indices.iter_mut().rev() {
            let len = (*index).max(1);
            *index = flat % len;
            flat /= len;
        }
        indices
    }

    fn shape(&self) -> &[usize] {
        &self.shape[..self.rank.unwrap_or(1)]
    }

    /// An array at `depth` had this many items.
    fn close<E: de::Error>(&mut self, depth: usize, len: usize) -> Result<(), E> {
        match self.lengths[depth] {
            Some(first) if first != len => Err(E::custom(format_args!(
                "ragged array: one of its rows has {len} elements, its first {first}"
            ))),
            Some(_) => Ok(()),
            None => {
                self.lengths[depth] = Some(len);
                self.shape[depth] = len;
                Ok(())
            }
        }
    }

    /// A number at `depth`.
    fn push<E: de::Error>(&mut self, depth: usize, number: f64) -> Result<(), E> {
        if *self.rank.get_or_insert(depth) != depth {
            return Err(E::custom("ragged array: numbers and arrays side by side"));
        }
        self.numbers.push(number as f32);
        Ok(())
    }
}

/// An item inside `depth` arrays of a picture.
struct NumbersAt<'n> {
    nested: &'n mut NestedNumbers,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for NumbersAt<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NumbersAt<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a pixel value from 0 to 255")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<(), E> {
        self.nested.push(self.depth, number as f64)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<(), E> {
        self.nested.push(self.depth, number as f64)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<(), E> {
        self.nested.push(self.depth, number)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let NumbersAt { nested, depth } = self;
        if depth == MAX_DEPTH || nested.rank.is_some_and(|rank| rank <= depth) {
            return Err(de::Error::custom("arrays nested deeper than a picture"));
        }
        nested.open = depth + 1;
        let mut len = 0;
        loop {
            nested.at[depth] = len;
            let item = NumbersAt {
                nested,
                depth: depth + 1,
            };
            if items.next_element_seed(item)?.is_none() {
                break;
            }
            len += 1;
        }
        nested.open = depth;
        nested.close(depth, len)
    }
}
