//! The record a package keeps of how it was made smaller. What each method does is up to `gradus-compress`.

use serde::{Deserialize, Serialize};

/// One step that made a model smaller, or prepared it for that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompressionStep {
    /// What was done, with its parameters.
    #[serde(flatten)]
    pub method: CompressionMethod,
    /// Bytes of the tensors as stored before the step.
    pub bytes_before: u64,
    /// Bytes of the tensors as stored after the step.
    pub bytes_after: u64,
    /// What it did to each tensor that it touched.
    pub tensors: Vec<TensorChange>,
}

/// What a compression step did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
#[non_exhaustive]
pub enum CompressionMethod {
    /// Weights were limited to the range `[-limit, limit]`.
    Clip {
        /// The largest magnitude that is left; greater than 0.
        limit: f64,
    },
    /// The weights of least magnitude were set to zero.
    Prune {
        /// The fraction of weights asked to be zero, between 0 and 1.
        sparsity: f64,
        /// Over which weights the least were sought.
        scope: PruneScope,
    },
    /// Weights were rounded to bytes, with one scale for each output channel.
    QuantizeInt8 {
        /// How activations are treated when the model runs: `dynamic_per_row`.
        activations: String,
    },
}

impl std::fmt::Display for CompressionMethod {
    /// In words: `pruned to 80.0 % zeros over all layers`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CompressionMethod::Clip { limit } => write!(f, "clipped to ±{limit}"),
            CompressionMethod::Prune {
                sparsity,
                scope: PruneScope::Global,
            } => {
                write!(f, "pruned to {:.1} % zeros over all layers", sparsity * 100.0)
            }
            CompressionMethod::Prune {
                sparsity,
                scope: PruneScope::Layer,
            } => {
                write!(f, "pruned to {:.1} % zeros in each layer", sparsity * 100.0)
            }
            CompressionMethod::QuantizeInt8 { activations } => {
                write!(
                    f,
                    "weights quantised to int8, activations {}",
                    activations.replace('_', " ")
                )
            }
        }
    }
}

/// The weights among which pruning looks for the least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PruneScope {
    /// All weights of the model together: layers that matter less lose more.
    #[default]
    Global,
    /// Each layer by itself: every layer loses the same fraction.
    Layer,
}

/// How one tensor differs from what it was before a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TensorChange {
    /// The tensor's name.
    pub name: String,
    /// The number of its elements.
    pub elements: u64,
    /// Elements whose value changed.
    pub changed: u64,
    /// Elements that are zero after the step.
    pub zeros: u64,
    /// The largest absolute difference of an element.
    pub max_abs_error: f64,
    /// The Euclidean norm of the difference, divided by that of the tensor before; 0 for a tensor of zeros.
    pub relative_error: f64,
}
