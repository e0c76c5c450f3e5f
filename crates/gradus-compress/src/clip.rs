//! Clipping: weights limited to a range around zero.

use gradus_package::{CompressionMethod, Package, PackageContents, TensorChange};

use crate::error::{Error, Result};
use crate::plan::{Plan, Work, compress};
use crate::weights::{change, finite_values, is_weight, with_values};

/// Limits every weight of a package's model to `[-limit, limit]`, rounded to the weights' type.
///
/// A row whose largest weight shrinks is quantised in finer steps, at the price of the weights that were cut.
///
/// # Errors
/// [`Error::ClipLimit`] unless the limit is finite and greater than 0, [`Error::NothingToCompress`] for a model without
/// weights, [`Error::NotFinite`] for one that is broken; those of [`compress`].
pub fn clip(package: &Package, limit: f64) -> Result<PackageContents> {
    compress(
        package,
        &Plan {
            clip: Some(limit),
            ..Plan::default()
        },
    )
}

pub(crate) fn apply(work: &mut Work, limit: f64) -> Result<()> {
    if !(limit.is_finite() && limit > 0.0) {
        return Err(Error::ClipLimit { limit });
    }
    work.record(CompressionMethod::Clip { limit }, |work| {
        clip_weights(work, limit)
    })
}

fn clip_weights(work: &mut Work, limit: f64) -> Result<Vec<TensorChange>> {
    let mut changes = Vec::new();
    for (name, tensor) in work
        .contents
        .tensors
        .iter_mut()
        .filter(|(_, tensor)| is_weight(tensor))
    {
        let before = finite_values(name, tensor)?;
        let clipped: Vec<f64> = before.iter().map(|w| w.clamp(-limit, limit)).collect();
        *tensor = with_values(name, tensor, &clipped)?;
        changes.push(change(name, &before, &finite_values(name, tensor)?));
    }
    if changes.is_empty() {
        Err(Error::NothingToCompress { step: "clip" })
    } else {
        Ok(changes)
    }
}
