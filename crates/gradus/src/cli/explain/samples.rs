//! Pictures and tables.

use std::path::Path;

use anyhow::{Context, bail};
use gradus_data::{Dataset, Samples, load_inputs, load_labelled};
use gradus_evaluate::explain::{
    ExplainData, ExplainOptions, Explanations, GlobalImportance, Method, PermutationScore, SampleExplanation,
    Target, explain, permutation_of_dataset,
};
use gradus_evaluate::html::ExplainContent;
use gradus_evaluate::{Error, Predictor, Sample};
use gradus_package::Package;

use super::Args;
use super::method_args::Explaining;
use crate::cli::Global;
use crate::cli::evaluate::model_folder;
use crate::cli::output::{self, Table};
use crate::cli::unseen::Wanted;

/// Columns of a sample that its line names.
const MOST_NAMED: usize = 3;

pub(super) fn run(args: &Args, data: &Path, global: Global) -> anyhow::Result<()> {
    let predictor = Predictor::open(model_folder(&args.model))?;
    match args.method.for_samples() {
        Some(Explaining::Samples(method)) => explain_samples(args, data, (&predictor, method), global),
        Some(Explaining::Model) => explain_model(args, data, &predictor, global),
        None => bail!("only language models have attention to show; choose another --method, or give --text"),
    }
}

/// Samples with what is known of their truth.
enum Loaded {
    Labelled(Dataset),
    Bare(Samples),
}

impl Loaded {
    /// Labelled data where there are labels, inputs alone otherwise. When neither can be read, what is wrong with the
    /// labelled data is told.
    fn open(args: &Args, data: &Path, predictor: &Predictor) -> anyhow::Result<Loaded> {
        match labelled(args, data, predictor) {
            Ok(dataset) => Ok(Loaded::Labelled(dataset)),
            Err(error) => match load_inputs(data, predictor.preprocessing()) {
                Ok(inputs) => Ok(Loaded::Bare(inputs.samples)),
                Err(_) => Err(error.into()),
            },
        }
    }

    fn samples(&self) -> &Samples {
        match self {
            Loaded::Labelled(dataset) => dataset.samples(),
            Loaded::Bare(samples) => samples,
        }
    }

    fn labels(&self) -> Option<&[i64]> {
        match self {
            Loaded::Labelled(dataset) => Some(dataset.labels()).filter(|labels| !labels.is_empty()),
            Loaded::Bare(_) => None,
        }
    }
}

fn labelled(args: &Args, data: &Path, predictor: &Predictor) -> gradus_data::Result<Dataset> {
    load_labelled(
        data,
        args.split.split(),
        predictor.preprocessing(),
        predictor.labels(),
    )
}

fn explain_samples(
    args: &Args,
    data: &Path,
    (predictor, method): (&Predictor, Method),
    global: Global,
) -> anyhow::Result<()> {
    let (place, loaded) = (data.display().to_string(), Loaded::open(args, data, predictor)?);
    let indices = match args.index.as_slice() {
        [] => spread(loaded.samples().len(), args.samples as usize),
        given => given.to_vec(),
    };
    let data = ExplainData {
        samples: loaded.samples(),
        labels: loaded.labels(),
        indices: &indices,
    };
    let options = ExplainOptions {
        method,
        target: target(&args.target, predictor)?,
        baseline: args.method.sample_baseline(),
    };
    let explained = explain(predictor, &data, &options);
    let explanations = match explained {
        Err(error @ Error::NoInputGradient { .. }) => {
            return Err(error).context("--method occlusion, permutation and kernel-shap need no gradients");
        }
        explained => explained?,
    };
    args.write_report(&place, ExplainContent::Samples(&explanations))?;
    if global.json {
        return output::json(&explanations);
    }
    output::write(described(&explanations).as_bytes())
}

/// Places spread over the data.
fn spread(len: usize, count: usize) -> Vec<usize> {
    let count = count.min(len);
    (0..count).map(|at| at * len / count).collect()
}

/// What `--target` means to this model.
fn target(name: &str, predictor: &Predictor) -> anyhow::Result<Target> {
    match predictor.labels().iter().position(|label| label == name) {
        Some(output) => Ok(Target::Output(output)),
        None if name == "predicted" => Ok(Target::Predicted),
        None if name == "truth" => Ok(Target::Truth),
        None => Err(Error::NoSuchClass {
            name: name.to_owned(),
            known: predictor.labels().to_vec(),
        })
        .context("--target"),
    }
}

