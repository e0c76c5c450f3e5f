//! Small files that travel with a model: tokenizers, templates, settings.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Error as IoError, ErrorKind};
use std::path::{Component, Path};
use std::sync::Arc;

use crate::error::{Error, Result};

/// Whole files by their names within the folder, shared and not copied. A name is a file's (`tokenizer.json`), or a
/// folder's and a file's (`1_Pooling/config.json`), joined by a slash.
pub type ExtraFiles = BTreeMap<String, Arc<[u8]>>;

/// The longest text file that is read: twice the largest `tokenizer.json` in use, that of Gemma's 262,144 tokens.
pub(crate) const MAX_TEXT_BYTES: u64 = 64 << 20;

/// Reads a whole file, refusing one longer than [`MAX_TEXT_BYTES`] and whatever is no regular file.
pub(crate) fn read_limited(path: &Path) -> Result<Vec<u8>> {
    let metadata = fs::metadata(path).map_err(Error::io("read", path))?;
    if !metadata.is_file() {
        // A device has no length to check, and a pipe would be waited for.
        let source = IoError::new(ErrorKind::InvalidInput, "it is no regular file");
        return Err(Error::io("read", path)(source));
    }
    let bytes = metadata.len();
    if bytes > MAX_TEXT_BYTES {
        return Err(Error::TooLarge {
            path: path.to_path_buf(),
            bytes,
            limit: MAX_TEXT_BYTES,
        });
    }
    fs::read(path).map_err(Error::io("read", path))
}

/// Whether a name stands for a file in the folder or in one folder of it: no parents, no drive, no root.
pub(crate) fn is_inner_name(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    parts.len() <= 2 && parts.iter().all(|part| is_plain_name(part))
}

/// A file name and nothing more.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    matches!(components.next(), Some(Component::Normal(only)) if only == name) && components.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_the_folder() {
        for name in ["tokenizer.json", "1_Pooling/config.json", "a b"] {
            assert!(is_inner_name(name), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            "/etc/passwd",
            "a/../b",
            "a//b",
            "a/",
            "/a",
            "a/b/c",
            "../a",
        ] {
            assert!(!is_inner_name(name), "{name}");
        }
        assert!(!is_plain_name("1_Pooling/config.json"));
    }
}
