//! One file of tokens.
//!
//! A header of [`HEADER_LEN`] bytes, then the ids, two bytes each where the vocabulary allows it and four otherwise. All
//! numbers are little endian. The header, in this order:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `GRADUSTK` |
//! | 4 | version of the format, 1 |
//! | 4 | bytes of an id: 2 or 4 |
//! | 8 | 1 when it is the last file of its set, else 0 |
//! | 8, 8, 8 | tokens, bytes of text, documents that end in it |
//! | 24, 24 | where in the source it starts and where the next one does: file, offset, record |
//! | 32 | SHA-256 of the tokenizer's `tokenizer.json` |
//! | 32 | SHA-256 of the SHA-256 of the ids and of the header up to here |
//! | 32 | zero |

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gradus_tensor::MappedFile;
use sha2::{Digest, Sha256};

use crate::text::error::{Result, TextError};
use crate::text::source::Position;

/// A multiple of 64, so that the ids of a mapped file start on a cache line.
pub(super) const HEADER_LEN: usize = 192;

const MAGIC: [u8; 8] = *b"GRADUSTK";
const VERSION: u32 = 1;

/// Where the checksum stands; it covers what is before it.
const CHECKSUM_AT: usize = 128;

/// How ids are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Two,
    Four,
}

impl Width {
    pub(super) fn of_vocabulary(vocab_size: usize) -> Width {
        if vocab_size <= 1 << 16 {
            Width::Two
        } else {
            Width::Four
        }
    }

    pub(super) fn bytes(self) -> usize {
        match self {
            Width::Two => 2,
            Width::Four => 4,
        }
    }

    /// Appends ids as they are stored.
    pub(super) fn store(self, ids: &[u32], out: &mut Vec<u8>) {
        match self {
            Width::Two => out.extend(ids.iter().flat_map(|&id| (id as u16).to_le_bytes())),
            Width::Four => out.extend(ids.iter().flat_map(|id| id.to_le_bytes())),
        }
    }

    /// Reads as many stored ids as `out` is long.
    pub(super) fn load(self, stored: &[u8], out: &mut [i64]) {
        match self {
            Width::Two => {
                for (out, bytes) in out.iter_mut().zip(stored.as_chunks::<2>().0) {
                    *out = i64::from(u16::from_le_bytes(*bytes));
                }
            }
            Width::Four => {
                for (out, bytes) in out.iter_mut().zip(stored.as_chunks::<4>().0) {
                    *out = i64::from(u32::from_le_bytes(*bytes));
                }
            }
        }
    }
}

/// What a file says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) width: Width,
    pub(super) is_last: bool,
    pub(super) tokens: u64,
    pub(super) text_bytes: u64,
    pub(super) documents: u64,
    pub(super) start: Position,
    pub(super) end: Position,
    pub(super) tokenizer: [u8; 32],
}

impl Header {
    /// The header's bytes, with the checksum over them and the ids.
    pub(super) fn write(&self, ids_digest: &[u8; 32]) -> [u8; HEADER_LEN] {
        let mut bytes = Vec::with_capacity(HEADER_LEN);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((self.width.bytes() as u32).to_le_bytes());
        let (start, end) = (self.start, self.end);
        for number in [
            u64::from(self.is_last),
            self.tokens,
            self.text_bytes,
            self.documents,
            start.file,
            start.offset,
            start.record,
            end.file,
            end.offset,
            end.record,
        ] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.tokenizer);
        let mut header = [0; HEADER_LEN];
        header[..bytes.len()].copy_from_slice(&bytes);
        let checksum = checksum(ids_digest, &header);
        header[CHECKSUM_AT..CHECKSUM_AT + 32].copy_from_slice(&checksum);
        header
    }

    /// `None` when it is none of ours.
    fn read(bytes: &[u8]) -> Option<Header> {
        let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let position = |at: usize| {
            Some(Position {
                file: number(at)?,
                offset: number(at + 8)?,
                record: number(at + 16)?,
            })
        };
        let kind = number(8)?;
        if bytes.get(..8)? != MAGIC || kind as u32 != VERSION {
            return None;
        }
        Some(Header {
            width: match kind >> 32 {
                2 => Width::Two,
                4 => Width::Four,
                _ => return None,
            },
            is_last: number(16)? != 0,
            tokens: number(24)?,
            text_bytes: number(32)?,
            documents: number(40)?,
            start: position(48)?,
            end: position(72)?,
            tokenizer: bytes.get(96..128)?.try_into().ok()?,
        })
    }
}

fn checksum(ids_digest: &[u8; 32], header: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(ids_digest)
        .chain_update(&header[..CHECKSUM_AT])
        .finalize()
        .into()
}

/// A file of tokens, mapped.
#[derive(Clone)]
pub(super) struct Shard {
    pub(super) header: Header,
    path: PathBuf,
    file: Arc<MappedFile>,
}

impl Shard {
    /// Maps a file and checks its header and its length, not its checksum.
    pub(super) fn open(path: &Path) -> Result<Shard> {
        let damaged = |what| TextError::Shard {
            path: path.to_owned(),
            what,
        };
        let file = MappedFile::open(path)
            .map_err(|error| TextError::io("read", path)(std::io::Error::other(error)))?;
        let header = Header::read(file.bytes()).ok_or_else(|| damaged("header"))?;
        let expected = u128::from(header.tokens) * header.width.bytes() as u128 + HEADER_LEN as u128;
        if file.bytes().len() as u128 != expected {
            return Err(damaged("length"));
        }
        Ok(Shard {
            header,
            path: path.to_owned(),
            file,
        })
    }

    /// Reads the whole file and compares its checksum.
    pub(super) fn verify(&self) -> Result<()> {
        let (header, ids) = self.file.bytes().split_at(HEADER_LEN);
        if checksum(&Sha256::digest(ids).into(), header) != self.checksum() {
            return Err(TextError::Shard {
                path: self.path.clone(),
                what: "checksum",
            });
        }
        Ok(())
    }

    /// The checksum in the header: what the file holds, in 32 bytes.
    pub(super) fn checksum(&self) -> [u8; 32] {
        let mut checksum = [0; 32];
        checksum.copy_from_slice(&self.file.bytes()[CHECKSUM_AT..CHECKSUM_AT + 32]);
        checksum
    }

    /// Reads as many ids as `out` is long, from the id `start` on, which must be there.
    pub(super) fn load(&self, start: usize, out: &mut [i64]) {
        let width = self.header.width;
        let stored = &self.file.bytes()[HEADER_LEN + start * width.bytes()..][..out.len() * width.bytes()];
        width.load(stored, out);
    }
}

// The fields before the checksum, and what is left behind it.
const _: () = assert!(8 + 4 + 4 + 10 * 8 + 32 == CHECKSUM_AT && CHECKSUM_AT + 32 + 32 == HEADER_LEN);
