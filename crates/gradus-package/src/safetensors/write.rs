//! Writing tensors as a safetensors file whose bytes depend on the tensors alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Write};
use std::path::Path;

use gradus_tensor::{DType, Tensor};
use safetensors::tensor::TensorInfo;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::atomic::write_atomic_with;
use crate::error::{Error, Result};
use crate::safetensors::header::{LENGTH_BYTES, stored_dtype};
use crate::safetensors::with_element;

/// The header's key for free text.
const METADATA: &str = "__metadata__";

/// Large enough that many small tensors become few system calls.
const BUFFER_BYTES: usize = 1 << 20;

/// Writes named tensors to a file, all or nothing. Equal arguments give equal bytes.
///
/// Tensors are stored widest element type first and then by name, as the reference implementation does, so that each
/// one is aligned to its elements; metadata stands in the order of its keys.
///
/// # Errors
/// [`Error::DuplicateTensor`] and [`Error::ReservedName`] for names the format cannot hold, [`Error::Io`] when the
/// file cannot be written; the old file, if any, is then as it was.
pub fn write_safetensors(
    path: &Path,
    tensors: &[(String, Tensor)],
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    let metadata: Vec<(&str, &str)> = metadata.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let layout = Layout::new(path, held(tensors), &metadata)?;
    write_atomic_with(path, |file, temporary| {
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, file);
        layout.write(&mut out, temporary)?;
        out.flush().map_err(Error::io("write", temporary))
    })
}

/// Streams tensors to any writer.
pub(crate) fn write_tensors(
    out: impl Write,
    path: &Path,
    tensors: Vec<LazyTensor<'_>>,
    metadata: &[(&str, &str)],
) -> Result<()> {
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, out);
    Layout::new(path, tensors, metadata)?.write(&mut out, path)?;
    out.flush().map_err(Error::io("write", path))
}

/// A tensor that is made when its turn comes, so that converted weights are in memory one at a time.
pub(crate) struct LazyTensor<'a> {
    pub(crate) name: &'a str,
    pub(crate) dtype: DType,
    pub(crate) shape: Vec<usize>,
    /// Gives the tensor, of the type and shape above.
    pub(crate) load: Box<dyn Fn() -> gradus_tensor::Result<Tensor> + 'a>,
}

impl LazyTensor<'_> {
    /// Bytes that the elements take.
    pub(crate) fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.size_bytes()
    }
}

/// Tensors that are there already.
pub(crate) fn held(tensors: &[(String, Tensor)]) -> Vec<LazyTensor<'_>> {
    tensors
        .iter()
        .map(|(name, tensor)| LazyTensor {
            name,
            dtype: tensor.dtype(),
            shape: tensor.shape().to_vec(),
            load: Box::new(|| Ok(tensor.clone())),
        })
        .collect()
}

/// Tensors in the order of the file, and the file's first bytes.
pub(crate) struct Layout<'a> {
    tensors: Vec<LazyTensor<'a>>,
    /// The length and the header, up to where the tensors begin.
    pub(crate) head: Vec<u8>,
}

impl<'a> Layout<'a> {
    /// Orders the tensors and writes the header; `metadata` keeps the order given.
    pub(crate) fn new(
        path: &Path,
        mut tensors: Vec<LazyTensor<'a>>,
        metadata: &[(&str, &str)],
    ) -> Result<Self> {
        check_names(&tensors)?;
        tensors.sort_by(|left, right| {
            let by_type = stored_dtype(right.dtype).cmp(&stored_dtype(left.dtype));
            by_type.then(left.name.cmp(right.name))
        });
        let head = head(&tensors, metadata).map_err(Error::encode(path))?;
        Ok(Layout { tensors, head })
    }

    /// Writes the whole file.
    pub(crate) fn write(&self, mut out: impl Write, path: &Path) -> Result<()> {
        out.write_all(&self.head).map_err(Error::io("write", path))?;
        for tensor in &self.tensors {
            write_elements(&mut out, path, tensor)?;
        }
        Ok(())
    }
}

fn check_names(tensors: &[LazyTensor<'_>]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for tensor in tensors {
        let name = || tensor.name.to_owned();
        if tensor.name == METADATA {
            return Err(Error::ReservedName { name: name() });
        }
        if !seen.insert(tensor.name) {
            return Err(Error::DuplicateTensor { name: name() });
        }
    }
    Ok(())
}

fn head(tensors: &[LazyTensor<'_>], metadata: &[(&str, &str)]) -> serde_json::Result<Vec<u8>> {
    let mut out = vec![0; LENGTH_BYTES];
    serde_json::to_writer(&mut out, &HeaderJson { tensors, metadata })?;
    // Spaces until the tensors begin at a multiple of the widest element's size.
    out.resize(out.len().next_multiple_of(LENGTH_BYTES), b' ');
    let length = (out.len() - LENGTH_BYTES) as u64;
    out[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
    Ok(out)
}

struct HeaderJson<'a> {
    tensors: &'a [LazyTensor<'a>],
    metadata: &'a [(&'a str, &'a str)],
}

impl Serialize for HeaderJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.metadata.is_empty() {
            map.serialize_entry(METADATA, &InOrder(self.metadata))?;
        }
        let mut start = 0;
        for tensor in self.tensors {
            let end = start + tensor.bytes();
            map.serialize_entry(
                tensor.name,
                &TensorInfo {
                    dtype: stored_dtype(tensor.dtype),
                    shape: tensor.shape.clone(),
                    data_offsets: (start, end),
                },
            )?;
            start = end;
        }
        map.end()
    }
}

/// A JSON object whose keys keep their order.
struct InOrder<'a>(&'a [(&'a str, &'a str)]);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// Bytes a tensor's elements take.
pub(crate) fn stored_bytes(tensor: &Tensor) -> usize {
    tensor.numel() * tensor.dtype().size_bytes()
}

fn write_elements(out: &mut impl Write, path: &Path, lazy: &LazyTensor<'_>) -> Result<()> {
    let tensor = (lazy.load)().and_then(|tensor| tensor.detach().contiguous());
    let tensor = tensor.map_err(Error::tensor(lazy.name))?;
    debug_assert_eq!((tensor.dtype(), tensor.shape()), (lazy.dtype, &lazy.shape[..]));
    with_element!(tensor.dtype(), T => {
        let elements = tensor.as_slice::<T>().map_err(Error::tensor(lazy.name))?;
        out.write_all(bytemuck::cast_slice(elements)).map_err(Error::io("write", path))
    })
}
