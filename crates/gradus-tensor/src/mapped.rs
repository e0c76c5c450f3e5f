//! Read-only memory-mapped files: the only module of this crate with `unsafe`.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;

use crate::error::{Error, Result};

/// A whole file as bytes, paged in by the system as they are read.
pub struct MappedFile {
    /// `None` for an empty file, which cannot be mapped.
    map: Option<Mmap>,
}

impl MappedFile {
    /// Maps a file for reading.
    ///
    /// The file must not be shortened or rewritten while it is mapped; packages are replaced by rename, never
    /// edited in place, so a mapped package keeps the bytes it was opened with.
    ///
    /// # Errors
    /// [`Error::Map`] when the file cannot be opened or mapped.
    #[expect(
        unsafe_code,
        reason = "a memory map is a borrow of a file, which the compiler cannot check"
    )]
    pub fn open(path: &Path) -> Result<Arc<MappedFile>> {
        let failed = |e: std::io::Error| Error::Map {
            path: path.display().to_string(),
            reason: e.to_string(),
        };
        // Looked at before it is opened: opening a pipe waits for whoever writes to it.
        if !std::fs::metadata(path).map_err(failed)?.is_file() {
            return Err(failed(std::io::Error::other("it is no regular file")));
        }
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() == 0 {
            return Ok(Arc::new(MappedFile { map: None }));
        }
        // SAFETY: the map is read-only and gradus replaces files by rename, so the mapped inode is never modified
        // by it. Another program that truncates the file would end this one with a bus error, as documented.
        let map = unsafe { Mmap::map(&file) }.map_err(failed)?;
        Ok(Arc::new(MappedFile { map: Some(map) }))
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }
}
