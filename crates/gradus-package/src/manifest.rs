//! `gradus.json`: what a package is, how it came to be and what its files must contain.

use std::collections::BTreeMap;
use std::path::Path;

use gradus_data::Preprocessing;
use gradus_tensor::DType;
use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;
use crate::compression::CompressionStep;
use crate::digest::ZERO_HEX;
use crate::error::{Error, Result};
use crate::seal::{check_seal, seal};
use crate::split_record::SplitRecord;
use crate::statistics::ReferenceStatistics;

/// The newest format that this build writes and reads.
///
/// A change that an older reader would misunderstand raises it; a new optional field does not, as readers skip fields
/// they do not know.
pub const FORMAT_VERSION: u32 = 1;

/// The task of a model that names the class of a sample.
pub const CLASSIFICATION: &str = "classification";
/// The task of a model that tells numbers: its output `values` F32 `[batch, outputs]` is standardised, and the
/// preprocessing says how it becomes the targets' units.
pub const REGRESSION: &str = "regression";
/// The task of a model that tells which labels apply: `logits` F32 `[batch, labels]`, one sigmoid each.
pub const MULTILABEL: &str = "multilabel";
/// The task of a model that continues a text: `input_ids` I64 `[batch, seq]` to `logits` `[batch, seq, vocab]`.
pub const CAUSAL_LM: &str = "causal_lm";
/// The task of a model that makes a vector of a text: `input_ids` I64 `[batch, seq]` to `embedding` `[batch, width]`.
pub const EMBEDDING: &str = "embedding";

/// The manifest's own checksum: always the last field, so that its place is found without parsing.
const SEAL_FIELD: &str = "manifest_sha256";

/// What a manifest is written as; see the crate's documentation for the file it stands in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The version of the package format, at most [`FORMAT_VERSION`]. Filled in when a package is written.
    pub format_version: u32,
    /// What the model does: [`CLASSIFICATION`], [`REGRESSION`], [`MULTILABEL`], [`CAUSAL_LM`] or [`EMBEDDING`].
    pub task: String,
    /// What goes into the model and what comes out.
    pub signature: Signature,
    /// What is done to a raw sample before it is the model's input; fitted on the training data and applied everywhere.
    /// Models of text have none: their tokenizer is a file of the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocessing: Option<Preprocessing>,
    /// How probabilities are made of logits, where that was fitted to held-out data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// What the training data looked like, to compare live data with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_statistics: Option<ReferenceStatistics>,
    /// How good the model was measured to be.
    #[serde(default)]
    pub metrics: Vec<MetricValue>,
    /// What was done to make the model smaller, in order.
    #[serde(default)]
    pub compression: Vec<CompressionStep>,
    /// Where the model comes from.
    pub lineage: Lineage,
    /// Tensors that `model.safetensors` stores as a mask and the elements that are not zero (see the crate's
    /// documentation); readers see them whole. Filled in when a package is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sparse_tensors: Vec<String>,
    /// Every other file of the package by name. Filled in when a package is written.
    #[serde(default)]
    pub files: BTreeMap<String, FileRecord>,
}

impl Manifest {
    /// A manifest with what every package must say; metrics, compression and statistics start empty.
    pub fn new(
        task: impl Into<String>,
        signature: Signature,
        preprocessing: impl Into<Option<Preprocessing>>,
        lineage: Lineage,
    ) -> Manifest {
        Manifest {
            format_version: FORMAT_VERSION,
            task: task.into(),
            signature,
            preprocessing: preprocessing.into(),
            calibration: None,
            reference_statistics: None,
            metrics: Vec::new(),
            compression: Vec::new(),
            lineage,
            sparse_tensors: Vec::new(),
            files: BTreeMap::new(),
        }
    }

