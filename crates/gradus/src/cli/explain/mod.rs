//! `gradus explain`: why a packaged model answers as it does.

mod method_args;
mod samples;

use std::path::PathBuf;

use super::Global;
use super::evaluate::SplitName;
use method_args::MethodArgs;

/// Say why a model answers as it does: how much each pixel, column or token had to do with an answer, and what the model
/// goes by over all samples.
///
/// Examples: gradus explain runs/my/model --data data/fashion-mnist-sample
/// and gradus explain runs/titanic/model --data titanic.csv --method kernel-shap --background 50
/// and gradus explain runs/titanic/model --data titanic.csv --method permutation
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A package, or a training run's folder.
    model: PathBuf,
    /// What to explain: anything that `evaluate` or `predict` reads.
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// The part of the data, where the folder holds several.
    #[arg(long, value_enum, default_value_t = SplitName::Test)]
    split: SplitName,
    /// How many samples to explain, spread over the data; `permutation` takes all of them.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    samples: u32,
    /// Explain these samples, by their places in the data counted from 0.
    #[arg(long, value_name = "I,J,…", value_delimiter = ',', conflicts_with = "samples")]
    index: Vec<usize>,
    /// What to explain: `predicted`, `truth`, or the name of a class, label or output.
    #[arg(long, value_name = "CLASS", default_value = "predicted")]
    target: String,
    #[command(flatten)]
    method: MethodArgs,
}

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    samples::run(args, global)
}
