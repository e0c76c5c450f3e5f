//! `gradus inspect`: what a package or a tensor file holds.

use std::path::PathBuf;

use anyhow::bail;
use gradus_package::foreign::gguf;
use gradus_package::{FileSummary, Manifest, Package, PackageSummary, REGRESSION, Summary, summarize};

use super::Global;
use super::evaluate::model_folder;
use super::output::{self, Table, bytes, grouped};

/// Show what a package, a run, or a .safetensors file holds: signature, tensors, metrics, history, lineage.
///
/// Example: gradus inspect runs/my/model
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A package, a training run's folder, a folder of versions, or a .safetensors file.
    path: PathBuf,
}

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    if gguf::is_gguf(&args.path) {
        let path = args.path.display();
        bail!(
            "{path} is a GGUF file: `gradus import {path} --out MODEL` makes a package of it, which can be shown"
        );
    }
    let summary = summarize(model_folder(&args.path))?;
    if let Summary::Package(package) = &summary {
        // The summary reads headers; a damaged weight is found by opening, which verifies every checksum.
        Package::open(&package.path)?;
    }
    if global.json {
        return output::json(&summary);
    }
    let text = match &summary {
        Summary::Package(package) => describe_package(package),
        Summary::File(file) => describe_file(file),
    };
    output::write(text.as_bytes())
}

fn describe_package(package: &PackageSummary) -> String {
    let manifest = &package.manifest;
    let family = package
        .config
        .get("model_type")
        .and_then(|name| name.as_str())
        .unwrap_or("unknown");
    let mut text = format!(
        "package      {}\nfingerprint  {}\ntask         {}, family {family}\nsize         {}\n",
        package.path.display(),
        package.fingerprint,
        manifest.task,
        bytes(package.total_bytes)
    );
    text.push_str(&describe_signature(manifest));
    text.push_str(&describe_history(manifest));
    text.push('\n');
    text.push_str(&describe_file(&package.weights));
    text
}

fn describe_signature(manifest: &Manifest) -> String {
    let mut text = String::new();
    for (role, specs) in [
        ("input", &manifest.signature.inputs),
        ("output", &manifest.signature.outputs),
    ] {
        for spec in specs {
            let axes: Vec<String> = spec
                .shape
                .iter()
                .enumerate()
                .map(|(at, axis)| match axis {
                    Some(len) => len.to_string(),
                    None if at == 0 => "batch".to_owned(),
                    None => "seq".to_owned(),
                })
                .collect();
            text.push_str(&format!(
                "{role:<11}  {} {} [{}]\n",
                spec.name,
                spec.dtype,
                axes.join(", ")
            ));
        }
    }
    let labels = &manifest.signature.labels;
    if labels.is_empty() {
        return text;
    }
    let role = match manifest.task.as_str() {
        REGRESSION => "targets",
        _ => "labels",
    };
    text.push_str(&format!("{role:<11}  {} ({})\n", labels.len(), labels.join(", ")));
    text
}

fn describe_history(manifest: &Manifest) -> String {
    let mut text = String::new();
    for metric in &manifest.metrics {
        let interval = match (metric.lower, metric.upper) {
            (Some(lower), Some(upper)) => format!(" ({lower:.4}–{upper:.4})"),
            _ => String::new(),
        };
        text.push_str(&format!(
            "metric       {} {:.4}{interval} on {} {} samples\n",
            metric.name,
            metric.value,
            grouped(metric.n),
            metric.split
        ));
    }
    if let Some(calibration) = &manifest.calibration {
        text.push_str(&format!(
            "calibrated   {} on {} {} samples\n",
            calibration.method,
            grouped(calibration.n),
            calibration.split
        ));
    }
    for step in &manifest.compression {
        let (before, after) = (bytes(step.bytes_before), bytes(step.bytes_after));
        text.push_str(&format!("compressed   {}: {before} to {after}\n", step.method));
    }
    let lineage = &manifest.lineage;
    if let Some(seed) = lineage.seed {
        text.push_str(&format!("seed         {seed}\n"));
    }
    if let Some(parent) = &lineage.parent {
        text.push_str(&format!("parent       {parent}\n"));
    }
    text.push_str(&format!("created by   {}\n", lineage.created_by));
    text
}

fn describe_file(file: &FileSummary) -> String {
    let mut table = Table::new(&["tensor", "dtype", "shape", "bytes"]);
    for tensor in &file.tensors {
        table.row([
            tensor.name.clone(),
            tensor.dtype.clone(),
            format!("{:?}", tensor.shape),
            grouped(tensor.bytes),
        ]);
    }
    let total = format!(
        "{} tensors, {} elements, {} in {}\n",
        file.tensors.len(),
        grouped(file.total_elements),
        bytes(file.tensor_bytes),
        file.path.display()
    );
    format!("{table}\n{total}")
}
