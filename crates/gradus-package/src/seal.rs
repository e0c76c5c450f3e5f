//! Files that carry their own checksum: the digest of all their bytes, with zeros where the digest itself stands.
//!
//! Sealing bytes rather than parsed values catches every change, also one that would parse to the same thing.

use std::path::Path;

use crate::digest::{HEX_LEN, ZERO_HEX, is_hex_digest, sha256_hex_of};
use crate::error::{Error, Result};

/// Replaces the zeros at `at` by the digest of all bytes, and returns it.
pub(crate) fn seal(bytes: &mut [u8], at: usize) -> String {
    let digest = sha256_hex_of(&[bytes]);
    bytes[at..at + HEX_LEN].copy_from_slice(digest.as_bytes());
    digest
}

/// Checks that the digest at `at` is that of all other bytes, and returns it; `field` names it in errors.
pub(crate) fn check_seal(path: &Path, bytes: &[u8], at: usize, field: &'static str) -> Result<String> {
    let unsealed = || Error::Unsealed {
        path: path.to_path_buf(),
        field,
    };
    let recorded = bytes
        .get(at..at + HEX_LEN)
        .filter(|digits| is_hex_digest(digits))
        .ok_or_else(unsealed)?;
    let got = sha256_hex_of(&[&bytes[..at], ZERO_HEX.as_bytes(), &bytes[at + HEX_LEN..]]);
    let expected = String::from_utf8_lossy(recorded).into_owned();
    if got == expected {
        Ok(got)
    } else {
        Err(Error::Checksum {
            path: path.to_path_buf(),
            expected,
            got,
        })
    }
}