    /// The file's bytes and the checksum within them, which is the package's fingerprint.
    pub(crate) fn to_sealed_bytes(&self, path: &Path) -> Result<(Vec<u8>, String)> {
        #[derive(Serialize)]
        struct Sealed<'a> {
            #[serde(flatten)]
            manifest: &'a Manifest,
            manifest_sha256: &'static str,
        }
        let unsealed = Sealed {
            manifest: self,
            manifest_sha256: ZERO_HEX,
        };
        let mut bytes = serde_json::to_vec_pretty(&unsealed).map_err(Error::encode(path))?;
        bytes.push(b'\n');
        let at = seal_place(&bytes).expect("bug: the checksum's field was just written");
        let fingerprint = seal(&mut bytes, at);
        Ok((bytes, fingerprint))
    }

    /// Reads a manifest and checks its version, then its checksum, then its fields: a future format may seal itself
    /// otherwise, and a damaged file must not be taken for a strange one.
    pub(crate) fn from_sealed_bytes(path: &Path, bytes: &[u8]) -> Result<(Manifest, String)> {
        check_version(path, bytes)?;
        let unsealed = || Error::Unsealed {
            path: path.to_path_buf(),
            field: SEAL_FIELD,
        };
        let fingerprint = check_seal(path, bytes, seal_place(bytes).ok_or_else(unsealed)?, SEAL_FIELD)?;
        let manifest: Manifest = serde_json::from_slice(bytes).map_err(Error::json(path))?;
        let invalid = |source| Error::Preprocessing {
            path: path.to_path_buf(),
            source: Box::new(source),
        };
        if let Some(preprocessing) = &manifest.preprocessing {
            preprocessing.validate().map_err(invalid)?;
        }
        Ok((manifest, fingerprint))
    }
}

/// Where the digits of the checksum begin.
fn seal_place(bytes: &[u8]) -> Option<usize> {
    let key = format!("\"{SEAL_FIELD}\": \"");
    let at = bytes
        .windows(key.len())
        .rposition(|window| window == key.as_bytes())?;
    Some(at + key.len())
}

fn check_version(path: &Path, bytes: &[u8]) -> Result<()> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u64,
    }
    // A file too damaged to tell its version is judged by its checksum.
    match serde_json::from_slice::<Version>(bytes) {
        Ok(Version {
            format_version: found,
        }) if found > u64::from(FORMAT_VERSION) => Err(Error::FutureVersion {
            path: path.to_path_buf(),
            found,
            supported: FORMAT_VERSION,
        }),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// What goes into a model and what comes out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signature {
    /// The model's inputs, after preprocessing.
    pub inputs: Vec<TensorSpec>,
    /// The model's outputs.
    pub outputs: Vec<TensorSpec>,
    /// The name of each place of the outputs' last axis: of a class, a label, or a target of a regression; empty where
    /// there are none.
    #[serde(default)]
    pub labels: Vec<String>,
}

/// One input or output of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TensorSpec {
    /// The name requests and answers use: `input`, `logits`.
    pub name: String,
    /// The element type, written `f32`, `i64`, ….
    #[serde(with = "dtype_name")]
    pub dtype: DType,
    /// The length of each axis; `None` (`null` in the file) where any length will do, as for the batch.
    pub shape: Vec<Option<usize>>,
}

/// Element types by the names they have in files.
mod dtype_name {
    use gradus_tensor::DType;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(dtype: &DType, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(dtype.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DType, D::Error> {
        const NAMES: [&str; DType::ALL.len()] = {
            let mut names = [""; DType::ALL.len()];
            let mut i = 0;
            while i < names.len() {
                names[i] = DType::ALL[i].name();
                i += 1;
            }
            names
        };
        let name = String::deserialize(deserializer)?;
        let found = DType::ALL.into_iter().find(|dtype| dtype.name() == name);
        found.ok_or_else(|| D::Error::unknown_variant(&name, &NAMES))
    }
}

/// One measured figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricValue {
    /// The metric: `accuracy`, `macro_f1`, `log_loss`, ….
    pub name: String,
    /// The figure on the whole split.
    pub value: f64,
    /// The lower end of its confidence interval, if one was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower: Option<f64>,
    /// The upper end of its confidence interval, if one was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper: Option<f64>,
    /// The interval's confidence, between 0 and 1: `0.95`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// The data it was measured on: `train`, `validation`, `test`.
    pub split: String,
    /// The number of samples it was measured on.
    pub n: u64,
}

/// Where a model comes from: enough to make it again, or to know that one cannot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lineage {
    /// The recipe it was trained by, as resolved TOML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// The SHA-256 fingerprint of the training data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_sha256: Option<String>,
    /// How rows were divided, and which were trained on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitRecord>,
    /// The seed of everything random in its training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The fingerprint of the package this one was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The program that wrote the package, with its version: `gradus 0.1.0`.
    pub created_by: String,
}

impl Lineage {
    /// The lineage of something made by this build of gradus, with all else unknown.
    pub fn by_this_build() -> Lineage {
        Lineage {
            created_by: concat!("gradus ", env!("CARGO_PKG_VERSION")).to_owned(),
            ..Lineage::default()
        }
    }
}

/// What a file of a package must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}
