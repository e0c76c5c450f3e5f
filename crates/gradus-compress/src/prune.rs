//! Magnitude pruning: the weights nearest to zero become zero.

use gradus_package::{CompressionMethod, Encoding, Package, PackageContents, PruneScope, TensorChange};

use crate::error::{Error, Result};
use crate::plan::{Plan, Work, compress};
use crate::weights::{change, finite_values, is_weight, with_values};

/// How much to prune, and among which weights the least are sought.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PruneOptions {
    /// The fraction of weights to be zero: greater than 0 and less than 1.
    pub sparsity: f64,
    /// Where the least weights are sought: in the whole model, the default, or in each layer.
    pub scope: PruneScope,
}

impl PruneOptions {
    /// A fraction of all weights of the model.
    pub fn new(sparsity: f64) -> PruneOptions {
        PruneOptions {
            sparsity,
            scope: PruneScope::Global,
        }
    }

    /// Where to seek the least weights.
    #[must_use]
    pub fn scope(self, scope: PruneScope) -> PruneOptions {
        PruneOptions { scope, ..self }
    }
}

/// Sets the weights of least magnitude to zero, and has them stored as a mask and the rest.
///
/// Of `n` weights, `round(sparsity * n)` become zero (half to even, as PyTorch's `l1_unstructured` and
/// `global_unstructured` count); weights that are zero already are the least of all and count. Among equal magnitudes
/// the first go first, in the order of tensor names and then of elements. The mask costs a bit per weight, so that
/// `f32` weights shrink from a sparsity of about 1/32 on.
///
/// # Errors
/// [`Error::Sparsity`] for a fraction that is not between 0 and 1, [`Error::NothingToCompress`] for a model without
/// weights, [`Error::NotFinite`] for one that is broken; those of [`compress`].
pub fn prune(package: &Package, options: PruneOptions) -> Result<PackageContents> {
    compress(
        package,
        &Plan {
            prune: Some(options),
            ..Plan::default()
        },
    )
}

pub(crate) fn apply(work: &mut Work, options: PruneOptions) -> Result<()> {
    let PruneOptions { sparsity, scope } = options;
    if !(sparsity > 0.0 && sparsity < 1.0) {
        return Err(Error::Sparsity { sparsity });
    }
    work.record(CompressionMethod::Prune { sparsity, scope }, |work| {
        prune_weights(work, options)
    })
}

fn prune_weights(work: &mut Work, options: PruneOptions) -> Result<Vec<TensorChange>> {
    let tensors = &mut work.contents.tensors;
    let weights: Vec<usize> = (0..tensors.len()).filter(|&i| is_weight(&tensors[i].1)).collect();
    let before: Vec<Vec<f64>> = weights
        .iter()
        .map(|&i| finite_values(&tensors[i].0, &tensors[i].1))
        .collect::<Result<_>>()?;
    if before.iter().all(Vec::is_empty) {
        return Err(Error::NothingToCompress { step: "prune" });
    }
    let mut after = before.clone();
    match options.scope {
        PruneScope::Global => zero_least(&mut after, options.sparsity),
        PruneScope::Layer => after
            .chunks_mut(1)
            .for_each(|layer| zero_least(layer, options.sparsity)),
    }
    let mut changes = Vec::with_capacity(weights.len());
    for ((&i, before), after) in weights.iter().zip(&before).zip(&after) {
        let (name, tensor) = &mut tensors[i];
        *tensor = with_values(name, tensor, after)?;
        changes.push(change(name, before, after));
    }
    work.contents.encoding = Encoding::Sparse;
    Ok(changes)
}

/// Sets the given fraction of all values, those of least magnitude, to zero.
fn zero_least(tensors: &mut [Vec<f64>], sparsity: f64) {
    let mut magnitudes: Vec<f64> = tensors.iter().flatten().map(|w| w.abs()).collect();
    let count = (sparsity * magnitudes.len() as f64).round_ties_even() as usize;
    let Some(last) = count.checked_sub(1) else { return };
    let (below, threshold, _) = magnitudes.select_nth_unstable_by(last, f64::total_cmp);
    let threshold = *threshold;
    // Of the values that equal the threshold, only as many go as the count still asks for.
    let mut ties = count - below.iter().filter(|w| **w < threshold).count();
    for w in tensors.iter_mut().flatten() {
        let magnitude = w.abs();
        let is_tie = magnitude == threshold && ties > 0;
        if magnitude < threshold || is_tie {
            ties -= usize::from(is_tie);
            *w = 0.0;
        }
    }
}
