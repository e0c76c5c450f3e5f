//! The keys and values at the front of a GGUF file.

use std::collections::BTreeMap;

use crate::foreign::gguf::GgufProblem;
use crate::foreign::gguf::cursor::Cursor;

/// The longest key, as the format's specification says.
const MAX_KEY_BYTES: usize = 65_535;

/// Arrays of arrays are in the specification and in no file; llama.cpp refuses them altogether.
const MAX_DEPTH: usize = 4;

/// Bytes of the shortest pair: a length, a key of one letter, a type, a value of one byte.
const LEAST_PAIR_BYTES: usize = 8 + 1 + 4 + 1;

/// A metadata value. Texts and numbers of an array stay in the file.
#[derive(Clone, Debug, PartialEq)]
pub enum GgufValue<'a> {
    /// Types 0 (one byte), 2 (two), 4 (four) and 10 (eight).
    Unsigned(u64),
    /// Types 1 (one byte), 3 (two), 5 (four) and 11 (eight).
    Signed(i64),
    /// Type 6.
    F32(f32),
    /// Type 12.
    F64(f64),
    /// Type 7.
    Bool(bool),
    /// Type 8. The specification says UTF-8; what is shown or looked up is checked then.
    Text(&'a [u8]),
    /// Type 9 of type 8.
    Texts(Vec<&'a [u8]>),
    /// Type 9 of any other type but itself.
    Numbers(GgufNumbers<'a>),
    /// Type 9 of type 9.
    Arrays(Vec<GgufValue<'a>>),
}

/// An array of numbers, as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GgufNumbers<'a> {
    kind: NumberKind,
    bytes: &'a [u8],
}

/// The types of numbers, by their numbers in the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NumberKind {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

const TEXT: u32 = 8;
const ARRAY: u32 = 9;

impl NumberKind {
    fn find(kind: u32) -> Option<NumberKind> {
        use NumberKind::*;
        let kinds = [U8, I8, U16, I16, U32, I32, F32, Bool, U64, I64, F64];
        kinds.into_iter().find(|&known| known as u32 == kind)
    }

    fn size_bytes(self) -> usize {
        match self {
            NumberKind::U8 | NumberKind::I8 | NumberKind::Bool => 1,
            NumberKind::U16 | NumberKind::I16 => 2,
            NumberKind::U32 | NumberKind::I32 | NumberKind::F32 => 4,
            NumberKind::U64 | NumberKind::I64 | NumberKind::F64 => 8,
        }
    }

    fn read<'a>(self, cursor: &mut Cursor<'a>) -> Result<GgufValue<'a>, GgufProblem> {
        let what = "a metadata value";
        Ok(match self {
            NumberKind::U8 => GgufValue::Unsigned(cursor.u8(what)?.into()),
            NumberKind::I8 => GgufValue::Signed((cursor.u8(what)? as i8).into()),
            NumberKind::U16 => GgufValue::Unsigned(cursor.u16(what)?.into()),
            NumberKind::I16 => GgufValue::Signed((cursor.u16(what)? as i16).into()),
            NumberKind::U32 => GgufValue::Unsigned(cursor.u32(what)?.into()),
            NumberKind::I32 => GgufValue::Signed((cursor.u32(what)? as i32).into()),
            NumberKind::F32 => GgufValue::F32(f32::from_bits(cursor.u32(what)?)),
            NumberKind::Bool => GgufValue::Bool(cursor.u8(what)? != 0),
            NumberKind::U64 => GgufValue::Unsigned(cursor.u64(what)?),
            NumberKind::I64 => GgufValue::Signed(cursor.u64(what)? as i64),
            NumberKind::F64 => GgufValue::F64(f64::from_bits(cursor.u64(what)?)),
        })
    }
}

impl<'a> GgufNumbers<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.kind.size_bytes()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The numbers, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = GgufValue<'a>> + use<'a> {
        let (kind, mut cursor) = (self.kind, Cursor::new(self.bytes));
        std::iter::from_fn(move || {
            if cursor.rest() == 0 {
                return None;
            }
            Some(
                kind.read(&mut cursor)
                    .expect("bug: the array's length is a multiple of its elements'"),
            )
        })
    }
}

impl GgufValue<'_> {
    /// The value as a number that is not negative, whatever integer type it has.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            GgufValue::Unsigned(number) => Some(*number),
            GgufValue::Signed(number) => u64::try_from(*number).ok(),
            GgufValue::Bool(_)
            | GgufValue::F32(_)
            | GgufValue::F64(_)
            | GgufValue::Text(_)
            | GgufValue::Texts(_)
            | GgufValue::Numbers(_)
            | GgufValue::Arrays(_) => None,
        }
    }

    /// The value as a float: one of four bytes as the shortest decimal that reads back to it, as configs are written.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            GgufValue::F32(number) => number.to_string().parse().ok(),
            GgufValue::F64(number) => Some(*number),
            GgufValue::Unsigned(_)
            | GgufValue::Signed(_)
            | GgufValue::Bool(_)
            | GgufValue::Text(_)
            | GgufValue::Texts(_)
            | GgufValue::Numbers(_)
            | GgufValue::Arrays(_) => None,
        }
    }
}

/// All metadata of a file by key.
#[derive(Debug, Default)]
pub struct GgufMetadata<'a> {
    values: BTreeMap<&'a str, GgufValue<'a>>,
}

