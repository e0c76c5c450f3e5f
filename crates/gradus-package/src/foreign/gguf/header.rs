//! The front of a GGUF file: metadata, and where each tensor lies; checked against the file's length.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::foreign::gguf::GgufProblem;
use crate::foreign::gguf::cursor::Cursor;
use crate::foreign::gguf::metadata::GgufMetadata;
use crate::foreign::gguf::tensor_type::GgufTensorType;

/// The first bytes of every file.
pub(super) const MAGIC: [u8; 4] = *b"GGUF";
/// The version that is written; version 2 differs only in what big-endian files may be.
pub(super) const VERSION: u32 = 3;
/// Where tensors begin when the file does not say.
pub(super) const DEFAULT_ALIGNMENT: u32 = 32;
/// The key of another alignment.
pub(super) const ALIGNMENT_KEY: &str = "general.alignment";

/// ggml's limit on the dimensions of a tensor.
const MAX_RANK: u32 = 4;
/// ggml's limit on the name of a tensor, without the byte that ends it.
pub(super) const MAX_NAME_BYTES: usize = 63;
/// Bytes of the shortest description of a tensor: a name of one letter and its length, rank, type, offset.
const LEAST_TENSOR_BYTES: usize = 8 + 1 + 4 + 4 + 8;

/// Where one tensor lies in a file, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GgufTensor<'a> {
    /// Its name in the file: `blk.0.attn_q.weight`.
    pub name: &'a str,
    /// The length of each axis, slowest first: the file's order reversed, as everywhere else.
    pub shape: Vec<usize>,
    /// How its elements are stored.
    pub kind: GgufTensorType,
    /// Its bytes, counted from the start of the file.
    pub bytes: Range<usize>,
}

/// What stands at the front of a GGUF file.
#[derive(Debug)]
pub struct GgufHeader<'a> {
    /// The metadata.
    pub metadata: GgufMetadata<'a>,
    /// The tensors, in the order of the file.
    pub tensors: Vec<GgufTensor<'a>>,
}

impl<'a> GgufHeader<'a> {
    /// Reads the front of a whole file. Every tensor that is returned lies within the file, apart from the others.
    ///
    /// # Errors
    /// What is wrong, with the place or the name of it. Nothing is allocated that the file's length does not justify.
    pub fn parse(file: &'a [u8]) -> Result<GgufHeader<'a>, GgufProblem> {
        let mut cursor = Cursor::new(file);
        read_version(&mut cursor)?;
        let tensors = cursor.u64("the number of tensors")?;
        let pairs = cursor.u64("the number of metadata pairs")?;
        let metadata = GgufMetadata::read(&mut cursor, pairs)?;
        let alignment = alignment(&metadata)?;
        let count = cursor.check_count(tensors, LEAST_TENSOR_BYTES, "tensors")?;
        let described = (0..count).map(|_| Described::read(&mut cursor));
        let described: Vec<_> = described.collect::<Result<_, _>>()?;
        check_names(&described)?;
        let start = cursor.at().next_multiple_of(alignment as usize);
        let placed = described
            .into_iter()
            .map(|tensor| tensor.place(start, alignment, file.len()));
        let tensors: Vec<_> = placed.collect::<Result<_, _>>()?;
        check_apart(&tensors)?;
        Ok(GgufHeader { metadata, tensors })
    }
}

fn read_version(cursor: &mut Cursor<'_>) -> Result<(), GgufProblem> {
    if cursor.bytes(MAGIC.len() as u64, "its first four bytes")? != MAGIC {
        return Err(GgufProblem::NotGguf);
    }
    let version = cursor.u32("its version")?;
    match version {
        2 | VERSION => Ok(()),
        // A small number in the other byte order.
        _ if version.trailing_zeros() >= 16 && version != 0 => Err(GgufProblem::BigEndian),
        _ => Err(GgufProblem::Version { version }),
    }
}

fn alignment(metadata: &GgufMetadata<'_>) -> Result<u32, GgufProblem> {
    let alignment = metadata.u64(ALIGNMENT_KEY)?.unwrap_or(DEFAULT_ALIGNMENT.into());
    let wrong = || GgufProblem::Value {
        key: ALIGNMENT_KEY.to_owned(),
        expected: "a number of 32 bits",
    };
    let alignment = u32::try_from(alignment).map_err(|_| wrong())?;
    if alignment.is_power_of_two() {
        Ok(alignment)
    } else {
        Err(GgufProblem::Alignment { alignment })
    }
}

/// A tensor as the file describes it, before its place is checked.
struct Described<'a> {
    name: &'a str,
    shape: Vec<usize>,
    kind: GgufTensorType,
    bytes: usize,
    offset: u64,
}

