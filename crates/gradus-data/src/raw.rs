//! One part of the data as it was read, before preparation.

use crate::config::DataConfig;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::labels::{ClassIndex, class_names};
use crate::limits::MAX_CLASSES;
use crate::locate::Location;
use crate::preprocess::{ApplyError, ImagePreprocessing, Preprocessing, TablePreprocessing};
use crate::read::csv::read_csv;
use crate::read::folder::{self, OtherSizes};
use crate::read::idx::{IdxPair, read_idx_images, read_idx_labels};
use crate::read::parquet::read_parquet;
use crate::samples::{Features, Samples, select_rows};
use crate::split_config::SplitConfig;
use crate::table::{ColumnChoice, Table};
use crate::targets::{
    RawTargets, Separated, TargetColumns, TargetEncoding, Targets, flags_of_columns, values_of_columns,
};

/// From this many rows a label column whose values mostly differ is taken for a mistake, not for classes.
const MIN_ROWS_TO_JUDGE_CLASSES: usize = 20;

/// How to read the files of a part.
pub(crate) struct ReadPlan {
    /// The target columns of tables.
    targets: TargetColumns,
    drop: Vec<String>,
    keep: Option<Vec<String>>,
    text: Vec<String>,
    image_size: Option<[usize; 2]>,
    channels: Option<usize>,
    /// The shape IDX images must have, once it is known.
    exact_shape: Option<[usize; 3]>,
    /// Known classes; empty to discover them.
    class_names: Vec<String>,
}

/// Inputs as they were read.
pub(crate) enum RawInputs {
    Pixels { pixels: Vec<u8>, shape: [usize; 3] },
    Table(Table),
}

/// One part as it was read, with its targets checked but not standardised.
pub(crate) struct RawData {
    pub inputs: RawInputs,
    pub targets: Targets,
    columns: TargetColumns,
}

impl ReadPlan {
    pub(crate) fn empty() -> ReadPlan {
        ReadPlan {
            targets: TargetColumns::Unread,
            drop: Vec::new(),
            keep: None,
            text: Vec::new(),
            image_size: None,
            channels: None,
            exact_shape: None,
            class_names: Vec::new(),
        }
    }

    pub(crate) fn of_config(config: &DataConfig) -> ReadPlan {
        let targets = TargetColumns::of_config(config);
        // The column that divides rows is no input, unless it is what there is to learn.
        let dividing = config.split.as_deref().and_then(SplitConfig::dividing_column);
        let dividing =
            dividing.filter(|column| !targets.names().contains(column) && !config.drop.contains(column));
        ReadPlan {
            drop: config.drop.iter().chain(dividing).cloned().collect(),
            text: [config.categorical.clone(), targets.text()].concat(),
            targets,
            image_size: config.image_size,
            channels: config.channels,
            class_names: config.class_names.clone(),
            ..ReadPlan::empty()
        }
    }

    /// From now on read as the fitted preparation and the known classes demand.
    pub(crate) fn follow(&mut self, preprocessing: &Preprocessing, class_names: &[String]) {
        self.class_names = class_names.to_vec();
        match preprocessing {
            Preprocessing::Image(image) => {
                let [channels, height, width] = image.shape;
                self.image_size = Some([height, width]);
                self.channels = Some(channels);
                self.exact_shape = Some(image.shape);
            }
            Preprocessing::Table(table) => {
                self.targets = TargetColumns::of_preprocessing(table);
                self.text = [table.text_columns(), self.targets.text()].concat();
                let inputs = table.columns.iter().map(|column| column.name.clone());
                self.keep = Some(inputs.chain(self.targets.names()).collect());
            }
        }
    }

    /// From now on read tables without their target columns, which inputs to predict on need not have.
    pub(crate) fn forget_targets(&mut self) {
        let targets = std::mem::take(&mut self.targets).names();
        if let Some(keep) = &mut self.keep {
            keep.retain(|name| !targets.contains(name));
        }
    }

    /// Reads inputs and targets of a part.
    pub(crate) fn read_labelled(&self, location: &Location) -> Result<RawData> {
        let (inputs, targets) = self.read(location)?;
        Ok(RawData {
            inputs,
            targets: self.encode_targets(location, targets)?,
            columns: self.targets.clone(),
        })
    }

    /// Reads the inputs of a part, whatever labels it has.
    pub(crate) fn read_unlabelled(&self, location: &Location) -> Result<RawInputs> {
        match location {
            Location::Idx(pair) => self.read_idx_inputs(pair),
            Location::Folder(_) | Location::Csv(_) | Location::Parquet(_) => Ok(self.read(location)?.0),
        }
    }

