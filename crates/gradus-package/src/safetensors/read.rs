//! Reading tensors from safetensors files, in place where the file can be mapped.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use gradus_tensor::{MappedFile, Tensor};

use crate::error::{Error, Result};
use crate::safetensors::header::{Header, TensorEntry, held_dtype};
use crate::safetensors::with_element;

/// What a safetensors file holds.
pub struct TensorFile {
    /// The tensors with their names, in the order of their bytes: widest element type first, then by name.
    pub tensors: Vec<(String, Tensor)>,
    /// The free text that goes with them.
    pub metadata: BTreeMap<String, String>,
}

/// Reads a safetensors file. The file is mapped, not copied: tensors are views of it, paged in as they are used.
///
/// # Errors
/// [`Error::SafeTensors`] with what is wrong when the file breaks the format, [`Error::UnsupportedDType`] naming the
/// first tensor whose element type has no counterpart, [`Error::MissingFile`] and [`Error::Map`] from the system.
pub fn read_safetensors(path: &Path) -> Result<TensorFile> {
    let file = map(path)?;
    let header = parse(path, file.bytes())?;
    Ok(TensorFile {
        tensors: tensors_of(path, &file, &header.tensors)?,
        metadata: header.metadata,
    })
}

/// Maps a file, telling a missing one apart.
pub(crate) fn map(path: &Path) -> Result<Arc<MappedFile>> {
    if !path.exists() {
        return Err(Error::MissingFile {
            path: path.to_path_buf(),
            needed_by: "it was to be read",
        });
    }
    MappedFile::open(path).map_err(|source| Error::Map(Box::new(source)))
}

/// Reads the header of a file that lies in memory.
pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Header> {
    Header::parse(bytes).map_err(|source| Error::SafeTensors {
        path: path.to_path_buf(),
        source: Box::new(source),
    })
}

/// Views of a mapped file's tensors.
pub(crate) fn tensors_of(
    path: &Path,
    file: &Arc<MappedFile>,
    entries: &[TensorEntry],
) -> Result<Vec<(String, Tensor)>> {
    entries
        .iter()
        .map(|entry| Ok((entry.name.clone(), tensor_of(path, file, entry)?)))
        .collect()
}

/// A view of one of a mapped file's tensors.
pub(crate) fn tensor_of(path: &Path, file: &Arc<MappedFile>, entry: &TensorEntry) -> Result<Tensor> {
    let dtype = held_dtype(&entry.dtype).ok_or_else(|| Error::UnsupportedDType {
        path: path.to_path_buf(),
        tensor: entry.name.clone(),
        dtype: entry.dtype.clone(),
    })?;
    with_element!(dtype, T => Tensor::from_mapped::<T>(file, entry.bytes.start, &entry.shape))
        .map_err(Error::tensor(&entry.name))
}
