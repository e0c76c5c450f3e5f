//! Which rows a model was trained on, and which were kept from it.

use gradus_data::{HoldOut, SplitConfig};
use serde::{Deserialize, Serialize};

/// The file of a package with a number for each row that was trained on: the upper 32 bits of
/// [`sample_hashes`](gradus_data::Dataset::sample_hashes), sorted, little-endian. At 4 bytes a row a million rows take
/// 4 MB, and of the rows of other data one in four thousand is then taken for one of them by chance.
pub const TRAINED_ROWS_FILE: &str = "trained_rows.u32";

/// Of more training rows no file is kept: it would be longer than a package's extra files may be.
pub const MAX_TRAINED_ROWS: usize = 16 << 20;

/// How the rows were divided, exactly enough to find the parts again and to know the rows that were trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitRecord {
    /// How parts were made of one source. Given the same rows it makes the same parts; `None` where each part had files
    /// of its own, and where only `held_out` was divided off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub division: Option<SplitConfig>,
    /// How validation rows were held out of the training data by `validation_fraction`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<HoldOut>,
    /// What was trained on.
    pub train: PartRecord,
    /// What chose the best checkpoint, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<PartRecord>,
    /// What training never saw, if anything was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<PartRecord>,
}

/// The rows of one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// How many.
    pub rows: u64,
    /// SHA-256 of their hashes in order.
    pub sha256: String,
}
