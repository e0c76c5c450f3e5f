//! Which files hold which part of the data.

use std::path::{Path, PathBuf};

use crate::config::Format;
use crate::error::{Error, Result, RowPlace};
use crate::read::csv::line_of_row;
use crate::read::folder;
use crate::read::idx::{self, IdxPair};

/// A part of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// What is trained on.
    Train,
    /// What decides when to stop.
    Validation,
    /// What is only ever measured on.
    Test,
}

impl Split {
    /// Its name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Validation => "validation",
            Split::Test => "test",
        }
    }

    /// How its IDX files and picture folders are called, in order of preference.
    fn file_prefixes(self) -> &'static [&'static str] {
        match self {
            Split::Train => &["train"],
            Split::Validation => &["validation", "valid", "val"],
            Split::Test => &["t10k", "test"],
        }
    }
}

/// Where one part of the data lies.
#[derive(Debug)]
pub(crate) enum Location {
    Idx(IdxPair),
    Folder(PathBuf),
    Csv(PathBuf),
    Parquet(PathBuf),
}

impl Location {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Location::Idx(pair) => &pair.images,
            Location::Folder(path) | Location::Csv(path) | Location::Parquet(path) => path,
        }
    }

    /// What to call a row in a message.
    pub(crate) fn place(&self, row: usize) -> RowPlace {
        match self {
            Location::Csv(path) => line_of_row(path, row).map_or(RowPlace::Row(row), RowPlace::Line),
            Location::Idx(_) | Location::Folder(_) | Location::Parquet(_) => RowPlace::Row(row),
        }
    }
}

/// The files of a part at a path that was given for it.
pub(crate) fn locate(path: &Path, format: Format, split: Split) -> Result<Location> {
    match format {
        Format::Csv => Ok(Location::Csv(path.to_owned())),
        Format::Parquet => Ok(Location::Parquet(path.to_owned())),
        Format::ImageFolder => Ok(Location::Folder(
            part_folder(path, split)?.unwrap_or_else(|| path.to_owned()),
        )),
        Format::Idx if path.is_dir() => match idx::find_pair(path, split.file_prefixes()) {
            Some(pair) => Ok(Location::Idx(pair)),
            None => Err(Error::NoIdxPart {
                folder: path.to_owned(),
                split,
                prefixes: split.file_prefixes(),
            }),
        },
        Format::Idx => match idx::labels_beside(path) {
            Some(labels) => Ok(Location::Idx(IdxPair {
                images: path.to_owned(),
                labels,
            })),
            None => Err(Error::NoIdxLabels {
                images: path.to_owned(),
            }),
        },
    }
}

/// The files of a part that the training folder holds without being told.
pub(crate) fn implied(train: &Path, format: Format, split: Split) -> Result<Option<Location>> {
    match format {
        Format::Csv | Format::Parquet => Ok(None),
        Format::Idx => Ok(idx::find_pair(train, split.file_prefixes()).map(Location::Idx)),
        Format::ImageFolder => Ok(part_folder(train, split)?.map(Location::Folder)),
    }
}

/// The sub-folder of a part, when all sub-folders are called like parts and one of them `train`: otherwise they are
/// classes, of which one may well be called `train`.
fn part_folder(folder: &Path, split: Split) -> Result<Option<PathBuf>> {
    let folders = folder::class_folders(folder)?;
    let is_part = |name: &str| {
        [Split::Train, Split::Validation, Split::Test]
            .iter()
            .any(|split| split.file_prefixes().contains(&name))
    };
    let are_parts =
        folders.iter().all(|(name, _)| is_part(name)) && folders.iter().any(|(name, _)| name == "train");
    let found = folders
        .into_iter()
        .find(|(name, _)| split.file_prefixes().contains(&name.as_str()));
    Ok(found.filter(|_| are_parts).map(|(_, path)| path))
}
