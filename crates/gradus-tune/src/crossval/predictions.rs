//! What a fold's model said of the rows it never saw, as CSV.

use std::fmt::Write;

use gradus_data::{Dataset, Targets};
use gradus_evaluate::Predictions;

use super::fold::FoldId;

/// The heading of [`to_csv`]'s lines.
pub(super) fn heading(dataset: &Dataset) -> String {
    let names = dataset.targets().names();
    let columns: Vec<String> = match dataset.targets() {
        Targets::Classes { .. } => ["truth", "prediction"]
            .into_iter()
            .map(str::to_owned)
            .chain(names.iter().map(|name| format!("p_{name}")))
            .collect(),
        Targets::Values { .. } => prefixed(names, "truth_", "prediction_"),
        Targets::Labels { .. } => prefixed(names, "truth_", "p_"),
    };
    let columns: Vec<String> = columns.iter().map(|column| field(column)).collect();
    format!("repeat,fold,row,{}\n", columns.join(","))
}

fn prefixed(names: &[String], truth: &str, predicted: &str) -> Vec<String> {
    let all = [truth, predicted].map(|prefix| names.iter().map(move |name| format!("{prefix}{name}")));
    all.into_iter().flatten().collect()
}

/// One line per tested row with a heading: repetition, fold and row of the file (from 0), the truth and what was
/// predicted. Classes get the probability of each, labels that of each to apply, numbers are in their unit.
pub(super) fn to_csv(id: FoldId, rows: &[usize], dataset: &Dataset, predicted: &Predictions) -> String {
    let mut text = heading(dataset);
    let width = dataset.targets().names().len().max(1);
    for (index, (&row, outputs)) in rows
        .iter()
        .zip(predicted.logits().chunks_exact(width))
        .enumerate()
    {
        // Writing to a string cannot fail.
        let _ = write!(text, "{},{},{row}", id.repeat, id.fold);
        let mut push = |cell: &str| {
            text.push(',');
            text.push_str(cell);
        };
        match dataset.targets() {
            Targets::Classes { indices, names } => {
                let probabilities = predicted.probabilities(index);
                push(&field(&names[indices[index] as usize]));
                push(&field(&names[greatest(outputs)]));
                probabilities
                    .iter()
                    .for_each(|probability| push(&probability.to_string()));
            }
            Targets::Values { values, scales, .. } => {
                let truths = &values[index * width..][..width];
                truths.iter().for_each(|truth| push(&truth.to_string()));
                let restored = scales
                    .iter()
                    .zip(outputs)
                    .map(|(scale, &output)| scale.restore(output));
                restored.for_each(|value| push(&value.to_string()));
            }
            Targets::Labels { flags, .. } => {
                flags[index * width..][..width]
                    .iter()
                    .for_each(|flag| push(&flag.to_string()));
                let applies = |logit: f32| 1.0 / (1.0 + (-f64::from(logit)).exp());
                outputs
                    .iter()
                    .for_each(|&logit| push(&applies(logit).to_string()));
            }
        }
        text.push('\n');
    }
    text
}

/// The first of the greatest.
fn greatest(outputs: &[f32]) -> usize {
    let mut best = 0;
    for (index, output) in outputs.iter().enumerate() {
        if *output > outputs[best] {
            best = index;
        }
    }
    best
}

/// A cell, quoted where it must be (RFC 4180).
fn field(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}
