//! `gradus stress`: how steady a packaged classifier is when its inputs are disturbed.

use std::path::PathBuf;

use gradus_evaluate::Predictor;
use gradus_evaluate::html::StressPage;
use gradus_evaluate::stress::{InputUnit, Score, StressOptions, StressReport, StressTest, stress};
use gradus_package::Package;

use super::Global;
use super::evaluate::{SplitName, model_folder, model_title};
use super::output::{self, Table, grouped};
use super::unseen::{UnseenArgs, Wanted};

/// Measure how a classifier's accuracy holds under noise, blur, brightness, contrast, missing values, and attacks that follow
/// its gradients (FGSM, PGD) within epsilon of each input.
///
/// Pixels are measured from 0 (black) to 1 (white) and stay within; numeric columns of a table in their standard deviations.
///
/// Example: gradus stress runs/my/model --data data/fashion-mnist-sample --tests noise,pgd --epsilon 0.05,0.1
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A package, or a training run's folder.
    model: PathBuf,
    /// Labelled data: a folder of IDX files, of pictures by class, a CSV or a Parquet file.
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// The part of the data to score on, where the folder holds several.
    #[arg(long, value_enum, default_value_t = SplitName::Test)]
    split: SplitName,
    #[command(flatten)]
    unseen: UnseenArgs,
    /// The tests to run, separated by commas. Default: all that fit the inputs.
    #[arg(long, value_name = "NAMES", value_enum, value_delimiter = ',')]
    tests: Option<Vec<TestName>>,
    /// How far attacks may move each input; several are separated by commas.
    #[arg(long, value_name = "EPS", value_delimiter = ',', default_values_t = StressOptions::default().epsilons)]
    epsilon: Vec<f64>,
    /// Steps of PGD.
    #[arg(long, value_name = "N", default_value_t = StressOptions::default().steps)]
    steps: usize,
    /// How far one step of PGD moves. Default: 2.5 times epsilon, divided by the steps.
    #[arg(long, value_name = "SIZE")]
    step_size: Option<f64>,
    /// Random starts of PGD, the worst of which counts; 0 starts once at the input itself.
    #[arg(long, value_name = "N", default_value_t = StressOptions::default().restarts)]
    restarts: usize,
    /// Seed of noise, missing values and starts.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,
    /// Also write a report for people: one HTML file with charts, pictures and a reliability diagram.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// Tests, as flags name them.
#[derive(Clone, Copy, clap::ValueEnum)]
enum TestName {
    /// Gaussian noise.
    Noise,
    /// Gaussian blur, of pictures.
    Blur,
    /// Brighter and darker pictures.
    Brightness,
    /// More and less contrast, of pictures.
    Contrast,
    /// Missing cells, or black pixels.
    Missing,
    /// The fast gradient sign method.
    Fgsm,
    /// Projected gradient descent.
    Pgd,
}

impl From<TestName> for StressTest {
    fn from(name: TestName) -> StressTest {
        match name {
            TestName::Noise => StressTest::Noise,
            TestName::Blur => StressTest::Blur,
            TestName::Brightness => StressTest::Brightness,
            TestName::Contrast => StressTest::Contrast,
            TestName::Missing => StressTest::Missing,
            TestName::Fgsm => StressTest::Fgsm,
            TestName::Pgd => StressTest::Pgd,
        }
    }
}

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    let folder = model_folder(&args.model);
    let package = Package::open(&folder)?;
    let predictor = Predictor::from_package(&package)?;
    let split = args.split.split();
    let wanted = Wanted {
        data: &args.data,
        split,
        unseen: args.unseen,
    };
    let dataset = wanted.rows_for(&package)?.dataset;
    let options = StressOptions {
        tests: args
            .tests
            .as_ref()
            .map(|names| names.iter().copied().map(Into::into).collect()),
        epsilons: args.epsilon.clone(),
        steps: args.steps,
        step_size: args.step_size,
        restarts: args.restarts,
        seed: args.seed,
        ..StressOptions::default()
    };
    let bar = indicatif::ProgressBar::new(0);
    let report = stress(&predictor, &dataset, &options, &mut |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    for skipped in &report.skipped {
        output::say(format_args!(
            "note: {} is left out: {}",
            skipped.test.name(),
            skipped.reason
        ));
    }
    if let Some(path) = &args.report {
        let data = format!("{}, {} samples", args.data.display(), split.name());
        let page = StressPage::new(model_title(&folder), data, &package, &report);
        gradus_package::write_atomic(path, page.render()?.as_bytes())?;
        output::say(format_args!("report: {}", path.display()));
    }
    if global.json {
        return output::json(&report);
    }
    output::write(summary(&report).as_bytes())
}

fn summary(report: &StressReport) -> String {
    let mut table = Table::new(&[
        "test",
        "severity",
        "accuracy",
        "change",
        "confidence",
        "ECE",
        "same class",
    ]);
    table.row(row("clean", "", &report.clean, report));
    for test in &report.tests {
        for severity in &test.severities {
            let name = test.test.name();
            table.row(row(name, &severity.severity.to_string(), &severity.score, report));
        }
    }
    let unit = match report.unit {
        InputUnit::Pixels => {
            "attacks move each pixel by at most their severity, of the range from black to white"
        }
        InputUnit::Deviations => {
            "noise and attacks move numeric columns, in standard deviations of each; categories only go missing"
        }
    };
    let flat = report.tests.iter().flat_map(|test| &test.severities);
    let flat = flat
        .filter_map(|severity| severity.flat_gradients)
        .max()
        .unwrap_or(0);
    let flat = match flat {
        0 => String::new(),
        count => format!(
            "{} samples gave an attack no gradient to follow: the model may be weaker than it looks\n",
            grouped(count)
        ),
    };
    format!("{table}\n{} samples; {unit}\n{flat}", grouped(report.n))
}

fn row(name: &str, severity: &str, score: &Score, report: &StressReport) -> [String; 7] {
    [
        name.to_owned(),
        severity.to_owned(),
        format!("{:.4}", score.accuracy),
        format!("{:+.4}", score.accuracy - report.clean.accuracy),
        format!("{:.4}", score.mean_confidence),
        format!("{:.4}", score.expected_calibration_error),
        format!("{:.4}", score.unchanged),
    ]
}
