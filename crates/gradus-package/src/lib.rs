#![forbid(unsafe_code)]
//! The model package and run directory formats: how models and trainings lie on a disk.
//!
//! Formats know bytes, names and configurations, not layers or optimisers; those are built from what is read here.
//! Every file appears whole or not at all, every byte is covered by a SHA-256 that is checked when it is read, and
//! equal contents give equal bytes. What is read is never trusted: lengths are checked against the file before
//! anything is allocated by them.
//!
//! # A package
//!
//! A folder with one model, ready to be evaluated, made smaller or served:
//!
//! | file | holds |
//! |---|---|
//! | `config.json` | the architecture, as the model family writes it |
//! | `model.safetensors` | the weights, in the [safetensors] format, widest element type first and then by name |
//! | `model-00001-of-00002.safetensors`, …, `model.safetensors.index.json` | in its place above 5 GB: several files, and which tensor lies in which |
//! | `tokenizer.json`, `tokenizer_config.json`, `generation_config.json`, … | of models of text, as `transformers` has them |
//! | `trained_rows.u32` | a hash for each row that was trained on; see [`TRAINED_ROWS_FILE`] |
//! | `gradus.json` | the [`Manifest`]: signature, preprocessing, metrics, compression, lineage, and the length and SHA-256 of each other file |
//!
//! `gradus.json` is pretty-printed JSON whose last field is `manifest_sha256`: the SHA-256 of the file's own bytes
//! with 64 zeros in place of these digits. As the manifest holds the digests of the other files, this one number
//! identifies the package; it is its *fingerprint*, and a package made from another names it as its parent. Readers
//! refuse a `format_version` above their own and skip fields they do not know.
//!
//! Tensors that the manifest lists in `sparse_tensors` are stored as the `sparse-bitmask` format of the
//! [compressed-tensors] project stores them. For a tensor seen as a matrix of its first axis by all others:
//!
//! | stored as | type, shape | holds |
//! |---|---|---|
//! | `NAME.compressed` | the tensor's own, `[count]` | the elements that are not zero, in row-major order |
//! | `NAME.bitmask` | U8 `[rows, ceil(cols / 8)]` | a set bit for each of them, lowest bit first |
//! | `NAME.shape` | I64 `[rank]` | the tensor's shape |
//! | `NAME.row_offsets` | I64 `[rows]` | where each row begins in `NAME.compressed` |
//!
//! Int8 weights are stored as `NAME.weight` (I8, `[out, in]`) and `NAME.weight_scale` (F32, `[out]`): the weight of
//! output `o` is `weight[o] * weight_scale[o]`. `config.json` then has a `quantization_config`.
//!
//! Weights in ggml's blocks are stored under their own names as U8 `[…, bytes_per_row]`, and `config.json` has a
//! `quantization_config` of `{"quant_method": "ggml", "tensors": {NAME: "q4_k", …}}`.
//!
//! [`Package::open`] reads every byte once for the checksums; [`Package::open_with`] and [`Verification::Quick`] read
//! all but the weights.
//!
//! ```
//! use gradus_package::safetensors::{read_safetensors, write_safetensors};
//! use gradus_tensor::Tensor;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("tensors.safetensors");
//! let tensors = [("weight".to_owned(), Tensor::from_vec(vec![1.0f32, 2.0], [2])?)];
//! write_safetensors(&path, &tensors, &Default::default())?;
//! assert_eq!(read_safetensors(&path)?.tensors[0].1.to_vec::<f32>()?, [1.0, 2.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A folder of numbered packages, `name/1`, `name/2`, …, is a model with versions; [`versions()`] and [`resolve`] read it.
//!
//! # A run directory
//!
//! | entry | holds |
//! |---|---|
//! | `recipe.toml` | the resolved recipe |
//! | `checkpoints/step-00000123.safetensors` | the last few [`Checkpoint`]s |
//! | `checkpoints/best.safetensors` | the best one |
//! | `metrics.jsonl` | one JSON object per logged step |
//! | `tensorboard/` | the same numbers for TensorBoard |
//! | `model/` | at the end, the package |
//! | `.lock` | locked while a process trains here |
//!
//! Hidden entries beside any of these, with `gradus-tmp` or `gradus-old` in their names, are writes that a crash
//! interrupted; they are never read, and the next write to the same name removes them.
//!
//! [safetensors]: https://github.com/huggingface/safetensors#format
//! [compressed-tensors]: https://github.com/vllm-project/compressed-tensors

mod atomic;
mod calibration;
mod checkpoint;
mod compression;
mod crc32c;
mod digest;
mod error;
mod files;
pub mod foreign;
mod manifest;
mod package;
pub mod run;
pub mod safetensors;
mod seal;
mod sparse;
mod split_record;
mod statistics;
mod summary;
mod versions;

pub use atomic::write_atomic;
pub use calibration::{Calibration, CalibrationMethod};
pub use checkpoint::Checkpoint;
pub use compression::{CompressionMethod, CompressionStep, PruneScope, TensorChange};
pub use digest::sha256_hex;
pub use error::{Error, Result};
pub use files::ExtraFiles;
pub use manifest::{
    CAUSAL_LM, CLASSIFICATION, EMBEDDING, FORMAT_VERSION, FileRecord, Lineage, MULTILABEL, Manifest,
    MetricValue, REGRESSION, Signature, TensorSpec,
};
pub use package::{
    CONFIG_FILE, Encoding, MANIFEST_FILE, Package, PackageContents, Saved, Verification, WEIGHTS_FILE,
    is_package, read_manifest,
};
pub use run::RunDir;
pub use sparse::SparseProblem;
pub use split_record::{MAX_TRAINED_ROWS, PartRecord, SplitRecord, TRAINED_ROWS_FILE};
pub use statistics::{FeatureStatistics, Histogram, ReferenceStatistics};
pub use summary::{FileSummary, PackageSummary, Summary, TensorSummary, summarize};
pub use versions::{Version, next_version, resolve, versions};
