//! What a package says about its model, as lines for people.

use gradus_package::{CompressionMethod, CompressionStep, Package, PruneScope};
use serde_json::Value;

use super::format;
use super::page::Fact;

/// The three lists of a package.
pub(super) struct PackageFacts {
    pub(super) model: Vec<Fact>,
    pub(super) lineage: Vec<Fact>,
    pub(super) compression: Vec<Vec<Fact>>,
}

pub(super) fn of_package(package: &Package) -> PackageFacts {
    let parameters: usize = package.tensors().iter().map(|(_, tensor)| tensor.numel()).sum();
    let mut model = config_facts(package.config());
    model.push(Fact::new("stored numbers", format::count(parameters as u64)));
    model.push(Fact::new("size on disk", format::bytes(package.file_bytes())));
    let lineage = &package.manifest().lineage;
    let calibration = package.manifest().calibration.as_ref();
    let calibration =
        calibration.map(|it| format!("{}, on {} {} samples", it.method, format::count(it.n), it.split));
    let known = [
        ("package", Some(package.fingerprint().to_owned())),
        ("made by", Some(lineage.created_by.clone())),
        ("made from package", lineage.parent.clone()),
        ("training data (SHA-256)", lineage.data_sha256.clone()),
        ("seed", lineage.seed.map(|seed| seed.to_string())),
        ("calibration", calibration),
    ];
    let facts = known
        .into_iter()
        .filter_map(|(name, value)| Some(Fact::new(name, value?)));
    PackageFacts {
        model,
        lineage: facts.collect(),
        compression: package
            .manifest()
            .compression
            .iter()
            .map(compression_facts)
            .collect(),
    }
}

/// The architecture's settings, one line each; nested ones by dotted names.
fn config_facts(config: &Value) -> Vec<Fact> {
    let mut facts = Vec::new();
    flatten("", config, &mut facts);
    facts
}

fn flatten(prefix: &str, value: &Value, facts: &mut Vec<Fact>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let path = if prefix.is_empty() {
                    name.clone()
                } else {
                    format!("{prefix}.{name}")
                };
                flatten(&path, field, facts);
            }
        }
        Value::Null => {}
        Value::String(text) => facts.push(Fact::new(prefix, text.as_str())),
        Value::Array(items) if items.iter().all(Value::is_number) => {
            let items: Vec<String> = items.iter().map(Value::to_string).collect();
            facts.push(Fact::new(prefix, items.join(" × ")));
        }
        Value::Array(_) | Value::Bool(_) | Value::Number(_) => {
            facts.push(Fact::new(prefix, value.to_string()))
        }
    }
}

fn compression_facts(step: &CompressionStep) -> Vec<Fact> {
    let (before, after) = (step.bytes_before, step.bytes_after);
    let ratio = before as f64 / after.max(1) as f64;
    let worst = step
        .tensors
        .iter()
        .map(|tensor| tensor.relative_error)
        .fold(0.0, f64::max);
    let zeros: u64 = step.tensors.iter().map(|tensor| tensor.zeros).sum();
    let elements: u64 = step.tensors.iter().map(|tensor| tensor.elements).sum();
    vec![
        Fact::new("step", method(&step.method)),
        Fact::new(
            "size",
            format!(
                "{} → {} ({ratio:.1}×)",
                format::bytes(before),
                format::bytes(after)
            ),
        ),
        Fact::new("zeros", format::percent(zeros as f64 / elements.max(1) as f64)),
        Fact::new("largest relative error of a tensor", format!("{worst:.4}")),
    ]
}

fn method(method: &CompressionMethod) -> String {
    match method {
        CompressionMethod::Clip { limit } => format!("clipped weights to ±{limit}"),
        CompressionMethod::Prune { sparsity, scope } => {
            let scope = match scope {
                PruneScope::Global => "over all layers",
                PruneScope::Layer => "in each layer",
            };
            format!("pruned {} of the weights {scope}", format::percent(*sparsity))
        }
        CompressionMethod::QuantizeInt8 { activations } => {
            format!(
                "int8 weights per output channel, activations {}",
                activations.replace('_', " ")
            )
        }
        // The enum may grow in its crate; its own name is better than nothing.
        other => format!("{other:?}"),
    }
}
