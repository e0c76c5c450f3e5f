//! `gradus data`: what is done with data before a model learns from it.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use gradus_data::{Error, Split, SplitConfig, TableFile};
use serde::Serialize;

use super::Global;
use super::output::{self, Table};

/// Prepare data for training.
///
/// Example: gradus data split titanic.csv --train 0.8 --val 0.1 --test 0.1 --stratify survived
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Split(SplitArgs),
}

/// Cut a table into training, validation and test files, at random or by a column; the same seed cuts alike.
///
/// Lines of a CSV file are copied byte for byte; a Parquet file is written as CSV. IDX files and pictures are divided by
/// the recipe's [data.split], as tables can be, without files of their own.
///
/// Example: gradus data split visits.csv --train 0.8 --test 0.2 --group patient
#[derive(clap::Args)]
struct SplitArgs {
    /// The CSV or Parquet file.
    data: PathBuf,
    /// The share to train on. Default: what the others leave, or 0.8.
    #[arg(long, value_name = "SHARE")]
    train: Option<f64>,
    /// The share to choose the best checkpoint by. Default: 0, or 0.1 when no share is given.
    #[arg(long = "val", visible_alias = "validation", value_name = "SHARE")]
    validation: Option<f64>,
    /// The share to measure on at the end. Default: 0, or 0.1 when no share is given.
    #[arg(long, value_name = "SHARE")]
    test: Option<f64>,
    /// Keep the shares of this column's values in each part.
    #[arg(long, value_name = "COLUMN", conflicts_with_all = ["group", "time"])]
    stratify: Option<String>,
    /// Keep rows with the same value in this column together.
    #[arg(long, value_name = "COLUMN", conflicts_with = "time")]
    group: Option<String>,
    /// Train on the oldest rows and test on the latest, by this column of numbers or dates.
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
    /// Decides which rows go where.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The folder for the files. Default: the data's name with -split, beside it.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    match &args.command {
        Command::Split(args) => split(args, global),
    }
}

/// What was written for a part.
#[derive(Serialize)]
struct Written {
    part: &'static str,
    rows: usize,
    file: PathBuf,
}

fn split(args: &SplitArgs, global: Global) -> anyhow::Result<()> {
    let table = match TableFile::read(&args.data) {
        Err(error @ Error::NotATable { .. }) => {
            return Err(error).context("IDX files and pictures are divided by `[data.split]` of a recipe");
        }
        read => read?,
    };
    let config = config(args)?;
    let parts = table.divide(&config)?;
    let files = table.part_files(&parts, config.shares());
    let folder = args.out.clone().unwrap_or_else(|| default_out(&args.data));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let parts = [
        (Split::Train, parts.train.len(), files.train),
        (Split::Validation, parts.validation.len(), files.validation),
        (Split::Test, parts.test.len(), files.test),
    ];
    let mut written = Vec::new();
    for (part, rows, bytes) in parts {
        let Some(bytes) = bytes else { continue };
        let file = folder.join(table.part_name(part));
        gradus_package::write_atomic(&file, &bytes)?;
        let part = part.name();
        written.push(Written { part, rows, file });
    }
    if !table.is_copied() {
        output::say(format_args!(
            "note: the parts of a Parquet file are written as CSV"
        ));
    }
    report(&written, global)
}

fn config(args: &SplitArgs) -> anyhow::Result<SplitConfig> {
    let given = [args.train, args.validation, args.test];
    let [train, validation, test] = match given {
        [None, None, None] => [0.8, 0.1, 0.1],
        [train, validation, test] => {
            let (validation, test) = (validation.unwrap_or(0.0), test.unwrap_or(0.0));
            [train.unwrap_or(1.0 - validation - test), validation, test]
        }
    };
    if validation == 0.0 && test == 0.0 && train == 1.0 {
        bail!("nothing is split off; give --val or --test a share");
    }
    Ok(SplitConfig {
        train,
        validation,
        test,
        stratify: args.stratify.clone(),
        group: args.group.clone(),
        time: args.time.clone(),
        seed: Some(args.seed),
    })
}

fn default_out(data: &Path) -> PathBuf {
    let name = data
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let stem = name.split('.').next().unwrap_or("data");
    data.with_file_name(format!("{stem}-split"))
}

fn report(written: &[Written], global: Global) -> anyhow::Result<()> {
    if global.json {
        return output::json(&written);
    }
    let mut table = Table::new(&["part", "rows", "file"]);
    for Written { part, rows, file } in written {
        let rows = output::grouped(*rows as u64);
        table.row([(*part).to_owned(), rows, file.display().to_string()]);
    }
    output::write(table.to_string().as_bytes())
}