    fn read(&self, location: &Location) -> Result<(RawInputs, RawTargets)> {
        match location {
            Location::Idx(pair) => self.read_idx(pair),
            Location::Folder(folder) => {
                let listing = folder::list_pictures(folder)?;
                let shape = folder::choose_shape(&listing.files, self.image_size, self.channels)?;
                let other_sizes = if self.image_size.is_some() {
                    OtherSizes::Resize
                } else {
                    OtherSizes::Refuse
                };
                let pixels = folder::decode_all(&listing.files, shape, other_sizes)?;
                let inputs = RawInputs::Pixels {
                    pixels,
                    shape: shape.dims(),
                };
                Ok((inputs, RawTargets::Folders(listing.class_of)))
            }
            Location::Csv(path) => self.split_off_targets(location, read_csv(path, self.column_choice())?),
            Location::Parquet(path) => {
                self.split_off_targets(location, read_parquet(path, self.column_choice())?)
            }
        }
    }

    fn read_idx(&self, pair: &IdxPair) -> Result<(RawInputs, RawTargets)> {
        let inputs = self.read_idx_inputs(pair)?;
        let labels = read_idx_labels(&pair.labels)?;
        let count = inputs.len();
        if labels.len() != count {
            let (images_path, labels_path) = (pair.images.clone(), pair.labels.clone());
            return Err(Error::LabelCount {
                images_path,
                images: count,
                labels_path,
                labels: labels.len(),
            });
        }
        Ok((inputs, RawTargets::Indices(labels)))
    }

    fn read_idx_inputs(&self, pair: &IdxPair) -> Result<RawInputs> {
        let images = read_idx_images(&pair.images)?;
        let shape = [1, images.height, images.width];
        match self.exact_shape {
            Some(expected) if expected != shape => Err(Error::IdxShape {
                path: pair.images.clone(),
                expected,
                found: shape,
            }),
            Some(_) | None => Ok(RawInputs::Pixels {
                pixels: images.pixels,
                shape,
            }),
        }
    }

    fn column_choice(&self) -> ColumnChoice<'_> {
        ColumnChoice {
            drop: &self.drop,
            keep: self.keep.as_deref(),
            text: &self.text,
        }
    }

    fn split_off_targets(&self, location: &Location, mut table: Table) -> Result<(RawInputs, RawTargets)> {
        let targets = self.targets.take(location, &mut table)?;
        Ok((RawInputs::Table(table), targets))
    }

    fn encode_targets(&self, location: &Location, targets: RawTargets) -> Result<Targets> {
        match targets {
            RawTargets::Indices(indices) => self.check_indices(location, indices),
            RawTargets::Folders(folders) => {
                let words = folders.iter().map(|name| Some(name.as_str())).collect();
                self.encode_words(location, None, words)
            }
            RawTargets::Class { name, words } => {
                let words = (0..words.len()).map(|row| words.get(row)).collect();
                self.encode_words(location, Some(&name), words)
            }
            RawTargets::Values(columns) => values_of_columns(location, columns),
            RawTargets::Flags(columns) => flags_of_columns(location, columns),
            RawTargets::Separated {
                name,
                words,
                separator,
            } => {
                let separated = Separated {
                    words: &words,
                    column: &name,
                    separator: &separator,
                };
                separated.targets(location, &self.class_names)
            }
            RawTargets::None => Ok(classes(Vec::new(), Vec::new())),
        }
    }

    /// IDX labels are indices; without names the numbers up to the greatest are the classes.
    fn check_indices(&self, location: &Location, indices: Vec<u8>) -> Result<Targets> {
        let greatest = indices.iter().copied().max().unwrap_or_default();
        let names = if self.class_names.is_empty() {
            (0..=greatest).map(|label| label.to_string()).collect()
        } else {
            self.class_names.clone()
        };
        if let Some(index) = indices
            .iter()
            .position(|&label| usize::from(label) >= names.len())
        {
            let path = match location {
                Location::Idx(pair) => pair.labels.clone(),
                other => other.path().to_owned(),
            };
            return Err(Error::LabelOutOfRange {
                path,
                index,
                label: indices[index],
                classes: names.len(),
            });
        }
        Ok(classes(indices.into_iter().map(i64::from).collect(), names))
    }

    /// Words to indices: of the known classes, or of those that occur.
    fn encode_words(
        &self,
        location: &Location,
        column: Option<&String>,
        words: Vec<Option<&str>>,
    ) -> Result<Targets> {
        let path = || location.path().to_owned();
        if let Some(row) = words.iter().position(Option::is_none) {
            return Err(Error::MissingLabel {
                path: path(),
                place: location.place(row),
                column: column.cloned(),
            });
        }
        let words: Vec<&str> = words.into_iter().flatten().collect();
        let names = if self.class_names.is_empty() {
            discover_classes(location, column, &words)?
        } else {
            self.class_names.clone()
        };
        let index = ClassIndex::new(&names);
        let mut labels = Vec::with_capacity(words.len());
        for (row, word) in words.iter().enumerate() {
            match index.get(word) {
                Some(label) => labels.push(label),
                None => {
                    let (place, label) = (location.place(row), (*word).to_owned());
                    return Err(Error::UnknownLabel {
                        path: path(),
                        place,
                        label,
                        known: names,
                    });
                }
            }
        }
        Ok(classes(labels, names))
    }
}

