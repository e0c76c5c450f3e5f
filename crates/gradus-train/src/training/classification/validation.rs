//! Loss and accuracy on held-out samples, between epochs.

use super::super::metrics::Metric;
use super::super::progress::Mean;
use crate::Result;
use crate::monitor::Monitor;
use gradus_data::Loader;
use gradus_nn::Layer;
use gradus_tensor::{CrossEntropyOptions, Tensor, no_grad};

/// Measures `model` on all samples of `loader`, in evaluation mode and without recording gradients: the mean
/// cross-entropy, without label smoothing so that it compares between recipes, and the share of samples whose class is
/// the model's first choice.
pub(super) fn validate(model: &dyn Layer, loader: &Loader) -> Result<Vec<Metric>> {
    let _no_grad = no_grad();
    model.eval();
    let result = measure(model, loader);
    model.train();
    result
}

fn measure(model: &dyn Layer, loader: &Loader) -> Result<Vec<Metric>> {
    let (mut loss, mut accuracy) = (Mean::default(), Mean::default());
    for batch in loader.epoch(0, 0) {
        let batch = batch?;
        let logits = model.forward(&batch.inputs)?;
        let rows = batch.targets.numel() as u64;
        let batch_loss = logits.cross_entropy(&batch.targets, &CrossEntropyOptions::default())?;
        loss.add(f64::from(batch_loss.item::<f32>()?), rows);
        accuracy.add(count_correct(&logits, &batch.targets)? as f64 / rows as f64, rows);
    }
    let metric = |monitor: Monitor, mean: &Mean| Metric {
        name: monitor.name(),
        value: mean.value(),
    };
    Ok(vec![
        metric(Monitor::Loss, &loss),
        metric(Monitor::Accuracy, &accuracy),
    ])
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
