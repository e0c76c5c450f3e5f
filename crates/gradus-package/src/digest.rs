//! SHA-256 digests, taken while bytes pass by so that no file is read twice.

use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Characters of a SHA-256 digest in hexadecimal.
pub(crate) const HEX_LEN: usize = 64;

/// What stands where a file's own digest will stand, while that digest is computed.
pub(crate) const ZERO_HEX: &str = match str::from_utf8(&[b'0'; HEX_LEN]) {
    Ok(zeros) => zeros,
    Err(_) => panic!("bug: zeros are ASCII"),
};

/// The SHA-256 of some bytes, as 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The SHA-256 of several pieces put together.
pub(crate) fn sha256_hex_of(pieces: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for piece in pieces {
        hasher.update(piece);
    }
    hex(&hasher.finalize())
}

/// The length and SHA-256 of a file, read in pieces.
pub(crate) fn sha256_of_file(path: &Path) -> Result<(u64, String)> {
    /// Large enough that the system calls cost nothing beside the hashing.
    const PIECE_BYTES: usize = 1 << 20;
    let mut file = std::fs::File::open(path).map_err(Error::io("open", path))?;
    let mut sink = HashingWriter::new(io::sink());
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let n = file.read(&mut piece).map_err(Error::io("read", path))?;
        if n == 0 {
            return Ok((sink.bytes, sink.digest()));
        }
        sink.write_all(&piece[..n]).map_err(Error::io("read", path))?;
    }
}

fn hex(digest: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = digest
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]);
    digits.map(char::from).collect()
}

/// Whether some bytes read as a digest: 64 lower-case hexadecimal digits.
pub(crate) fn is_hex_digest(bytes: &[u8]) -> bool {
    bytes.len() == HEX_LEN && bytes.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Passes bytes on to another writer, counting and hashing them.
pub(crate) struct HashingWriter<W> {
    inner: W,
    hasher: Sha256,
    bytes: u64,
}

impl<W: Write> HashingWriter<W> {
    pub(crate) fn new(inner: W) -> Self {
        HashingWriter {
            inner,
            hasher: Sha256::new(),
            bytes: 0,
        }
    }

    /// The number of bytes written so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The digest of all that was written.
    pub(crate) fn digest(self) -> String {
        hex(&self.hasher.finalize())
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_published_vectors() {
        // FIPS 180-2, appendix B.1, and the empty message.
        assert_eq!(
            sha256_hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            sha256_hex(b""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(sha256_hex_of(&[b"a", b"", b"bc"]), sha256_hex(b"abc"));
    }
}
