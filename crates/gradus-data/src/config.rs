//! The `[data]` table of a recipe: where the data lies and how it is prepared.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::limits::MAX_IMAGE_SIDE;
use crate::read::folder::class_folders;
use crate::read::idx::is_idx_name;
use crate::split::HoldOut;
use crate::split_config::SplitConfig;
use crate::targets::TargetKind;

/// Where the data lies and how it is prepared. Paths are relative to the recipe's folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// The training data: a file, a folder of IDX files, or a folder of pictures with one folder per class. A folder
    /// may also hold several parts: IDX files named `train-…` and `t10k-…`, or picture folders `train`, `test` and
    /// `validation`; those of its parts that the fields below do not name are then found there.
    pub train: PathBuf,

    /// What the files are. Default: found out from the names ([`Format::infer`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,

    /// The test data, never seen in training. Default: the test part of the training folder, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<PathBuf>,

    /// The data that decides when to stop and which checkpoint is best. Default: see `validation_fraction`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<PathBuf>,

    /// The share of the training data held out for validation when `validation` names no data, from 0 to below 1:
    /// seeded, and stratified by class. Default: 0, nothing is held out.
    #[serde(default)]
    pub validation_fraction: f64,

    /// What there is to learn: `classification`, `regression` or `multilabel`. The latter two are for tables. Default:
    /// `classification`.
    #[serde(default, skip_serializing_if = "is_classification")]
    pub task: TargetKind,

    /// Tables: the column that holds the class, or the number to learn; with `label_separator`, the labels that apply.
    /// Tables need this or `labels`; an error for other formats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,

    /// Regression and multilabel: several columns, of a number each, or one column of 0 and 1 (also `true` and `false`)
    /// for each label. In place of `label`. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,

    /// Multilabel: what stands between the names in the column `label`, such as `|`; blanks around names are dropped,
    /// and an empty cell names none. Default: none, the labels have columns of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_separator: Option<String>,

    /// Tables: columns to leave out. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,

    /// Tables: columns of numbers that are codes of categories, to be encoded like text. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categorical: Vec<String>,

    /// Names of the classes, or of the labels in a column with a separator, in order of their index. IDX: names for the labels 0, 1, …, and a label past the last name
    /// is an error; default: the numbers. Tables and pictures: the order of the classes, and a class that is not named
    /// is an error; default: those that occur, numbers in numeric order and words in alphabetical order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_names: Vec<String>,

    /// At most this many training samples are used, drawn with `seed` and stratified by class; at least 1. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_samples: Option<usize>,

    /// How inputs are scaled; fitted on the training samples alone. Default: `standard`.
    #[serde(default)]
    pub normalize: Normalize,

    /// Folders of pictures: `[height, width]` in pixels, each from 1 to 4096, that all pictures are scaled to. Default:
    /// the size of the first picture, and then one of another size is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_size: Option<[usize; 2]>,

    /// Folders of pictures: 1 for grey, 3 for RGB, 4 for RGBA. Default: 3 when the first picture has colour, else 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,

    /// The seed of `validation_fraction`, `max_samples` and `split`. Default: 0. The order of training has its own.
    #[serde(default)]
    pub seed: u64,

    /// Training, validation and test parts made of what `train` names, in place of `validation_fraction` and of files of
    /// their own. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Box<SplitConfig>>,
}

/// What kind of files hold the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// IDX files of images and of labels, plain or gzip, as MNIST is published.
    Idx,
    /// A folder of PNG and JPEG files with one sub-folder per class.
    ImageFolder,
    /// Comma-separated text with a header line.
    Csv,
    /// Parquet with flat columns.
    Parquet,
}

/// How inputs are scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalize {
    /// To mean 0 and standard deviation 1: each channel of images, each numeric column of tables.
    #[default]
    Standard,
    /// To 0…1: pixels are divided by 255, numeric columns mapped from their least and greatest value.
    Unit,
    /// Not at all: pixels stay 0…255.
    None,
}