impl<'a> Described<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Described<'a>, GgufProblem> {
        let name = cursor.name(MAX_NAME_BYTES, "the name of a tensor")?;
        let rank = cursor.u32("the rank of a tensor")?;
        let impossible = |dimensions: &[u64]| GgufProblem::Shape {
            tensor: name.to_owned(),
            rank,
            dimensions: dimensions.to_vec(),
        };
        if rank == 0 || rank > MAX_RANK {
            return Err(impossible(&[]));
        }
        let dimensions = (0..rank).map(|_| cursor.u64("the shape of a tensor"));
        let dimensions: Vec<u64> = dimensions.collect::<Result<_, _>>()?;
        let kind = GgufTensorType::find(cursor.u32("the type of a tensor")?);
        let kind = kind.map_err(|type_name| GgufProblem::TensorType {
            tensor: name.to_owned(),
            type_name,
        })?;
        let offset = cursor.u64("the offset of a tensor")?;
        let shape = countable_shape(&dimensions).ok_or_else(|| impossible(&dimensions))?;
        let row_bytes = kind
            .row_bytes(shape[shape.len() - 1])
            .ok_or_else(|| GgufProblem::Row {
                tensor: name.to_owned(),
                cols: dimensions[0],
                type_name: kind.name(),
            })?;
        let rows = &shape[..shape.len() - 1];
        let bytes = rows.iter().try_fold(row_bytes, |n, &d| n.checked_mul(d));
        Ok(Described {
            name,
            kind,
            bytes: bytes.ok_or_else(|| impossible(&dimensions))?,
            offset,
            shape,
        })
    }

    /// The tensor with its place, if that lies within the file.
    fn place(self, start: usize, alignment: u32, length: usize) -> Result<GgufTensor<'a>, GgufProblem> {
        let from = usize::try_from(self.offset)
            .ok()
            .and_then(|offset| start.checked_add(offset));
        let range = from.and_then(|from| Some(from..from.checked_add(self.bytes)?));
        let fits = |range: &Range<usize>| range.end <= length && self.offset.is_multiple_of(alignment.into());
        let bytes = range.filter(fits).ok_or_else(|| GgufProblem::Place {
            tensor: self.name.to_owned(),
            offset: self.offset,
            bytes: self.bytes as u64,
        })?;
        Ok(GgufTensor {
            name: self.name,
            shape: self.shape,
            kind: self.kind,
            bytes,
        })
    }
}

/// The dimensions reversed, if the elements can be counted even where a dimension of zero hides them.
fn countable_shape(dimensions: &[u64]) -> Option<Vec<usize>> {
    let lengths = dimensions
        .iter()
        .rev()
        .map(|&length| usize::try_from(length).ok());
    let shape: Vec<usize> = lengths.collect::<Option<_>>()?;
    let positive = shape.iter().filter(|&&length| length > 0);
    positive.copied().try_fold(size_of::<f64>(), usize::checked_mul)?;
    Some(shape)
}

fn check_names(tensors: &[Described<'_>]) -> Result<(), GgufProblem> {
    let mut seen = BTreeSet::new();
    match tensors.iter().find(|tensor| !seen.insert(tensor.name)) {
        Some(tensor) => Err(GgufProblem::Duplicate {
            what: "tensors",
            name: tensor.name.to_owned(),
        }),
        None => Ok(()),
    }
}

fn check_apart(tensors: &[GgufTensor<'_>]) -> Result<(), GgufProblem> {
    let mut by_place: Vec<&GgufTensor<'_>> =
        tensors.iter().filter(|tensor| !tensor.bytes.is_empty()).collect();
    by_place.sort_by_key(|tensor| tensor.bytes.start);
    match by_place
        .windows(2)
        .find(|pair| pair[1].bytes.start < pair[0].bytes.end)
    {
        Some(pair) => Err(GgufProblem::Overlap {
            first: pair[0].name.to_owned(),
            second: pair[1].name.to_owned(),
        }),
        None => Ok(()),
    }
}
