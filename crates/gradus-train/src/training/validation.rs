//! Loss and accuracy on held-out samples, between epochs.

use crate::Result;
use gradus_data::Loader;
use gradus_nn::Layer;
use gradus_tensor::{CrossEntropyOptions, Tensor, no_grad};

use super::progress::Mean;

/// What an evaluation between epochs measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Validation {
    /// Mean cross-entropy, without label smoothing, so that it compares between recipes.
    pub loss: f64,
    /// Share of samples whose class is the model's first choice.
    pub accuracy: f64,
}

/// Measures `model` on all samples of `loader`, in evaluation mode and without recording gradients.
pub(crate) fn validate(model: &dyn Layer, loader: &Loader) -> Result<Validation> {
    let _no_grad = no_grad();
    model.eval();
    let result = measure(model, loader);
    model.train();
    result
}

fn measure(model: &dyn Layer, loader: &Loader) -> Result<Validation> {
    let (mut loss, mut accuracy) = (Mean::default(), Mean::default());
    for batch in loader.epoch(0, 0) {
        let batch = batch?;
        let logits = model.forward(&batch.inputs)?;
        let rows = batch.targets.numel() as u64;
        let batch_loss = logits.cross_entropy(&batch.targets, &CrossEntropyOptions::default())?;
        loss.add(f64::from(batch_loss.item::<f32>()?), rows);
        accuracy.add(count_correct(&logits, &batch.targets)? as f64 / rows as f64, rows);
    }
    Ok(Validation {
        loss: loss.value(),
        accuracy: accuracy.value(),
    })
}

/// How many rows of `logits` (`[rows, classes]`) have their largest value at the target.
pub(crate) fn count_correct(logits: &Tensor, targets: &Tensor) -> Result<usize> {
    let chosen = logits.argmax(1)?.to_vec::<i64>()?;
    let targets = targets.to_vec::<i64>()?;
    Ok(chosen
        .iter()
        .zip(&targets)
        .filter(|(chosen, target)| chosen == target)
        .count())
}
