//! Permutation importance: what a model's score loses when a feature's values change places.

use gradus_tensor::Rng;
use serde::{Deserialize, Serialize};

use super::{Explained, Features};
use crate::{Error, Result};

/// How often values change places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PermutationOptions {
    /// Permutations of each feature, at least 1; default 5, scikit-learn's.
    pub repeats: usize,
    /// Where the permutations start. The same seed gives the same importances.
    pub seed: u64,
}

impl Default for PermutationOptions {
    fn default() -> Self {
        PermutationOptions { repeats: 5, seed: 0 }
    }
}

/// What a model loses without each feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PermutationImportance {
    /// The score of the data as they are.
    pub score: f64,
    /// One entry for each feature, in order.
    pub features: Vec<FeatureImportance>,
}

/// What is lost when one feature's values change places.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureImportance {
    /// Mean loss of score over the permutations.
    pub mean: f64,
    /// Standard deviation over the permutations (of them, not of a sample of them, as NumPy's).
    pub std: f64,
}

/// The loss of `score` when the values of one feature are dealt to the rows anew (Breiman 2001; Fisher, Rudin and Dominici
/// 2019), as scikit-learn's `permutation_importance`. `score` gets the outputs of all rows, row-major, and is better the
/// larger it is. The inputs of a group move together, so a category stays one.
///
/// # Errors
/// [`Error::ExplainOption`] for no repeats, [`Error::Empty`] and [`Error::LengthMismatch`] for rows that are not the model's;
/// those of `score` and [`Explained::evaluate`].
pub fn permutation_importance(
    model: &Explained,
    rows: &[f32],
    features: &Features,
    options: &PermutationOptions,
    score: &dyn Fn(&[f32]) -> Result<f64>,
) -> Result<PermutationImportance> {
    let row_len = model.row_len();
    check(model, rows, features, options)?;
    let count = rows.len() / row_len;
    let scored = |order: Option<(usize, &[usize])>| -> Result<f64> {
        let mut outputs = Vec::with_capacity(count * model.outputs());
        model.evaluate(
            count,
            |row, out| {
                out.copy_from_slice(&rows[row * row_len..][..row_len]);
                let Some((feature, order)) = order else { return };
                let other = &rows[order[row] * row_len..][..row_len];
                for ((out, &group), &other) in out.iter_mut().zip(features.group_of()).zip(other) {
                    if group == feature {
                        *out = other;
                    }
                }
            },
            |_, values| outputs.extend_from_slice(values),
        )?;
        score(&outputs)
    };
    let whole = scored(None)?;
    let mut importances = Vec::with_capacity(features.len());
    for feature in 0..features.len() {
        let mut losses = Vec::with_capacity(options.repeats);
        for repeat in 0..options.repeats {
            let mut order: Vec<usize> = (0..count).collect();
            Rng::derive(options.seed, &[feature as u64, repeat as u64]).shuffle(&mut order);
            losses.push(whole - scored(Some((feature, &order)))?);
        }
        importances.push(FeatureImportance::of(&losses));
    }
    Ok(PermutationImportance {
        score: whole,
        features: importances,
    })
}

impl FeatureImportance {
    fn of(losses: &[f64]) -> FeatureImportance {
        let n = losses.len() as f64;
        let mean = losses.iter().sum::<f64>() / n;
        let variance = losses.iter().map(|loss| (loss - mean).powi(2)).sum::<f64>() / n;
        FeatureImportance {
            mean,
            std: variance.sqrt(),
        }
    }
}

fn check(model: &Explained, rows: &[f32], features: &Features, options: &PermutationOptions) -> Result<()> {
    let row_len = model.row_len();
    if options.repeats == 0 {
        return Err(Error::ExplainOption {
            option: "repeats",
            value: "0".to_owned(),
            expected: "at least 1",
        });
    }
    if rows.is_empty() {
        return Err(Error::Empty {
            what: "the data to score on",
        });
    }
    for (left_name, left, right) in [
        ("the rows", rows.len(), rows.len().next_multiple_of(row_len)),
        ("the features' inputs", features.group_of().len(), row_len),
    ] {
        if left != right {
            return Err(Error::LengthMismatch {
                left_name,
                left,
                right_name: "whole rows of inputs",
                right,
            });
        }
    }
    Ok(())
}
