//! Figures with names: what an evaluation measures depends on what is learnt.

use serde::Serializer;
use serde::ser::SerializeMap;

/// One figure of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// What it is: `loss`, `accuracy`, `bits_per_byte`.
    pub name: &'static str,
    /// Its value.
    pub value: f64,
}

/// The metric of this name.
pub(crate) fn find(metrics: &[Metric], name: &str) -> Option<f64> {
    metrics
        .iter()
        .find(|metric| metric.name == name)
        .map(|metric| metric.value)
}

/// Writes metrics of held-out samples as `validation_loss`, `validation_accuracy`, ….
pub(super) fn as_validation<S: Serializer>(metrics: &[Metric], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(metrics.len()))?;
    for metric in metrics {
        map.serialize_entry(&format!("validation_{}", metric.name), &metric.value)?;
    }
    map.end()
}
