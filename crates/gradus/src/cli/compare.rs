//! `gradus compare`: which of two models is better on the same data.

use std::path::PathBuf;

use anyhow::bail;
use gradus_evaluate::bootstrap::BootstrapOptions;
use gradus_evaluate::{
    CompareOptions, ComparedMetric, Comparison, McNemarMethod, Predictor, compare, groups_of_column,
};
use gradus_package::Package;

use super::Global;
use super::evaluate::{IntervalName, SplitName, model_folder, read_column};
use super::output::{self, Table};
use super::unseen::{UnseenArgs, Wanted};

/// Tell which of two classifiers is better on the same data, and whether the data can tell at all: a paired bootstrap of
/// each difference and McNemar's test.
///
/// Example: gradus compare runs/small/model runs/large/model --data data/fashion-mnist-sample
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The first model, A: a package, or a training run's folder.
    model_a: PathBuf,
    /// The second model, B.
    model_b: PathBuf,
    /// Labelled data: a folder of IDX files, of pictures by class, a CSV or a Parquet file.
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// The part of the data to score on, where the folder holds several.
    #[arg(long, value_enum, default_value_t = SplitName::Test)]
    split: SplitName,
    #[command(flatten)]
    unseen: UnseenArgs,
    /// What to compare by: accuracy, macro_f1, macro_precision, macro_recall, weighted_f1, log_loss.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = metric,
        default_value = "accuracy,macro_f1,log_loss")]
    metrics: Vec<ComparedMetric>,
    /// Resamples behind each interval.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    bootstrap: usize,
    /// How the ends of the intervals are read off the resamples.
    #[arg(long, value_enum, default_value_t = IntervalName::Percentile)]
    interval: IntervalName,
    /// A column of a table whose rows of one value belong together, such as a patient's: they are resampled together.
    #[arg(long, value_name = "COLUMN")]
    cluster: Option<String>,
}

fn metric(name: &str) -> Result<ComparedMetric, String> {
    let known = || ComparedMetric::ALL.map(ComparedMetric::name).join(", ");
    ComparedMetric::from_name(name).ok_or_else(|| format!("models are compared by {}", known()))
}

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    let [a, b] = [&args.model_a, &args.model_b].map(|path| Package::open(model_folder(path)));
    let packages = [&a?, &b?];
    let [a, b] = packages.map(Predictor::from_package);
    let (a, b) = (a?, b?);
    if a.labels() != b.labels() {
        bail!(
            "the models tell different classes, A {:?} and B {:?}; only models of the same classes can be compared",
            a.labels(),
            b.labels()
        );
    }
    let wanted = Wanted {
        data: &args.data,
        split: args.split.split(),
        unseen: args.unseen,
    };
    let [data_a, data_b] = wanted.rows_for_both(packages)?;
    let groups = match &args.cluster {
        Some(name) => {
            let column = read_column(&args.data, name)?;
            let scored = data_a.rows.as_ref().map(|rows| column.select(rows));
            Some(groups_of_column(scored.as_ref().unwrap_or(&column)))
        }
        None => None,
    };
    let options = CompareOptions {
        metrics: args.metrics.clone(),
        bootstrap: BootstrapOptions {
            resamples: args.bootstrap,
            method: args.interval.method(),
            ..Default::default()
        },
        groups,
        ..Default::default()
    };
    let comparison = compare([&a, &b], [&data_a.dataset, &data_b.dataset], &options)?;
    if global.json {
        return output::json(&comparison);
    }
    output::write(summary(&comparison).as_bytes())
}

fn summary(comparison: &Comparison) -> String {
    let mut table = Table::new(&["measure", "A", "B", "B less A (95 % interval)"]);
    for row in &comparison.differences {
        let difference = match row.difference.interval {
            Some(interval) => format!(
                "{:+.4} ({:+.4} to {:+.4})",
                row.difference.value, interval.lower, interval.upper
            ),
            None => format!("{:+.4}", row.difference.value),
        };
        table.row([
            row.metric.name().replace('_', " "),
            format!("{:.4}", row.a),
            format!("{:.4}", row.b),
            difference,
        ]);
    }
    let test = &comparison.mcnemar;
    let method = match test.method {
        McNemarMethod::Exact => "exact".to_owned(),
        McNemarMethod::ChiSquare { statistic } => format!("chi-square {statistic:.2}"),
    };
    format!(
        "{table}\nonly A is right on {} rows, only B on {}: McNemar's p = {:.3} ({method})\n\n{}\n",
        output::grouped(test.only_a),
        output::grouped(test.only_b),
        test.p_value,
        comparison.sentence
    )
}
