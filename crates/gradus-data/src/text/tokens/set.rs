//! All tokens of a part, as one long row.

use std::fmt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::build::shard_path;
use super::shard::Shard;
use crate::text::error::{Result, TextError};

/// The tokens that [`tokenize`](super::tokenize) wrote to a folder, mapped into memory and read from there.
#[derive(Clone)]
pub struct TokenSet {
    shards: Vec<Shard>,
    /// Tokens before each shard, and at the end all of them.
    starts: Vec<u64>,
}

impl TokenSet {
    pub(super) fn new(shards: Vec<Shard>) -> TokenSet {
        let mut starts = vec![0];
        for shard in &shards {
            starts.push(starts[starts.len() - 1] + shard.header.tokens);
        }
        TokenSet { shards, starts }
    }

    /// Opens a folder that was written whole, without the text it was made of. Headers and lengths are checked; see
    /// [`verify`](Self::verify).
    ///
    /// # Errors
    /// [`TextError::Shard`] when a file is damaged or missing, [`TextError::Io`].
    pub fn open(folder: &Path) -> Result<TokenSet> {
        let mut shards: Vec<Shard> = Vec::new();
        loop {
            let path = shard_path(folder, shards.len());
            let shard = Shard::open(&path)?;
            let continues = shards.last().is_none_or(|last| {
                last.header.end == shard.header.start && last.header.tokenizer == shard.header.tokenizer
            });
            if !continues {
                return Err(TextError::Shard {
                    path,
                    what: "place after the file before it",
                });
            }
            let is_last = shard.header.is_last;
            shards.push(shard);
            if is_last {
                return Ok(TokenSet::new(shards));
            }
        }
    }

    /// Reads every file and compares its checksum.
    ///
    /// # Errors
    /// [`TextError::Shard`] for the first file that differs.
    pub fn verify(&self) -> Result<()> {
        self.shards.iter().try_for_each(Shard::verify)
    }

    /// Number of tokens, those between documents included.
    pub fn tokens(&self) -> u64 {
        self.starts[self.shards.len()]
    }

    /// Bytes of the text that they stand for, in UTF-8.
    pub fn text_bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.header.text_bytes).sum()
    }

    /// Number of documents.
    pub fn documents(&self) -> u64 {
        self.shards.iter().map(|shard| shard.header.documents).sum()
    }

    /// Bytes of text per token. A loss in nats per token is `loss / ln 2 / bytes_per_token` bits per byte, which can be
    /// compared between tokenizers.
    pub fn bytes_per_token(&self) -> f64 {
        self.text_bytes() as f64 / self.tokens() as f64
    }

    /// SHA-256 of the tokenizer that made them.
    pub fn tokenizer_fingerprint(&self) -> Option<[u8; 32]> {
        self.shards.first().map(|shard| shard.header.tokenizer)
    }

    /// SHA-256 of all files' checksums: what a model was trained on, in 32 bytes.
    pub fn fingerprint(&self) -> [u8; 32] {
        let checksums = self.shards.iter().map(Shard::checksum);
        checksums
            .fold(Sha256::new(), Sha256::chain_update)
            .finalize()
            .into()
    }

    /// Reads as many ids as `out` is long, from the id `start` on.
    ///
    /// # Panics
    /// When there are not that many.
    pub fn read(&self, start: u64, out: &mut [i64]) {
        assert!(
            start
                .checked_add(out.len() as u64)
                .is_some_and(|end| end <= self.tokens()),
            "bug: read {} tokens from {start} on, there are {}",
            out.len(),
            self.tokens()
        );
        let mut index = self
            .starts
            .partition_point(|&before| before <= start)
            .saturating_sub(1);
        let (mut start, mut out) = (start, out);
        while !out.is_empty() {
            let within = (start - self.starts[index]) as usize;
            let count = out.len().min((self.starts[index + 1] - start) as usize);
            let (now, later) = out.split_at_mut(count);
            self.shards[index].load(within, now);
            start += count as u64;
            index += 1;
            out = later;
        }
    }
}

impl fmt::Debug for TokenSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSet")
            .field("shards", &self.shards.len())
            .field("tokens", &self.tokens())
            .finish_non_exhaustive()
    }
}
