//! A folder of pictures: one folder per class, whose name is the class's name, with PNG and JPEG files in it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use gradus_kernels::pool::parallel_chunks_mut;

use crate::error::{Error, Result};
use crate::limits::{MAX_CLASSES, MAX_DATA_BYTES, MAX_IMAGE_FILE_BYTES};
use crate::read::bytes::read_file;
use crate::read::picture::{self, PixelShape};

/// Extensions read, in lower case; other files in a class's folder are left alone.
const EXTENSIONS: [&str; 3] = ["png", "jpg", "jpeg"];

/// The files of a folder of pictures, in order of class and then of name, so that every machine reads the same rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PictureFiles {
    pub files: Vec<PathBuf>,
    /// The folder name of each file.
    pub class_of: Vec<String>,
}

/// Lists the pictures below `folder`.
pub(crate) fn list_pictures(folder: &Path) -> Result<PictureFiles> {
    let mut listing = PictureFiles {
        files: Vec::new(),
        class_of: Vec::new(),
    };
    let classes = class_folders(folder)?;
    if classes.is_empty() {
        return Err(Error::Empty {
            path: folder.to_owned(),
            what: "class folders",
        });
    }
    if classes.len() > MAX_CLASSES {
        let (path, found) = (folder.to_owned(), classes.len());
        return Err(Error::TooManyClasses {
            path,
            column: None,
            found,
            rows: found,
            limit: MAX_CLASSES,
        });
    }
    for (name, class_folder) in classes {
        let files = pictures_in(&class_folder)?;
        if files.is_empty() {
            return Err(Error::Empty {
                path: class_folder,
                what: "PNG or JPEG files",
            });
        }
        listing.class_of.extend(files.iter().map(|_| name.clone()));
        listing.files.extend(files);
    }
    Ok(listing)
}

/// Sub-folders by name, hidden ones left out.
pub(crate) fn class_folders(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut classes = Vec::new();
    for path in sorted_entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        let name = path.file_name().unwrap_or_default();
        let name = name
            .to_str()
            .ok_or_else(|| Error::NotUtf8Name { path: path.clone() })?;
        if !name.starts_with('.') {
            classes.push((name.to_owned(), path.clone()));
        }
    }
    Ok(classes)
}

/// The pictures directly in a folder, by name.
pub(crate) fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(sorted_entries(folder)?
        .into_iter()
        .filter(|path| is_picture_name(path) && path.is_file())
        .collect())
}

/// Whether a file's name says that it holds a picture.
pub(crate) fn is_picture_name(path: &Path) -> bool {
    let extension = path
        .extension()
        .and_then(OsStr::to_str)
        .unwrap_or_default()
        .to_ascii_lowercase();
    EXTENSIONS.contains(&extension.as_str())
}

fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let io_error = |source| Error::Io {
        path: folder.to_owned(),
        source,
    };
    let mut entries = fs::read_dir(folder)
        .map_err(io_error)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(io_error)?;
    entries.sort();
    Ok(entries)
}

/// The shape to decode to: what the recipe says, and where it is silent what the first picture has.
pub(crate) fn choose_shape(
    files: &[PathBuf],
    size: Option<[usize; 2]>,
    channels: Option<usize>,
) -> Result<PixelShape> {
    if let (Some([height, width]), Some(channels)) = (size, channels) {
        return Ok(PixelShape {
            channels,
            height,
            width,
        });
    }
    let first = &files[0];
    let natural = picture::probe(
        &first.display().to_string(),
        &read_file(first, MAX_IMAGE_FILE_BYTES)?,
    )?;
    let [height, width] = size.unwrap_or([natural.height, natural.width]);
    Ok(PixelShape {
        channels: channels.unwrap_or(natural.channels),
        height,
        width,
    })
}

/// Whether pictures of another size than wanted are an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtherSizes {
    /// Scale them: the size was chosen on purpose.
    Resize,
    /// Refuse them: the size was only taken from the first file.
    Refuse,
}

/// Decodes all files in parallel into `[count, channels, height, width]`. Of several broken files the first in order
/// is reported, so that a run's message does not depend on timing.
pub(crate) fn decode_all(files: &[PathBuf], shape: PixelShape, other_sizes: OtherSizes) -> Result<Vec<u8>> {
    let total = files.len() as u128 * shape.len() as u128;
    if total > u128::from(MAX_DATA_BYTES) {
        return Err(Error::DataTooLarge {
            count: files.len(),
            sample_shape: shape.dims().into(),
            limit: MAX_DATA_BYTES,
        });
    }
    let mut pixels = vec![0u8; total as usize];
    let first_error: Mutex<Option<(usize, Error)>> = Mutex::new(None);
    parallel_chunks_mut(&mut pixels, shape.len(), |index, out| {
        if let Err(error) = decode_file(&files[index], shape, other_sizes, out) {
            let mut first = first_error
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            if first.as_ref().is_none_or(|(earlier, _)| index < *earlier) {
                *first = Some((index, error));
            }
        }
    });
    match first_error
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
    {
        Some((_, error)) => Err(error),
        None => Ok(pixels),
    }
}

fn decode_file(path: &Path, shape: PixelShape, other_sizes: OtherSizes, out: &mut [u8]) -> Result<()> {
    let bytes = read_file(path, MAX_IMAGE_FILE_BYTES)?;
    let origin = path.display().to_string();
    if other_sizes == OtherSizes::Refuse {
        let found = picture::probe(&origin, &bytes)?;
        if (found.height, found.width) != (shape.height, shape.width) {
            let (expected, found) = ([shape.height, shape.width], [found.height, found.width]);
            return Err(Error::MixedPictureSizes {
                origin,
                expected,
                found,
            });
        }
    }
    picture::decode(&origin, &bytes, shape, out)
}
