//! Whole files into memory, with a limit; gzip is unpacked on the way.

use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::{Error, Result};
use crate::limits::{MAX_DATA_BYTES, MAX_EXPANSION};

/// The first two bytes of a gzip member (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Reads a file of at most `limit` bytes.
pub(crate) fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let io_error = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    let file = fs::File::open(path).map_err(io_error)?;
    let metadata = file.metadata().map_err(io_error)?;
    if metadata.is_dir() {
        return Err(Error::NotAFile {
            path: path.to_owned(),
        });
    }
    if metadata.len() > limit {
        return Err(Error::TooLarge {
            path: path.to_owned(),
            bytes: metadata.len(),
            limit,
        });
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    // One byte past the limit is enough to see that a pipe, or a file that grows, is too long.
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io_error)?;
    if bytes.len() as u64 > limit {
        return Err(Error::TooLarge {
            path: path.to_owned(),
            bytes: bytes.len() as u64,
            limit,
        });
    }
    Ok(bytes)
}

/// Reads a file and, where it is gzip (by its first bytes, whatever its name), unpacks it.
pub(crate) fn read_unpacked(path: &Path) -> Result<Vec<u8>> {
    let bytes = read_file(path, MAX_DATA_BYTES)?;
    if bytes.starts_with(&GZIP_MAGIC) {
        unpack_gzip(path, &bytes)
    } else {
        Ok(bytes)
    }
}

/// Unpacks all members of a gzip file. What is reserved at first follows the size in the trailer only as far as
/// deflate could produce it from this many bytes.
fn unpack_gzip(path: &Path, packed: &[u8]) -> Result<Vec<u8>> {
    let trailer = packed
        .last_chunk::<4>()
        .map_or(0, |size| u32::from_le_bytes(*size));
    let possible = (packed.len() as u64)
        .saturating_mul(MAX_EXPANSION)
        .min(MAX_DATA_BYTES);
    let mut bytes = Vec::with_capacity(u64::from(trailer).min(possible) as usize);
    MultiGzDecoder::new(packed)
        .take(MAX_DATA_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| Error::Gzip {
            path: path.to_owned(),
            unpacked: bytes.len() as u64,
            source,
        })?;
    if bytes.len() as u64 > MAX_DATA_BYTES {
        return Err(Error::TooLarge {
            path: path.to_owned(),
            bytes: bytes.len() as u64,
            limit: MAX_DATA_BYTES,
        });
    }
    Ok(bytes)
}
