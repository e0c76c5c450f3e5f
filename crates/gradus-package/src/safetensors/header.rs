//! The JSON header of a safetensors file, checked against the file's length before anything is believed.

use std::collections::BTreeMap;
use std::ops::Range;

use gradus_tensor::DType;
use safetensors::tensor::{Dtype, Metadata};

/// Bytes of the length that every file begins with.
pub(crate) const LENGTH_BYTES: usize = 8;

/// The longest header that is read: the limit of the format's reference implementation.
pub(crate) const MAX_HEADER_BYTES: u64 = 100_000_000;

/// How a safetensors file breaks the format.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Too short for the length that stands first.
    #[error("it has {got} bytes, too few for the {LENGTH_BYTES} bytes of the header's length")]
    NoLength {
        /// The file's length.
        got: u64,
    },
    /// The header's length points past the end of the file, or past all reason.
    #[error(
        "its header claims {claimed} bytes; the file holds {available} and the format allows {MAX_HEADER_BYTES}"
    )]
    HeaderLength {
        /// The length claimed.
        claimed: u64,
        /// The bytes that follow the length.
        available: u64,
    },
    /// The header is not the JSON object it should be.
    #[error(
        "its header is no JSON object of tensors (offsets in order, without gap or overlap, fitting shape and type)"
    )]
    Header(#[source] serde_json::Error),
    /// The tensors' bytes end elsewhere than the file does.
    #[error(
        "its tensors take {claimed} bytes after the header, but {available} are there; the file was cut or extended"
    )]
    DataLength {
        /// The end of the last tensor.
        claimed: u64,
        /// The bytes that follow the header.
        available: u64,
    },
    /// A shape whose dimensions cannot be multiplied, hidden behind a dimension of zero.
    #[error("tensor `{tensor}` has the impossible shape {shape:?}")]
    Shape {
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
    },
}

/// Where one tensor lies in a file, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorEntry {
    /// The tensor's name.
    pub name: String,
    /// The element type's name in the format: `F32`, `BF16`, `I64`, ….
    pub dtype: String,
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// The tensor's bytes, counted from the start of the file.
    pub bytes: Range<usize>,
}

/// A header that fits its file.
pub(crate) struct Header {
    /// In the order of their bytes.
    pub(crate) tensors: Vec<TensorEntry>,
    /// The free text that goes with the tensors.
    pub(crate) metadata: BTreeMap<String, String>,
}

impl Header {
    /// Reads the header of a whole file, and checks it against the file's length.
    pub(crate) fn parse(file: &[u8]) -> Result<Header, Malformed> {
        let (length, rest) = file
            .split_first_chunk::<LENGTH_BYTES>()
            .ok_or(Malformed::NoLength {
                got: file.len() as u64,
            })?;
        let (claimed, available) = (u64::from_le_bytes(*length), rest.len() as u64);
        if claimed > available.min(MAX_HEADER_BYTES) {
            return Err(Malformed::HeaderLength { claimed, available });
        }
        let (json, data) = rest.split_at(claimed as usize);
        let parsed: Metadata = serde_json::from_slice(json).map_err(Malformed::Header)?;
        if parsed.data_len() != data.len() {
            let (claimed, available) = (parsed.data_len() as u64, data.len() as u64);
            return Err(Malformed::DataLength { claimed, available });
        }
        let data_start = LENGTH_BYTES + json.len();
        let tensors = parsed
            .offset_keys()
            .into_iter()
            .filter_map(|name| entry(&parsed, name, data_start));
        let metadata = parsed
            .metadata()
            .clone()
            .unwrap_or_default()
            .into_iter()
            .collect();
        Ok(Header {
            tensors: tensors.collect::<Result<_, _>>()?,
            metadata,
        })
    }
}

fn entry(parsed: &Metadata, name: String, data_start: usize) -> Option<Result<TensorEntry, Malformed>> {
    let info = parsed.info(&name)?;
    let shape = info.shape.clone();
    // A zero dimension makes any shape zero bytes long, but its strides must still be countable.
    let countable = shape
        .iter()
        .filter(|&&d| d > 0)
        .try_fold(8usize, |n, &d| n.checked_mul(d))
        .is_some();
    if !countable {
        return Some(Err(Malformed::Shape { tensor: name, shape }));
    }
    let (start, end) = info.data_offsets;
    let bytes = data_start + start..data_start + end;
    Some(Ok(TensorEntry {
        name,
        dtype: info.dtype.to_string(),
        shape,
        bytes,
    }))
}

/// The type a tensor is stored as.
pub(crate) fn stored_dtype(dtype: DType) -> Dtype {
    match dtype {
        DType::F64 => Dtype::F64,
        DType::F32 => Dtype::F32,
        DType::BF16 => Dtype::BF16,
        DType::F16 => Dtype::F16,
        DType::I64 => Dtype::I64,
        DType::U8 => Dtype::U8,
        DType::I8 => Dtype::I8,
    }
}

/// The type to hold a stored tensor as; `None` for types that have no counterpart.
pub(crate) fn held_dtype(stored: &str) -> Option<DType> {
    DType::ALL
        .into_iter()
        .find(|&dtype| stored_dtype(dtype).to_string() == stored)
}
