//! From text to files of tokens, once.
//!
//! The text is read in order, encoded by all threads some megabytes at a time, and written by one. A file is closed when
//! its share of text is in it, at a place where reading can go on, and appears under its name only when it is whole. So
//! a build that was killed goes on after its last whole file, and a damaged one is made again from where it starts.
//! Which text goes to which file depends on the text alone.

use std::fs::{self, File};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::iter::Peekable;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use gradus_kernels::pool;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::set::TokenSet;
use super::shard::{HEADER_LEN, Header, Shard, Width};
use crate::text::error::{Result, TextError};
use crate::text::source::{PIECE_BYTES, Part, Piece, Pieces, Position, TextSource};
use crate::text::tokenizer::Tokenizer;

/// Text of a file of tokens, unless the options say otherwise: 256 MiB, which is some 130 MB of tokens and the most
/// work that a kill can lose.
const SHARD_BYTES: u64 = 256 << 20;

/// Pieces encoded at a time, per thread: 4 MiB of text, half a second of work.
const PIECES_PER_THREAD: usize = 64;

/// What a folder of tokens was made of.
const PLAN: &str = "tokens.json";
/// Held while a folder is written to.
const LOCK: &str = "lock";
/// Version of the plan; another one makes a folder new.
const PLAN_VERSION: u32 = 1;

/// How a corpus is tokenised.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenizeOptions {
    /// The part of the source that is tokenised.
    pub part: Part,
    /// Bytes of text per file; at least one piece goes into each.
    pub shard_bytes: u64,
}

impl TokenizeOptions {
    /// For a part, in files of the usual size.
    pub fn new(part: Part) -> TokenizeOptions {
        TokenizeOptions {
            part,
            shard_bytes: SHARD_BYTES,
        }
    }
}

/// How far tokenising has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenizeProgress {
    /// Bytes of the source's files that are behind.
    pub bytes_done: u64,
    /// Bytes of all of them.
    pub bytes_total: u64,
    /// Tokens written so far, those of files that were kept included.
    pub tokens: u64,
}

/// Tokenises a part of a source into a folder, or finishes what an earlier call began there, and opens the result.
///
/// The spelling of a special token in the text is text; the tokenizer's end-of-text token follows each document. Files
/// of an earlier call are kept when they are whole (their checksums are read) and were made of the same files (by path,
/// length and time of change), with the same tokenizer and options; otherwise the folder's tokens are made anew.
/// `progress` is called after every few megabytes and may stop the work, which a later call then finishes.
///
/// Memory does not grow with the source. Two processes do not write to one folder: the second one waits.
///
/// # Errors
/// What the source or the tokenizer give, [`TextError::Io`], [`TextError::NoText`] when the part is empty, and
/// [`TextError::Stopped`] when `progress` asked for it.
pub fn tokenize(
    source: &TextSource,
    tokenizer: &Tokenizer,
    folder: &Path,
    options: &TokenizeOptions,
    progress: impl FnMut(TokenizeProgress) -> ControlFlow<()>,
) -> Result<TokenSet> {
    fs::create_dir_all(folder).map_err(TextError::io("create", folder))?;
    let lock = folder.join(LOCK);
    let lock_file = File::create(&lock).map_err(TextError::io("create", &lock))?;
    // On file systems without locks two builders at once are only less protected from each other.
    let _ = lock_file.lock();
    follow_plan(folder, &Plan::new(source, tokenizer, options))?;
    let mut builder = Builder {
        source,
        tokenizer,
        folder,
        options,
        end_of_text: tokenizer.end_of_text()?,
        progress,
        tokens: 0,
    };
    let shards = builder.build()?;
    if shards.iter().all(|shard| shard.header.tokens == 0) {
        return Err(TextError::NoText);
    }
    Ok(TokenSet::new(shards))
}

/// What decides the tokens of a folder.
#[derive(PartialEq, Serialize, Deserialize)]
struct Plan {
    version: u32,
    tokenizer: String,
    part: Part,
    shard_bytes: u64,
    source: TextSource,
}