fn explain_model(args: &Args, data: &Path, predictor: &Predictor, global: Global) -> anyhow::Result<()> {
    let wanted = Wanted {
        data,
        split: args.split.split(),
        unseen: args.unseen,
    };
    let dataset = wanted
        .rows_for(&Package::open(model_folder(&args.model))?)?
        .dataset;
    let metric = match args.method.metric {
        Some(name) => name.into(),
        None => PermutationScore::usual_for(dataset.targets()),
    };
    let options = args.method.permutation();
    let cells = args.method.cells();
    let found = permutation_of_dataset(predictor, &dataset, metric, cells, &options)?;
    let explained = ExplainContent::Model {
        importance: &found,
        cells,
    };
    args.write_report(&data.display().to_string(), explained)?;
    if global.json {
        return output::json(&found);
    }
    output::write(ranked(&found, cells).as_bytes())
}

/// One line for each sample, and what counts over all of them.
fn described(explanations: &Explanations) -> String {
    let mut table = Table::new(&[
        "sample",
        "explained",
        "truth",
        "output",
        "baseline",
        "off by",
        "most important",
    ]);
    let missing = || "–".to_owned();
    for sample in &explanations.samples {
        table.row([
            sample.index.to_string(),
            explanations.labels[sample.target].clone(),
            sample
                .label
                .map_or_else(missing, |label| explanations.labels[label].clone()),
            format!("{:.3}", sample.score),
            sample
                .baseline_score
                .map_or_else(missing, |score| format!("{score:.3}")),
            sample
                .convergence_delta
                .map_or_else(missing, |delta| format!("{delta:.1e}")),
            most_important(explanations, sample),
        ]);
    }
    let mut text = format!("{table}\n");
    if !explanations.columns.is_empty() {
        let mut order: Vec<usize> = (0..explanations.columns.len()).collect();
        order.sort_by(|&a, &b| explanations.importances[b].total_cmp(&explanations.importances[a]));
        let mut columns = Table::new(&["column", "mean |attribution|"]);
        for at in order {
            let importance = format!("{:.4}", explanations.importances[at]);
            columns.row([explanations.columns[at].clone(), importance]);
        }
        text.push_str(&format!("{columns}\n"));
    }
    let count = output::grouped(explanations.samples.len() as u64);
    text.push_str(&format!("{count} samples by {}\n", explanations.method.name()));
    text
}

/// The columns, or the pixel, that had most to do with an answer.
fn most_important(explanations: &Explanations, sample: &SampleExplanation) -> String {
    let mut order: Vec<usize> = (0..sample.attributions.len()).collect();
    order.sort_by(|&a, &b| {
        sample.attributions[b]
            .abs()
            .total_cmp(&sample.attributions[a].abs())
    });
    let sign = |value: f32| match explanations.method.is_signed() {
        true => format!("{value:+.3}"),
        false => format!("{value:.3}"),
    };
    match (explanations.shape.as_slice(), &sample.sample) {
        (&[_, height, width], _) => {
            let Some(&at) = order.first() else {
                return String::new();
            };
            let (y, x) = (at % (height * width) / width, at % width);
            format!("row {y}, column {x}: {}", sign(sample.attributions[at]))
        }
        (_, Some(Sample::Row(row))) => {
            let named = order.iter().take(MOST_NAMED).map(|&at| {
                format!(
                    "{} = {}: {}",
                    row[at].name,
                    row[at].value,
                    sign(sample.attributions[at])
                )
            });
            named.collect::<Vec<_>>().join("; ")
        }
        _ => String::new(),
    }
}

/// Columns by what is lost without them; cells as the picture has them.
fn ranked(found: &GlobalImportance, cells: usize) -> String {
    let features = &found.importance.features;
    let name = |at: usize| match found.columns.get(at) {
        Some(column) => column.clone(),
        None => format!("cell {}, {}", at / cells, at % cells),
    };
    let mut order: Vec<usize> = (0..features.len()).collect();
    order.sort_by(|&a, &b| features[b].mean.total_cmp(&features[a].mean));
    let heading = format!("loss of {}", found.metric.name());
    let mut table = Table::new(&["feature", &heading, "±"]);
    for at in order {
        let feature = features[at];
        table.row([
            name(at),
            format!("{:.4}", feature.mean),
            format!("{:.4}", feature.std),
        ]);
    }
    format!(
        "{table}\n{} of the data as they are: {:.4} ({} samples, {} permutations of each)\n",
        found.metric.name(),
        found.importance.score,
        output::grouped(found.n as u64),
        found.options.repeats
    )
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn samples_are_spread_over_the_data() {
        assert_eq!(spread(10, 5), [0, 2, 4, 6, 8]);
        assert_eq!(spread(3, 16), [0, 1, 2]);
        assert!(spread(0, 16).is_empty());
    }
}