// serde wants a function of a reference.
fn is_classification(task: &TargetKind) -> bool {
    *task == TargetKind::Classification
}

impl DataConfig {
    /// The configuration that names only the training data and leaves the rest to the defaults.
    pub fn new(train: impl Into<PathBuf>) -> DataConfig {
        DataConfig {
            train: train.into(),
            format: None,
            test: None,
            validation: None,
            validation_fraction: 0.0,
            task: TargetKind::default(),
            label: None,
            labels: Vec::new(),
            label_separator: None,
            drop: Vec::new(),
            categorical: Vec::new(),
            class_names: Vec::new(),
            max_samples: None,
            normalize: Normalize::default(),
            image_size: None,
            channels: None,
            seed: 0,
            split: None,
        }
    }

    /// Checks what can be checked without looking at the files.
    ///
    /// # Errors
    /// When a value is out of its range, or a field is given that the format does not use.
    pub fn validate(&self, format: Format) -> Result<()> {
        let out_of_range = |field, expected: &str, found| {
            Err(Error::ConfigValue {
                field,
                expected: expected.to_owned(),
                found,
            })
        };
        if !(0.0..1.0).contains(&self.validation_fraction) {
            return out_of_range(
                "validation_fraction",
                "0 to below 1",
                self.validation_fraction.to_string(),
            );
        }
        if let Some(split) = &self.split {
            self.check_split(split)?;
        }
        if self.max_samples == Some(0) {
            return out_of_range("max_samples", "at least 1", "0".to_owned());
        }
        if let Some(size) = self
            .image_size
            .filter(|size| size.iter().any(|s| !(1..=MAX_IMAGE_SIDE).contains(s)))
        {
            return out_of_range(
                "image_size",
                &format!("two numbers from 1 to {MAX_IMAGE_SIDE}"),
                format!("{size:?}"),
            );
        }
        if let Some(channels) = self.channels.filter(|channels| !matches!(channels, 1 | 3 | 4)) {
            return out_of_range("channels", "1, 3 or 4", channels.to_string());
        }
        let mut sorted: Vec<&String> = self.class_names.iter().collect();
        sorted.sort();
        if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return out_of_range("class_names", "different names", format!("`{}` twice", twice[0]));
        }
        self.check_applies(format)?;
        self.check_targets(format)
    }

    /// The share of the rows that are learnt from which is held out of them to decide when to stop.
    pub fn held_out_fraction(&self) -> f64 {
        match &self.split {
            Some(split) => split.validation / (split.train + split.validation),
            None => self.validation_fraction,
        }
    }

    /// How rows are chosen and held out where there is no `split`.
    pub fn hold_out(&self) -> HoldOut {
        HoldOut {
            fraction: self.validation_fraction,
            max_samples: self.max_samples,
            seed: self.seed,
        }
    }

    /// A part comes from one place.
    fn check_split(&self, split: &SplitConfig) -> Result<()> {
        split.validate()?;
        let twice = [
            ("validation_fraction", self.validation_fraction > 0.0),
            ("validation", self.validation.is_some() && split.validation > 0.0),
            ("test", self.test.is_some() && split.test > 0.0),
        ];
        match twice.into_iter().find(|&(_, is_twice)| is_twice) {
            Some((field, _)) => Err(Error::ConfigSplitTwice { field }),
            None => Ok(()),
        }
    }

    fn check_applies(&self, format: Format) -> Result<()> {
        let is_table = matches!(format, Format::Csv | Format::Parquet);
        let is_folder = format == Format::ImageFolder;
        let given = [
            ("label", self.label.is_some(), is_table),
            ("labels", !self.labels.is_empty(), is_table),
            ("label_separator", self.label_separator.is_some(), is_table),
            ("drop", !self.drop.is_empty(), is_table),
            ("categorical", !self.categorical.is_empty(), is_table),
            ("image_size", self.image_size.is_some(), is_folder),
            ("channels", self.channels.is_some(), is_folder),
        ];
        match given
            .into_iter()
            .find(|&(_, is_given, applies)| is_given && !applies)
        {
            Some((field, _, _)) => Err(Error::ConfigUnused { field, format }),
            None if !is_table && self.task != TargetKind::Classification => Err(Error::TaskNeedsTable {
                task: self.task,
                format,
            }),
            None => Ok(()),
        }
    }

    /// Exactly one way to say where a table's targets are, and nothing that the task has no use for.
    fn check_targets(&self, format: Format) -> Result<()> {
        if !matches!(format, Format::Csv | Format::Parquet) {
            return Ok(());
        }
        let (is_separated, has_columns) = (self.label_separator.is_some(), !self.labels.is_empty());
        let refused = match self.task {
            TargetKind::Classification if has_columns => Some("labels"),
            TargetKind::Classification | TargetKind::Regression if is_separated => Some("label_separator"),
            TargetKind::Regression if !self.class_names.is_empty() => Some("class_names"),
            TargetKind::Multilabel if has_columns && is_separated => Some("label_separator"),
            TargetKind::Multilabel if has_columns && !self.class_names.is_empty() => Some("class_names"),
            TargetKind::Classification | TargetKind::Regression | TargetKind::Multilabel => None,
        };
        if let Some(field) = refused {
            let task = self.task;
            return Err(Error::ConfigTask { field, task });
        }
        if self.label_separator.as_ref().is_some_and(String::is_empty) {
            return Err(Error::ConfigValue {
                field: "label_separator",
                expected: "at least one character".to_owned(),
                found: "empty".to_owned(),
            });
        }
        if let Some(twice) = (1..self.labels.len()).find(|&at| self.labels[..at].contains(&self.labels[at])) {
            return Err(Error::ConfigValue {
                field: "labels",
                expected: "different columns".to_owned(),
                found: format!("`{}` twice", self.labels[twice]),
            });
        }
        self.check_named()
    }

    fn check_named(&self) -> Result<()> {
        let (path, task) = (self.train.clone(), self.task);
        match (&self.label, self.labels.is_empty()) {
            (Some(_), false) => Err(Error::LabelAndLabels { path }),
            (None, true) => Err(Error::LabelNotNamed { path, task }),
            (Some(label), true) if task == TargetKind::Multilabel && self.label_separator.is_none() => {
                Err(Error::LabelNotSeparated {
                    path,
                    label: label.clone(),
                })
            }
            (Some(_), true) | (None, false) => Ok(()),
        }
    }
}