impl<'a> GgufMetadata<'a> {
    /// Reads `count` pairs.
    pub(super) fn read(cursor: &mut Cursor<'a>, count: u64) -> Result<GgufMetadata<'a>, GgufProblem> {
        let count = cursor.check_count(count, LEAST_PAIR_BYTES, "metadata pairs")?;
        let mut values = BTreeMap::new();
        for _ in 0..count {
            let key = cursor.name(MAX_KEY_BYTES, "a metadata key")?;
            let value = read_value(cursor, key)?;
            if values.insert(key, value).is_some() {
                return Err(GgufProblem::Duplicate {
                    what: "metadata keys",
                    name: key.to_owned(),
                });
            }
        }
        Ok(GgufMetadata { values })
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&GgufValue<'a>> {
        self.values.get(key)
    }

    /// All keys with their values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &GgufValue<'a>)> {
        self.values.iter().map(|(key, value)| (*key, value))
    }

    /// A number that is not negative, if the key is there.
    pub(super) fn u64(&self, key: &str) -> Result<Option<u64>, GgufProblem> {
        self.typed(key, "a number that is not negative", GgufValue::as_u64)
    }

    /// A float, if the key is there.
    pub(super) fn f64(&self, key: &str) -> Result<Option<f64>, GgufProblem> {
        self.typed(key, "a finite float", |value| {
            value.as_f64().filter(|number| number.is_finite())
        })
    }

    /// A truth value, if the key is there.
    pub(super) fn bool(&self, key: &str) -> Result<Option<bool>, GgufProblem> {
        self.typed(key, "true or false", |value| {
            let GgufValue::Bool(truth) = value else {
                return None;
            };
            Some(*truth)
        })
    }

    /// A text, if the key is there.
    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, GgufProblem> {
        self.typed(key, "a UTF-8 text", |value| {
            let GgufValue::Text(bytes) = value else {
                return None;
            };
            str::from_utf8(bytes).ok()
        })
    }

    /// A list of texts, if the key is there.
    pub(super) fn texts(&self, key: &str) -> Result<Option<&[&'a [u8]]>, GgufProblem> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        if let GgufValue::Texts(texts) = value {
            return Ok(Some(texts));
        }
        // An empty array may have any type.
        if let GgufValue::Numbers(numbers) = value
            && numbers.is_empty()
        {
            return Ok(Some(&[]));
        }
        Err(GgufProblem::Value {
            key: key.to_owned(),
            expected: "a list of texts",
        })
    }

    /// A list of numbers, if the key is there.
    pub(super) fn numbers(&self, key: &str) -> Result<Option<GgufNumbers<'a>>, GgufProblem> {
        self.typed(key, "a list of numbers", |value| {
            let GgufValue::Numbers(numbers) = value else {
                return None;
            };
            Some(*numbers)
        })
    }

    /// As [`u64`](Self::u64), for a key that must be there.
    pub(super) fn required_u64(&self, key: &str) -> Result<u64, GgufProblem> {
        self.u64(key)?.ok_or_else(|| missing(key))
    }

    /// As [`text`](Self::text), for a key that must be there.
    pub(super) fn required_text(&self, key: &str) -> Result<&'a str, GgufProblem> {
        self.text(key)?.ok_or_else(|| missing(key))
    }

    fn typed<T>(
        &self,
        key: &str,
        expected: &'static str,
        read: impl FnOnce(&GgufValue<'a>) -> Option<T>,
    ) -> Result<Option<T>, GgufProblem> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let wrong = || GgufProblem::Value {
            key: key.to_owned(),
            expected,
        };
        read(value).map(Some).ok_or_else(wrong)
    }
}

/// The error for a key that must be there.
pub(super) fn missing(key: &str) -> GgufProblem {
    GgufProblem::MissingKey { key: key.to_owned() }
}

fn read_value<'a>(cursor: &mut Cursor<'a>, key: &str) -> Result<GgufValue<'a>, GgufProblem> {
    let kind = cursor.u32("a metadata type")?;
    match kind {
        TEXT => Ok(GgufValue::Text(cursor.text("a metadata text")?)),
        ARRAY => read_array(cursor, key, 1),
        _ => number_kind(kind, key)?.read(cursor),
    }
}

/// Arrays may hold arrays, down to a limit that bounds the recursion.
fn read_array<'a>(cursor: &mut Cursor<'a>, key: &str, depth: usize) -> Result<GgufValue<'a>, GgufProblem> {
    let kind = cursor.u32("the type of an array")?;
    match kind {
        TEXT => {
            let count = cursor.count(8, "texts in an array")?;
            let texts = (0..count).map(|_| cursor.text("a text in an array"));
            texts.collect::<Result<_, _>>().map(GgufValue::Texts)
        }
        ARRAY if depth == MAX_DEPTH => Err(GgufProblem::Depth {
            key: key.to_owned(),
            limit: MAX_DEPTH,
        }),
        ARRAY => {
            let count = cursor.count(12, "arrays in an array")?;
            let arrays = (0..count).map(|_| read_array(cursor, key, depth + 1));
            arrays.collect::<Result<_, _>>().map(GgufValue::Arrays)
        }
        _ => {
            let kind = number_kind(kind, key)?;
            let count = cursor.count(kind.size_bytes(), "numbers in an array")?;
            let bytes = cursor.bytes((count * kind.size_bytes()) as u64, "an array")?;
            Ok(GgufValue::Numbers(GgufNumbers { kind, bytes }))
        }
    }
}

fn number_kind(kind: u32, key: &str) -> Result<NumberKind, GgufProblem> {
    NumberKind::find(kind).ok_or_else(|| GgufProblem::ValueType {
        key: key.to_owned(),
        kind,
    })
}
