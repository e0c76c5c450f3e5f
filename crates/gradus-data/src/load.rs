//! From a configuration or a package's preparation to data sets in memory.

use std::path::{Path, PathBuf};

use crate::config::{DataConfig, Format};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::locate::{Location, Split, implied, locate};
use crate::preprocess::Preprocessing;
use crate::raw::ReadPlan;
use crate::read::folder::{self, OtherSizes};
use crate::samples::{Features, Samples};
use crate::split::Parts;

/// All parts of the data of one recipe.
#[derive(Debug)]
pub struct Splits {
    /// What is trained on.
    pub train: Dataset,
    /// What decides when to stop, if there is any.
    pub validation: Option<Dataset>,
    /// What is only ever measured on, if there is any.
    pub test: Option<Dataset>,
    /// The preparation, fitted on `train`.
    pub preprocessing: Preprocessing,
}

/// Reads and prepares the data of a recipe. Relative paths start at `base`.
///
/// # Errors
/// When the configuration contradicts itself or the files, or a file cannot be read; see [`Error`].
pub fn load(config: &DataConfig, base: &Path) -> Result<Splits> {
    let train_path = base.join(&config.train);
    let format = config.format.map_or_else(|| Format::infer(&train_path), Ok)?;
    config.validate(format)?;
    let mut plan = ReadPlan::of_config(config);
    let location = locate(&train_path, format, Split::Train)?;
    let raw = plan.read_labelled(&location)?;
    let parts = choose_samples(config, &location, &raw.targets.strata())?;
    let preprocessing = raw.fit(&location, config, &parts.train)?;
    plan.follow(&preprocessing, raw.targets.names());

    // A part is divided off what was read, or has files of its own, or there is none.
    let part = |rows: &[usize], path: &Option<PathBuf>, split| -> Result<Option<Dataset>> {
        if !rows.is_empty() {
            return raw.select(rows).prepare(&location, &preprocessing).map(Some);
        }
        let location = match path {
            Some(path) => Some(locate(&base.join(path), format, split)?),
            None => implied(&train_path, format, split)?,
        };
        location
            .map(|location| plan.read_labelled(&location)?.prepare(&location, &preprocessing))
            .transpose()
    };
    let test = part(&parts.test, &config.test, Split::Test)?;
    let validation = part(&parts.validation, &config.validation, Split::Validation)?;
    let everything = parts.train.len() == raw.targets.len();
    let train = if everything { raw } else { raw.select(&parts.train) };
    let train = train.prepare(&location, &preprocessing)?;
    Ok(Splits {
        train,
        validation,
        test,
        preprocessing,
    })
}

/// Reads labelled data for a model that is already trained: with its preparation and its classes.
///
/// `path` is what a recipe could name: a file, a folder of IDX files (of which `split` chooses a part), or a folder of
/// pictures by class. Columns that are neither inputs nor the label are ignored.
///
/// # Errors
/// When the data does not fit the model, has a class the model does not know, or cannot be read; see [`Error`].
pub fn load_labelled(
    path: &Path,
    split: Split,
    preprocessing: &Preprocessing,
    label_names: &[String],
) -> Result<Dataset> {
    let format = Format::infer(path)?;
    let mut plan = ReadPlan::empty();
    plan.follow(preprocessing, label_names);
    let location = locate(path, format, split)?;
    plan.read_labelled(&location)?.prepare(&location, preprocessing)
}

/// Inputs to predict on, and what to call each.
#[derive(Debug)]
pub struct Inputs {
    /// The inputs, prepared.
    pub samples: Samples,
    /// The file of each picture; for other formats its 0-based row.
    pub names: Vec<String>,
}

/// Reads inputs without labels: an IDX file of images, one picture, a folder of pictures (by class or not), a table.
///
/// # Errors
/// When the data does not fit the model or cannot be read; see [`Error`].
pub fn load_inputs(path: &Path, preprocessing: &Preprocessing) -> Result<Inputs> {
    preprocessing.validate()?;
    if let Some(files) = loose_pictures(path)? {
        return picture_inputs(path, files, preprocessing);
    }
    let format = Format::infer(path)?;
    let mut plan = ReadPlan::empty();
    plan.follow(preprocessing, &[]);
    plan.forget_targets();
    let location = match locate(path, format, Split::Test)? {
        Location::Folder(folder) => {
            return picture_inputs(path, folder::list_pictures(&folder)?.files, preprocessing);
        }
        other => other,
    };
    let samples = plan
        .read_unlabelled(&location)?
        .prepare(&location, preprocessing)?;
    let names = (0..samples.len()).map(|row| row.to_string()).collect();
    Ok(Inputs { samples, names })
}

/// The pictures that `path` names directly: itself, or the files of a folder without sub-folders.
fn loose_pictures(path: &Path) -> Result<Option<Vec<PathBuf>>> {
    if path.is_dir() {
        let files = folder::pictures_in(path)?;
        return Ok(Some(files).filter(|files| !files.is_empty()));
    }
    Ok(folder::is_picture_name(path).then(|| vec![path.to_owned()]))
}

fn picture_inputs(path: &Path, files: Vec<PathBuf>, preprocessing: &Preprocessing) -> Result<Inputs> {
    let Preprocessing::Image(image) = preprocessing else {
        return Err(Error::WrongKind {
            path: path.to_owned(),
            expected: preprocessing.describe_input(),
        });
    };
    let pixels = folder::decode_all(&files, image.pixel_shape(), OtherSizes::Resize)?;
    let features = Features::U8 {
        pixels,
        affine: image.affine(),
    };
    let samples = Samples::new(features, image.shape.to_vec(), files.len())?;
    Ok(Inputs {
        samples,
        names: files.iter().map(|file| file.display().to_string()).collect(),
    })
}

/// Training samples and, when the configuration asks for them, held-out ones.
fn choose_samples(config: &DataConfig, location: &Location, strata: &[i64]) -> Result<Parts> {
    let Some(split) = &config.split else {
        return config.hold_out().divide(strata);
    };
    let parts = split.divide(location, strata, config.seed)?;
    let train = config.hold_out().limit(strata, parts.train)?;
    Ok(Parts { train, ..parts })
}