impl Format {
    /// Its name in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Format::Idx => "idx",
            Format::ImageFolder => "image_folder",
            Format::Csv => "csv",
            Format::Parquet => "parquet",
        }
    }

    /// The format of what lies at `path`, by names alone: `.csv` and `.tsv` (also `.gz`), `.parquet`, `…-ubyte` (also
    /// `.gz`), a folder with such files, or a folder with sub-folders.
    ///
    /// # Errors
    /// When nothing is there, or none of the names says what it is.
    pub fn infer(path: &Path) -> Result<Format> {
        let metadata = path.metadata().map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        let inferred = if metadata.is_dir() {
            Format::of_folder(path)?
        } else {
            Format::of_file(path)
        };
        inferred.ok_or_else(|| Error::UnknownFormat {
            path: path.to_owned(),
        })
    }

    fn of_file(path: &Path) -> Option<Format> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        if is_idx_name(&name) {
            Some(Format::Idx)
        } else if plain.ends_with(".csv") || plain.ends_with(".tsv") {
            Some(Format::Csv)
        } else if name.ends_with(".parquet") || name.ends_with(".pq") {
            Some(Format::Parquet)
        } else {
            None
        }
    }

    fn of_folder(path: &Path) -> Result<Option<Format>> {
        let io_error = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        for entry in path.read_dir().map_err(io_error)? {
            let name = entry.map_err(io_error)?.file_name();
            if name.to_str().is_some_and(is_idx_name) {
                return Ok(Some(Format::Idx));
            }
        }
        Ok((!class_folders(path)?.is_empty()).then_some(Format::ImageFolder))
    }
}
