//! IDX, the format of MNIST and its relatives: big-endian `00 00 TYPE RANK`, `RANK` 32-bit sizes, then the elements.
//!
//! Specification: "The IDX file format" at the foot of LeCun, Cortes and Burges, *The MNIST database*. Only unsigned
//! bytes are read, as labels `[n]` and grey images `[n, height, width]`: no published data set of this kind uses
//! another type.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::read::bytes::read_unpacked;

/// The element type code of unsigned bytes.
const TYPE_U8: u8 = 0x08;

/// The images of an IDX file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdxImages {
    /// Grey pixels, `[count, height, width]`, row-major.
    pub pixels: Vec<u8>,
    /// Number of images.
    pub count: usize,
    /// Rows of pixels of each.
    pub height: usize,
    /// Columns of pixels of each.
    pub width: usize,
}

/// Reads an IDX file of images, plain or gzip.
///
/// # Errors
/// When the file cannot be read, is not IDX of unsigned bytes and rank 3, or is not exactly as long as its header says.
pub fn read_idx_images(path: &Path) -> Result<IdxImages> {
    let bytes = read_unpacked(path)?;
    let ([count, height, width], pixels) = parse(path, bytes)?;
    if count == 0 || height == 0 || width == 0 {
        return Err(Error::Empty {
            path: path.to_owned(),
            what: "images",
        });
    }
    Ok(IdxImages {
        pixels,
        count,
        height,
        width,
    })
}

/// Reads an IDX file of labels, plain or gzip.
///
/// # Errors
/// When the file cannot be read, is not IDX of unsigned bytes and rank 1, or is not exactly as long as its header says.
pub fn read_idx_labels(path: &Path) -> Result<Vec<u8>> {
    let bytes = read_unpacked(path)?;
    let ([_], labels) = parse(path, bytes)?;
    Ok(labels)
}

/// Splits a file into its sizes and its elements. Nothing is allocated: the header is cut off the file's own bytes.
fn parse<const RANK: usize>(path: &Path, mut bytes: Vec<u8>) -> Result<([usize; RANK], Vec<u8>)> {
    let header_len = 4 + 4 * RANK;
    check_magic(path, &bytes, RANK)?;
    if bytes.len() < header_len {
        return Err(length_error(path, header_len as u128, &bytes));
    }
    let mut sizes = [0usize; RANK];
    for (size, field) in sizes.iter_mut().zip(bytes[4..header_len].as_chunks::<4>().0) {
        *size = u32::from_be_bytes(*field) as usize;
    }
    // Three 32-bit sizes multiply to at most 2^96.
    let elements: u128 = sizes.iter().map(|&size| size as u128).product();
    let expected = header_len as u128 + elements;
    if bytes.len() as u128 != expected {
        return Err(length_error(path, expected, &bytes));
    }
    bytes.drain(..header_len);
    Ok((sizes, bytes))
}

fn check_magic(path: &Path, bytes: &[u8], rank: usize) -> Result<()> {
    let expected = [0, 0, TYPE_U8, rank as u8];
    match bytes.first_chunk::<4>() {
        Some(found) if *found == expected => Ok(()),
        Some(found) => Err(Error::IdxMagic {
            path: path.to_owned(),
            found: *found,
            expected,
        }),
        None => Err(length_error(path, 4 + 4 * rank as u128, bytes)),
    }
}

fn length_error(path: &Path, expected: u128, bytes: &[u8]) -> Error {
    Error::IdxLength {
        path: path.to_owned(),
        expected,
        found: bytes.len() as u64,
    }
}

/// An images file and the labels file that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdxPair {
    pub images: PathBuf,
    pub labels: PathBuf,
}

/// The pair in a folder whose names start with one of `prefixes`, as `train-images-idx3-ubyte[.gz]` does (some copies
/// are named `train-images.idx3-ubyte`). The first prefix that is there wins.
pub(crate) fn find_pair(folder: &Path, prefixes: &[&str]) -> Option<IdxPair> {
    prefixes.iter().find_map(|prefix| {
        let images = first_existing(folder, prefix, "images", "idx3")?;
        let labels = first_existing(folder, prefix, "labels", "idx1")
            .unwrap_or_else(|| folder.join(format!("{prefix}-labels-idx1-ubyte")));
        Some(IdxPair { images, labels })
    })
}

fn first_existing(folder: &Path, prefix: &str, kind: &str, rank: &str) -> Option<PathBuf> {
    ["-", "."]
        .iter()
        .flat_map(|dot| ["", ".gz"].map(|packed| format!("{prefix}-{kind}{dot}{rank}-ubyte{packed}")))
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

/// The labels file that belongs to an images file named as MNIST's are.
pub(crate) fn labels_beside(images: &Path) -> Option<PathBuf> {
    let name = images.file_name()?.to_str()?;
    let labels_name = name.replace("images", "labels").replace("idx3", "idx1");
    if labels_name == name {
        return None;
    }
    let labels = images.with_file_name(&labels_name);
    // One of the two may have been unpacked by hand.
    let other = match labels_name.strip_suffix(".gz") {
        Some(plain) => images.with_file_name(plain),
        None => images.with_file_name(format!("{labels_name}.gz")),
    };
    Some(if !labels.exists() && other.exists() {
        other
    } else {
        labels
    })
}

/// Whether a file's name says that it holds IDX.
pub(crate) fn is_idx_name(name: &str) -> bool {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    name.ends_with("-ubyte") || name.ends_with(".idx") || name.ends_with(".idx3") || name.ends_with(".idx1")
}