fn classes(indices: Vec<i64>, names: Vec<String>) -> Targets {
    Targets::Classes { indices, names }
}

/// The classes that occur, unless they look like something else.
fn discover_classes(location: &Location, column: Option<&String>, words: &[&str]) -> Result<Vec<String>> {
    let names = class_names(words.iter().copied());
    let (path, rows, found) = (location.path().to_owned(), words.len(), names.len());
    let mostly_differ = column.is_some() && rows >= MIN_ROWS_TO_JUDGE_CLASSES && found * 2 > rows;
    if found > MAX_CLASSES || mostly_differ {
        let limit = if mostly_differ { rows / 2 } else { MAX_CLASSES };
        return Err(Error::TooManyClasses {
            path,
            column: column.cloned(),
            found,
            rows,
            limit,
        });
    }
    match names.as_slice() {
        [only] => Err(Error::SingleClass {
            path,
            name: only.clone(),
        }),
        _ => Ok(names),
    }
}

impl RawInputs {
    fn len(&self) -> usize {
        match self {
            RawInputs::Pixels { pixels, shape } => pixels.len() / shape.iter().product::<usize>(),
            RawInputs::Table(table) => table.rows(),
        }
    }

    fn select(&self, indices: &[usize]) -> RawInputs {
        match self {
            RawInputs::Pixels { pixels, shape } => {
                let pixels = select_rows(pixels, shape.iter().product(), indices);
                RawInputs::Pixels {
                    pixels,
                    shape: *shape,
                }
            }
            RawInputs::Table(table) => RawInputs::Table(table.select(indices)),
        }
    }

    /// Applies a preparation.
    pub(crate) fn prepare(self, location: &Location, preprocessing: &Preprocessing) -> Result<Samples> {
        let len = self.len();
        let (features, shape) = match (self, preprocessing) {
            (RawInputs::Pixels { pixels, shape }, Preprocessing::Image(image)) => (
                Features::U8 {
                    pixels,
                    affine: image.affine(),
                },
                shape.to_vec(),
            ),
            (RawInputs::Table(table), Preprocessing::Table(transforms)) => {
                let values = transforms
                    .apply(&table)
                    .map_err(|error| apply_error(location, &table, error))?;
                (Features::F32(values), vec![transforms.width()])
            }
            (RawInputs::Pixels { .. } | RawInputs::Table(_), _) => {
                let (path, expected) = (location.path().to_owned(), preprocessing.describe_input());
                return Err(Error::WrongKind { path, expected });
            }
        };
        Samples::new(features, shape, len)
    }
}

fn apply_error(location: &Location, table: &Table, error: ApplyError) -> Error {
    let path = location.path().to_owned();
    match error {
        ApplyError::NoColumn(name) => Error::NoColumn {
            path,
            name,
            columns: table.names(),
        },
        ApplyError::Row { row, error } => Error::AtRow {
            path,
            place: location.place(row),
            source: Box::new(error),
        },
    }
}

impl RawData {
    /// Fits a preparation to the samples at `indices`.
    pub(crate) fn fit(
        &self,
        location: &Location,
        config: &DataConfig,
        indices: &[usize],
    ) -> Result<Preprocessing> {
        match &self.inputs {
            RawInputs::Pixels { pixels, shape } => Ok(Preprocessing::Image(ImagePreprocessing::fit(
                pixels,
                *shape,
                indices,
                config.normalize,
            ))),
            RawInputs::Table(table) => {
                let label = self.columns.names().into_iter().next().unwrap_or_default();
                let fitted = TablePreprocessing::fit(table, &label, indices, config.normalize);
                let fitted = fitted.map_err(|error| Error::InFile {
                    path: location.path().to_owned(),
                    source: Box::new(error),
                })?;
                Ok(Preprocessing::Table(TablePreprocessing {
                    targets: TargetEncoding::fit(&self.columns, &self.targets, indices),
                    ..fitted
                }))
            }
        }
    }

    /// Copies the samples at `indices`.
    pub(crate) fn select(&self, indices: &[usize]) -> RawData {
        RawData {
            inputs: self.inputs.select(indices),
            targets: self.targets.select(indices),
            columns: self.columns.clone(),
        }
    }

    /// Applies a preparation.
    pub(crate) fn prepare(self, location: &Location, preprocessing: &Preprocessing) -> Result<Dataset> {
        let samples = self.inputs.prepare(location, preprocessing)?;
        let in_file = |error| Error::InFile {
            path: location.path().to_owned(),
            source: Box::new(error),
        };
        Dataset::with_targets(samples, self.targets.scaled(&preprocessing.target_scales())).map_err(in_file)
    }
}
