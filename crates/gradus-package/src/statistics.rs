//! What the training data looked like, kept so that a server can tell when live data looks different.

use serde::{Deserialize, Serialize};

/// Statistics of the data a model was trained on, in the model's input units (after preprocessing).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReferenceStatistics {
    /// The number of samples they were taken from.
    pub samples: u64,
    /// One entry per column of a table, or per channel of images.
    pub features: Vec<FeatureStatistics>,
    /// The fraction of samples that each class has or each label applies to, in the order of the signature's labels;
    /// empty for a regression.
    #[serde(default)]
    pub class_fractions: Vec<f64>,
}

/// The distribution of one feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureStatistics {
    /// The column's name, or `channel_0`, `channel_1`, ….
    pub name: String,
    /// The mean of its values.
    pub mean: f64,
    /// Their standard deviation (of the population).
    pub std: f64,
    /// The least value.
    pub min: f64,
    /// The greatest value.
    pub max: f64,
    /// How many values fall between neighbouring edges, if counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Histogram>,
}

/// Counts of values between edges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Ascending; one more than there are counts. A value belongs to the bin whose lower edge it reaches; the last bin
    /// also holds its upper edge.
    pub edges: Vec<f64>,
    /// The number of values in each bin.
    pub counts: Vec<u64>,
}
