//! What can be typed, and what runs then.
//!
//! Data goes to standard output and talk to standard error, so output can be piped. Exit codes: 0 for success, 2 for
//! something the user can mend (a flag, a recipe, a data file), 1 for a failure.

#[cfg(feature = "train")]
mod bench;
mod calibrate;
mod chat;
mod compare;
mod completions;
#[cfg(feature = "train")]
mod compress;
#[cfg(feature = "train")]
mod crossval;
mod data;
mod embed;
mod evaluate;
mod evaluate_tasks;
mod explain;
mod export;
mod failure;
#[cfg(feature = "train")]
mod finetune;
mod generate;
mod generation_args;
mod import;
mod inspect;
#[cfg(feature = "train")]
mod new;
mod output;
mod overwrite;
mod predict;
#[cfg(feature = "train")]
mod progress;
#[cfg(all(feature = "train", feature = "serve"))]
mod quickstart;
#[cfg(feature = "serve")]
mod serve;
mod stress;
mod task_figures;
#[cfg(feature = "train")]
mod train;
#[cfg(feature = "train")]
mod tune;
mod unseen;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::filter::LevelFilter;

/// Carries a model through its whole life: data, train, evaluate, compress, package, serve.
///
/// Start with `gradus quickstart`, or with `gradus new classifier > my.toml` and `gradus train my.toml`.
#[derive(Parser)]
#[command(
    name = "gradus",
    version,
    arg_required_else_help = true,
    propagate_version = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags that every command takes.
#[derive(Args, Clone, Copy)]
pub(crate) struct Global {
    /// Threads to compute with; the results do not depend on it. Default: one per core.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Print the result as JSON on standard output.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
enum Command {
    #[cfg(all(feature = "train", feature = "serve"))]
    Quickstart(quickstart::Args),
    #[cfg(feature = "train")]
    New(new::Args),
    #[cfg(feature = "train")]
    Train(train::Args),
    #[cfg(feature = "train")]
    Tune(tune::Args),
    #[cfg(feature = "train")]
    Finetune(finetune::Args),
    Data(data::Args),
    Evaluate(evaluate::Args),
    Explain(explain::Args),
    Stress(stress::Args),
    Compare(compare::Args),
    Calibrate(calibrate::Args),
    Predict(predict::Args),
    #[cfg(feature = "train")]
    Crossval(crossval::Args),
    #[cfg(feature = "train")]
    Compress(compress::Args),
    Import(import::Args),
    Export(export::Args),
    Generate(generate::Args),
    Chat(chat::Args),
    Embed(embed::Args),
    Inspect(inspect::Args),
    #[cfg(feature = "serve")]
    Serve(serve::Args),
    #[cfg(feature = "train")]
    Bench(bench::Args),
    Completions(completions::Args),
}

/// Parses the command line, runs the command and reports how it ended.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    start_logging();
    if let Some(threads) = cli.global.threads {
        gradus_kernels::pool::set_threads(usize::from(threads));
    }
    match dispatch(cli.command, cli.global) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}

fn dispatch(command: Command, global: Global) -> anyhow::Result<()> {
    match command {
        #[cfg(all(feature = "train", feature = "serve"))]
        Command::Quickstart(args) => quickstart::run(&args, global),
        #[cfg(feature = "train")]
        Command::New(args) => new::run(&args),
        #[cfg(feature = "train")]
        Command::Train(args) => train::run(&args, global),
        #[cfg(feature = "train")]
        Command::Tune(args) => tune::run(&args, global),
        #[cfg(feature = "train")]
        Command::Finetune(args) => finetune::run(&args, global),
        Command::Data(args) => data::run(&args, global),
        Command::Evaluate(args) => evaluate::run(&args, global),
        Command::Explain(args) => explain::run(&args, global),
        Command::Stress(args) => stress::run(&args, global),
        Command::Compare(args) => compare::run(&args, global),
        Command::Calibrate(args) => calibrate::run(&args, global),
        Command::Predict(args) => predict::run(&args, global),
        #[cfg(feature = "train")]
        Command::Crossval(args) => crossval::run(&args, global),
        #[cfg(feature = "train")]
        Command::Compress(args) => compress::run(&args, global),
        Command::Import(args) => import::run(&args, global),
        Command::Export(args) => export::run(&args, global),
        Command::Generate(args) => generate::run(&args, global),
        Command::Chat(args) => chat::run(&args, global),
        Command::Embed(args) => embed::run(&args, global),
        Command::Inspect(args) => inspect::run(&args, global),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(&args, global),
        #[cfg(feature = "train")]
        Command::Bench(args) => bench::run(&args, global),
        Command::Completions(args) => completions::run(&args),
    }
}

/// Warnings and errors of the library go to standard error; `GRADUS_LOG=debug` shows more.
fn start_logging() {
    let level = std::env::var("GRADUS_LOG")
        .ok()
        .and_then(|level| level.parse().ok());
    tracing_subscriber::fmt()
        .with_max_level(level.unwrap_or(LevelFilter::WARN))
        .with_writer(std::io::stderr)
        // It would tell a closed standard error of a closed standard error, and panic.
        .log_internal_errors(false)
        .without_time()
        .init();
}