impl Plan {
    fn new(source: &TextSource, tokenizer: &Tokenizer, options: &TokenizeOptions) -> Plan {
        Plan {
            version: PLAN_VERSION,
            tokenizer: tokenizer
                .fingerprint()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            part: options.part,
            shard_bytes: options.shard_bytes,
            source: source.clone(),
        }
    }
}

/// Empties a folder of tokens that were made by another plan, and writes this one down.
fn follow_plan(folder: &Path, plan: &Plan) -> Result<()> {
    let path = folder.join(PLAN);
    // A plan that cannot be read is not this one.
    let found: Option<Plan> = fs::read(&path)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if found.as_ref() == Some(plan) {
        return Ok(());
    }
    // The shards go first: a crash in between leaves the old plan, which still is not this one.
    remove_shards_from(folder, 0)?;
    let bytes = serde_json::to_vec_pretty(plan).expect("a plan can be written as JSON");
    let temporary = folder.join(format!("{PLAN}.tmp"));
    let mut file = File::create(&temporary).map_err(TextError::io("create", &temporary))?;
    file.write_all(&bytes)
        .and_then(|()| file.sync_all())
        .map_err(TextError::io("write", &temporary))?;
    rename(&temporary, &path, folder)
}

pub(super) fn shard_path(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("shard-{index:05}.tokens"))
}

fn remove_shards_from(folder: &Path, first: usize) -> Result<()> {
    for index in first.. {
        let path = shard_path(folder, index);
        match fs::remove_file(&path) {
            Ok(()) => (),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => break,
            Err(error) => return Err(TextError::io("remove", &path)(error)),
        }
    }
    Ok(())
}

fn rename(from: &Path, to: &Path, folder: &Path) -> Result<()> {
    fs::rename(from, to).map_err(TextError::io("move the new file to", to))?;
    if cfg!(unix) {
        // So that the new name outlives a power cut.
        let flush = File::open(folder).and_then(|folder| folder.sync_all());
        flush.map_err(TextError::io("flush", folder))?;
    }
    Ok(())
}

struct Builder<'a, P> {
    source: &'a TextSource,
    tokenizer: &'a Tokenizer,
    folder: &'a Path,
    options: &'a TokenizeOptions,
    end_of_text: u32,
    progress: P,
    tokens: u64,
}

