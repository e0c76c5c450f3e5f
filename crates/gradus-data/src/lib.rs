#![forbid(unsafe_code)]
//! Readers, preparation, splits and loaders: from files to batches.
//!
//! [`load`] reads what a recipe's [`DataConfig`] names (IDX, folders of pictures, CSV, Parquet), holds out a validation
//! part, fits a [`Preprocessing`] to the training samples alone and gives a [`Dataset`] for each part. A [`Loader`]
//! draws shuffled batches from one. The `Preprocessing` goes into the package, and whatever is done with the model
//! later ([`load_labelled`], [`load_inputs`], [`Preprocessing::json_sample`], [`Preprocessing::picture_sample`])
//! applies the same one.
//!
//! Files are hostile until read: sizes are bounded ([`limits`]), nothing is allocated by a number that the file's
//! length does not justify, and every error says which file, where in it, and what to do.
//!
//! # Example
//! ```
//! use gradus_data::{DataConfig, Loader, LoaderConfig, load};
//! use std::{fs, sync::Arc};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! fs::write(folder.path().join("flowers.csv"), "petal,species\n1.4,setosa\n4.7,virginica\n1.3,setosa\n")?;
//!
//! let config = DataConfig { label: Some("species".into()), ..DataConfig::new("flowers.csv") };
//! let splits = load(&config, folder.path())?;
//! assert_eq!(splits.train.label_names(), ["setosa", "virginica"]);
//!
//! let loader = Loader::new(Arc::new(splits.train), LoaderConfig { shuffle_seed: Some(7), ..LoaderConfig::new(2) })?;
//! for batch in loader.epoch(0, 0) {
//!     let batch = batch?;
//!     assert_eq!(batch.inputs.shape()[1..], [1]);
//! }
//! # Ok(())
//! # }
//! ```

mod columns;
mod config;
mod dataset;
mod dividing_columns;
mod error;
mod labels;
pub mod limits;
mod load;
mod loader;
mod locate;
mod preprocess;
mod raw;
mod read;
mod samples;
pub mod split;
mod split_config;
mod table;
mod table_file;
mod targets;
pub mod text;
mod unprepared;

pub use columns::read_columns;
pub use config::{DataConfig, Format, Normalize};
pub use dataset::Dataset;
pub use error::{Error, Result, RowPlace};
pub use load::{Inputs, Splits, load, load_inputs, load_labelled};
pub use loader::{Batch, Epoch, Loader, LoaderConfig, Prefetch};
pub use locate::Split;
pub use preprocess::{
    ChannelAffine, ColumnTransform, ImagePreprocessing, Preprocessing, TablePreprocessing, Transform,
};
pub use read::advice::{ColumnAdvice, ColumnFault, columns_to_drop};
pub use read::csv::read_csv;
pub use read::idx::{IdxImages, read_idx_images, read_idx_labels};
pub use read::parquet::read_parquet;
pub use samples::{Features, Samples};
pub use split::{HoldOut, StratifiedSplit, split_stratified};
pub use split_config::SplitConfig;
pub use table::{Cell, Column, ColumnChoice, ColumnValues, Table, TextColumn};
pub use table_file::{PartFiles, TableFile};
pub use targets::{TargetEncoding, TargetKind, TargetScale, Targets, ValueColumn};
pub use unprepared::Unprepared;
