//! `gradus bench`: how fast this machine trains and predicts, through the same code as the other commands.

mod classifier;
mod llm;
mod metrics;
mod train_gpt;

use super::Global;

/// Measure training or prediction speed on this machine.
///
/// Example: gradus bench train --batch-size 64 --optimizer sgd --threads 2
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// The 784-128-10 classifier's optimiser steps a second: shuffle, assemble, forward, backward, update.
    Train(classifier::TrainArgs),
    /// Microseconds for the classifier's logits of a batch that lies in memory.
    Predict(classifier::PredictArgs),
    /// Tokens a second of training a language model: forward, backward, AdamW.
    TrainGpt(train_gpt::Args),
    /// Tokens a second of reading a prompt and of generating.
    Llm(llm::Args),
    /// Microseconds of a metric, a bootstrap or a split.
    Metrics(metrics::Args),
}

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    match &args.what {
        What::Train(args) => classifier::train_speed(args, global),
        What::Predict(args) => classifier::predict_speed(args, global),
        What::TrainGpt(args) => train_gpt::run(args, global),
        What::Llm(args) => llm::run(args, global),
        What::Metrics(args) => metrics::run(args, global),
    }
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// The middle of sorted values.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    }
}