impl<P: FnMut(TokenizeProgress) -> ControlFlow<()>> Builder<'_, P> {
    fn build(&mut self) -> Result<Vec<Shard>> {
        let mut shards: Vec<Shard> = Vec::new();
        let mut pieces: Option<Peekable<Pieces<'_>>> = None;
        loop {
            let position = shards
                .last()
                .map_or(Position::default(), |shard| shard.header.end);
            let path = shard_path(self.folder, shards.len());
            let shard = match self.whole_shard(&path, position) {
                Some(shard) => {
                    pieces = None;
                    shard
                }
                None => {
                    let unread = pieces.get_or_insert_with(|| {
                        self.source.pieces_from(self.options.part, position).peekable()
                    });
                    let header = self.write_shard(&path, unread, position)?;
                    self.tokens -= header.tokens;
                    Shard::open(&path)?
                }
            };
            self.tokens += shard.header.tokens;
            let is_last = shard.header.is_last;
            shards.push(shard);
            if is_last {
                remove_shards_from(self.folder, shards.len())?;
                return Ok(shards);
            }
        }
    }

    /// A shard of an earlier call, if there is one that starts here and is whole.
    fn whole_shard(&self, path: &Path, position: Position) -> Option<Shard> {
        let shard = Shard::open(path).ok()?;
        let header = &shard.header;
        let is_ours = header.start == position
            && header.tokenizer == self.tokenizer.fingerprint()
            && (header.is_last || header.end > position);
        (is_ours && shard.verify().is_ok()).then_some(shard)
    }

    /// Encodes a shard's share of text and writes it.
    fn write_shard(
        &mut self,
        path: &Path,
        pieces: &mut Peekable<Pieces<'_>>,
        start: Position,
    ) -> Result<Header> {
        let mut writer = ShardWriter::create(path, self.tokenizer, start)?;
        loop {
            let batch = self.next_batch(
                pieces,
                self.options.shard_bytes.saturating_sub(writer.header.text_bytes),
            )?;
            let texts: Vec<&str> = batch.iter().map(|piece| piece.text.as_str()).collect();
            let encoded = self.tokenizer.encode_plain_batch(&texts)?;
            for (piece, mut ids) in batch.iter().zip(encoded) {
                if piece.ends_document {
                    ids.push(self.end_of_text);
                }
                writer.write(piece, &ids)?;
                self.tokens += ids.len() as u64;
            }
            let is_last = pieces.peek().is_none();
            let is_full = writer.header.text_bytes >= self.options.shard_bytes;
            let resume = batch.last().and_then(|piece| piece.next);
            // A batch ends at such a place when the shard is full, and at the end of all text.
            if is_last || (is_full && resume.is_some()) {
                writer.header.is_last = is_last;
                writer.header.end = resume.unwrap_or(start);
                let header = writer.finish(self.folder)?;
                self.report(batch.last())?;
                return Ok(header);
            }
            self.report(batch.last())?;
        }
    }

    /// Enough pieces for all threads, no more than fill the shard (and then to where reading can go on).
    fn next_batch(&self, pieces: &mut Peekable<Pieces<'_>>, bytes_left: u64) -> Result<Vec<Piece>> {
        let most = PIECES_PER_THREAD * PIECE_BYTES * pool::threads();
        let mut batch = Vec::new();
        let mut bytes = 0;
        for piece in pieces.by_ref() {
            let piece = piece?;
            bytes += piece.text.len();
            let can_stop = piece.next.is_some();
            batch.push(piece);
            if bytes >= most || (bytes as u64 >= bytes_left && can_stop) {
                break;
            }
        }
        Ok(batch)
    }

    fn report(&mut self, last: Option<&Piece>) -> Result<()> {
        let bytes_total = self.source.bytes();
        let bytes_done = last.map_or(bytes_total, |piece| piece.bytes_read);
        match (self.progress)(TokenizeProgress {
            bytes_done,
            bytes_total,
            tokens: self.tokens,
        }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(TextError::Stopped),
        }
    }
}

/// A shard being written, under a temporary name.
struct ShardWriter {
    header: Header,
    path: PathBuf,
    temporary: PathBuf,
    file: BufWriter<File>,
    digest: Sha256,
    stored: Vec<u8>,
}

impl ShardWriter {
    fn create(path: &Path, tokenizer: &Tokenizer, start: Position) -> Result<ShardWriter> {
        // The same name each time: what a kill leaves behind is written over.
        let temporary = path.with_extension("tokens.tmp");
        let file = File::create(&temporary).map_err(TextError::io("create", &temporary))?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        file.write_all(&[0; HEADER_LEN])
            .map_err(TextError::io("write", &temporary))?;
        Ok(ShardWriter {
            header: Header {
                width: Width::of_vocabulary(tokenizer.vocab_size()),
                is_last: false,
                tokens: 0,
                text_bytes: 0,
                documents: 0,
                start,
                end: start,
                tokenizer: tokenizer.fingerprint(),
            },
            path: path.to_owned(),
            temporary,
            file,
            digest: Sha256::new(),
            stored: Vec::new(),
        })
    }

    fn write(&mut self, piece: &Piece, ids: &[u32]) -> Result<()> {
        self.stored.clear();
        self.header.width.store(ids, &mut self.stored);
        self.digest.update(&self.stored);
        self.header.tokens += ids.len() as u64;
        self.header.text_bytes += piece.text.len() as u64;
        self.header.documents += u64::from(piece.ends_document);
        self.file
            .write_all(&self.stored)
            .map_err(TextError::io("write", &self.temporary))
    }

    fn finish(mut self, folder: &Path) -> Result<Header> {
        let header = self.header.write(&self.digest.finalize().into());
        let write = |file: &mut BufWriter<File>| {
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&header)?;
            file.flush()?;
            file.get_ref().sync_all()
        };
        write(&mut self.file).map_err(TextError::io("write", &self.temporary))?;
        rename(&self.temporary, &self.path, folder)?;
        Ok(self.header)
    }
}
