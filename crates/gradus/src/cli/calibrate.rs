//! `gradus calibrate`: a package whose probabilities can be taken at their word.

use std::path::{Path, PathBuf};

use anyhow::bail;
use gradus_data::Dataset;
use gradus_evaluate::calibration::{
    CalibrationMeasurement, CalibrationReport, Reliability, calibrate, measure_calibration,
};
use gradus_evaluate::html::CalibrationPage;
use gradus_evaluate::trained_rows::TrainedRows;
use gradus_package::Package;
use serde::Serialize;

use super::Global;
use super::evaluate::{SplitName, model_folder, model_title};
use super::output::{self, Table, grouped};
use super::overwrite::refuse_to_replace;
use super::unseen::{UnseenArgs, Wanted};

/// Make a package whose probabilities can be taken at their word: one temperature for all logits, fitted to held-out data. No
/// predicted class changes; evaluate, predict and serve apply it.
///
/// Figures on the rows that it was fitted to flatter it a little: --measure-split or --measure-data measures on others.
///
/// Example: gradus calibrate runs/my --data titanic.csv --fit-split validation --measure-split test
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A package, or a training run's folder.
    model: PathBuf,
    /// Labelled data that the model was not trained on: a folder of IDX files, of pictures by class, a CSV or a Parquet file.
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// The part of the data to fit to, where the folder holds several.
    #[arg(long = "fit-split", visible_alias = "split", value_enum, default_value_t = SplitName::Validation)]
    split: SplitName,
    /// The part of the data to measure on, before and after. Default: the rows that were fitted to; with --measure-data, test.
    #[arg(long, value_enum)]
    measure_split: Option<SplitName>,
    /// Other labelled data to measure on. Default: --data.
    #[arg(long, value_name = "PATH")]
    measure_data: Option<PathBuf>,
    #[command(flatten)]
    unseen: UnseenArgs,
    /// Where the new package goes. Default: beside the model, with -calibrated after its name.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace what is there.
    #[arg(long)]
    force: bool,
    /// Also write a report for people: one HTML file with both reliability diagrams.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// What was found and written, for programs.
#[derive(Serialize)]
struct Written<'a> {
    package: &'a Path,
    fingerprint: &'a str,
    #[serde(flatten)]
    report: &'a CalibrationReport,
    /// What it gained on other rows; none where only those that it was fitted to were given.
    measured: Option<&'a CalibrationMeasurement>,
}

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    let out = args.out.clone().unwrap_or_else(|| beside(&args.model));
    refuse_to_replace(&out, args.force)?;
    let folder = model_folder(&args.model);
    let package = Package::open(&folder)?;
    let split = args.split.split();
    let wanted = Wanted {
        data: &args.data,
        split,
        unseen: args.unseen,
    };
    let dataset = wanted.rows_for(&package)?.dataset;
    let calibrated = calibrate(&package, &dataset, split.name())?;
    let measured = measure(args, &package, &dataset, calibrated.report.temperature)?;
    let saved = Package::save(&out, &calibrated.contents)?;
    let report = &calibrated.report;
    if let Some(path) = &args.report {
        let page = CalibrationPage::new(
            model_title(&folder),
            args.data.display().to_string(),
            &package,
            report,
        );
        gradus_package::write_atomic(path, page.render()?.as_bytes())?;
        output::say(format_args!("report: {}", path.display()));
    }
    if global.json {
        return output::json(&Written {
            package: &out,
            fingerprint: &saved.fingerprint,
            report,
            measured: measured.as_ref(),
        });
    }
    output::write(summary(report, measured.as_ref(), &out).as_bytes())
}

/// What the temperature gains on other rows, where such are named.
fn measure(
    args: &Args,
    package: &Package,
    fitted: &Dataset,
    temperature: f64,
) -> anyhow::Result<Option<CalibrationMeasurement>> {
    if args.measure_split.is_none() && args.measure_data.is_none() {
        return Ok(None);
    }
    let split = args.measure_split.unwrap_or(SplitName::Test).split();
    let wanted = Wanted {
        data: args.measure_data.as_ref().unwrap_or(&args.data),
        split,
        unseen: args.unseen,
    };
    let dataset = wanted.rows_for(package)?.dataset;
    let rows_fitted = TrainedRows::new(fitted);
    let known = rows_fitted.known_of(&dataset);
    if known.is_leak() || rows_fitted.are_within(&dataset) {
        bail!(
            "{} of the {} rows to measure on are among those that the temperature is fitted to; name others with \
             --measure-split or --measure-data",
            grouped(known.known as u64),
            grouped(known.rows as u64)
        );
    }
    Ok(Some(measure_calibration(
        package,
        temperature,
        &dataset,
        split.name(),
    )?))
}

fn beside(model: &Path) -> PathBuf {
    let mut name = model.file_name().unwrap_or("model".as_ref()).to_owned();
    name.push("-calibrated");
    model.with_file_name(name)
}

fn summary(report: &CalibrationReport, measured: Option<&CalibrationMeasurement>, out: &Path) -> String {
    let (before, after) = match measured {
        Some(measured) => (&measured.before, &measured.after),
        None => (&report.before, &report.after),
    };
    let on = match measured {
        Some(measured) => format!("measured on {} {} samples", grouped(measured.n), measured.split),
        None => "measured on the same; --measure-split test measures on others".to_owned(),
    };
    let mut figures = Table::new(&["measure", "before", "after"]);
    let mut row = |name: &str, of: fn(&Reliability) -> f64| {
        let figure = |reliability| format!("{:.4}", of(reliability));
        figures.row([name.to_owned(), figure(before), figure(after)]);
    };
    row("calibration error", |reliability| {
        reliability.expected_calibration_error
    });
    row("log-loss", |reliability| reliability.log_loss);
    row("mean confidence", |reliability| reliability.mean_confidence);
    row("accuracy", |reliability| reliability.accuracy);
    let mut bins = Table::new(&["confidence", "accuracy", "samples"]);
    for bin in &after.bins {
        bins.row([
            format!("{:.4}", bin.confidence),
            format!("{:.4}", bin.accuracy),
            grouped(bin.count),
        ]);
    }
    format!(
        "temperature {:.4}, fitted to {} {} samples, {on}\n\n{figures}\n{bins}\npackage  {}\n",
        report.temperature,
        grouped(report.n),
        report.split,
        out.display()
    )
}

#[cfg(test)]
mod tests {
    use super::beside;
    use std::path::Path;

    #[test]
    fn the_new_package_lies_beside_the_old_one() {
        assert_eq!(beside(Path::new("runs/my")), Path::new("runs/my-calibrated"));
        assert_eq!(beside(Path::new("runs/my/")), Path::new("runs/my-calibrated"));
    }
}
