//! The 784-128-10 classifier: steps a second, and microseconds a call.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::ValueEnum;
use gradus_compress::quantize_int8;
use gradus_data::Split;
use gradus_evaluate::Predictor;
use gradus_package::Package;
use gradus_train::recipe::Recipe;
use gradus_train::training::{Event, Silent, TrainOptions, train};
use serde::Serialize;

use super::{median, sorted};
use crate::cli::Global;
use crate::cli::output::{self, grouped};

#[derive(clap::Args)]
pub(super) struct TrainArgs {
    /// Samples in a batch.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: u32,
    /// The optimiser, with learning rate 0.01 for SGD and 0.001 for Adam.
    #[arg(long, value_enum, default_value_t = BenchOptimizer::Sgd)]
    optimizer: BenchOptimizer,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args)]
pub(super) struct PredictArgs {
    /// Rows in a batch.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    rows: u32,
    /// What the products are computed in.
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    precision: Precision,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args)]
struct Common {
    /// A folder of IDX files.
    #[arg(long, value_name = "DIR", default_value = "data/fashion-mnist-sample")]
    data: PathBuf,
    /// Measurements, of which the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum BenchOptimizer {
    Sgd,
    Adam,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Precision {
    F32,
    Int8,
}

/// Rows that one measurement of training covers at least, so that small sets are passed over several times.
const ROWS_PER_REPEAT: usize = 60_000;

/// How long one measurement of prediction lasts.
const PREDICT_TIME: Duration = Duration::from_millis(300);

/// Measures training.
pub(super) fn train_speed(args: &TrainArgs, global: Global) -> anyhow::Result<()> {
    let scratch = Scratch::new()?;
    let seconds = time_steps(args, &scratch.0)?;
    let rates = sorted(seconds.iter().map(|seconds| 1.0 / seconds).collect());
    report_training(args, &rates, global)
}

/// Measures prediction.
pub(super) fn predict_speed(args: &PredictArgs, global: Global) -> anyhow::Result<()> {
    let scratch = Scratch::new()?;
    let predictor = predictor(args, &scratch.0)?;
    let times = sorted(time_calls(args, &predictor)?);
    report_prediction(args, &times, global)
}

#[derive(Serialize)]
struct TrainingSpeed {
    name: String,
    steps_per_s: f64,
    min: f64,
    max: f64,
    repeats: usize,
}

#[derive(Serialize)]
struct PredictionSpeed {
    name: String,
    us_per_call: f64,
    min: f64,
    max: f64,
    repeats: usize,
}

fn report_training(args: &TrainArgs, rates: &[f64], global: Global) -> anyhow::Result<()> {
    let optimizer = optimizer_name(args.optimizer);
    let speed = TrainingSpeed {
        name: format!("train 784-128-10, {optimizer}, batch {}", args.batch_size),
        steps_per_s: median(rates),
        min: rates[0],
        max: rates[rates.len() - 1],
        repeats: rates.len(),
    };
    if global.json {
        return output::json(&speed);
    }
    let samples = grouped((speed.steps_per_s * f64::from(args.batch_size)) as u64);
    let (steps, min, max) = (speed.steps_per_s as u64, speed.min as u64, speed.max as u64);
    output::line(&format!(
        "{}: {} steps/s ({}–{}), {samples} samples/s",
        speed.name,
        grouped(steps),
        grouped(min),
        grouped(max)
    ))
}

fn report_prediction(args: &PredictArgs, times: &[f64], global: Global) -> anyhow::Result<()> {
    let precision = if args.precision == Precision::Int8 {
        "int8"
    } else {
        "f32"
    };
    let speed = PredictionSpeed {
        name: format!("predict 784-128-10, {precision}, {} rows", args.rows),
        us_per_call: median(times),
        min: times[0],
        max: times[times.len() - 1],
        repeats: times.len(),
    };
    if global.json {
        return output::json(&speed);
    }
    let rate = grouped((f64::from(args.rows) / speed.us_per_call * 1e6) as u64);
    output::line(&format!(
        "{}: {:.1} µs a call ({:.1}–{:.1}), {rate} rows/s",
        speed.name, speed.us_per_call, speed.min, speed.max
    ))
}

/// Seconds per step of each repeat, after one that warms up. A repeat runs from the end of one epoch to the end of a
/// later one, so it contains the shuffling.
fn time_steps(args: &TrainArgs, scratch: &Path) -> anyhow::Result<Vec<f64>> {
    let (optimizer, rate) = match args.optimizer {
        BenchOptimizer::Sgd => ("sgd", "0.01"),
        BenchOptimizer::Adam => ("adam", "0.001"),
    };
    let batch = args.batch_size.to_string();
    let settings = [
        ("optimizer.name", optimizer),
        ("train.learning_rate", rate),
        ("train.batch_size", &batch),
    ];
    let mut recipe = recipe(&args.common.data, &settings)?;
    let task = recipe
        .task
        .supervised()
        .context("bug: the template is a classifier's")?;
    let rows = gradus_data::load(&task.data, Path::new(""))?.train.len();
    let epochs_per_repeat = (ROWS_PER_REPEAT / rows).max(1) as u64;
    let epochs = epochs_per_repeat * (u64::from(args.common.repeats) + 1);
    recipe.train.epochs = Some(epochs);
    recipe.train.checkpoint_every_epochs = epochs;

    let (mut steps_per_repeat, mut last, mut seconds) = (0, Instant::now(), Vec::new());
    let mut observer = |event: &Event<'_>| match event {
        Event::Started(plan) => steps_per_repeat = plan.steps_per_epoch * epochs_per_repeat,
        Event::Step(report) if report.step.is_multiple_of(steps_per_repeat) => {
            let now = Instant::now();
            seconds.push((now - last).as_secs_f64() / steps_per_repeat as f64);
            last = now;
        }
        _ => {}
    };
    train(&recipe, &TrainOptions::new(scratch.join("run")), &mut observer)?;
    // The first repeat warmed up; it also began before the first step did.
    seconds.remove(0);
    Ok(seconds)
}

/// A classifier after a few steps: its speed does not depend on how well it answers.
fn predictor(args: &PredictArgs, scratch: &Path) -> anyhow::Result<Predictor> {
    let recipe = recipe(&args.common.data, &[("train.max_steps", "10")])?;
    let outcome = train(&recipe, &TrainOptions::new(scratch.join("run")), &mut Silent)?;
    let package = outcome.package.context("bug: a run that ends has a package")?;
    if args.precision == Precision::F32 {
        return Ok(Predictor::open(package.folder)?);
    }
    let quantized = quantize_int8(&Package::open(package.folder)?)?;
    let folder = scratch.join("int8");
    Package::save(&folder, &quantized)?;
    Ok(Predictor::open(folder)?)
}

/// Microseconds per call of each repeat, after a warm-up of the same length.
fn time_calls(args: &PredictArgs, predictor: &Predictor) -> anyhow::Result<Vec<f64>> {
    let (preprocessing, labels) = (predictor.preprocessing(), predictor.labels());
    let dataset = gradus_data::load_labelled(&args.common.data, Split::Test, preprocessing, labels)?;
    let rows = (args.rows as usize).min(dataset.len());
    let batch = dataset.samples().tensor(0..rows);
    let repeat = || -> anyhow::Result<f64> {
        let (start, mut calls) = (Instant::now(), 0u32);
        while start.elapsed() < PREDICT_TIME {
            for _ in 0..16 {
                std::hint::black_box(predictor.predict_batch(std::hint::black_box(&batch))?);
            }
            calls += 16;
        }
        Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(calls))
    };
    repeat()?;
    (0..args.common.repeats).map(|_| repeat()).collect()
}

/// The classifier's recipe on other data, trained on every row and on full batches alone, as the peers are.
fn recipe(data: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Recipe> {
    let data = std::path::absolute(data).context("cannot find the data")?;
    let path = toml::Value::String(data.to_string_lossy().into_owned());
    let fixed = [
        ("data.train", path.to_string()),
        ("data.validation_fraction", "0".to_owned()),
    ];
    let overrides: Vec<String> = fixed
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .chain(settings.iter().map(|(key, value)| format!("{key}={value}")))
        .collect();
    Ok(Recipe::parse(Recipe::template("classifier")?, &overrides)?)
}

fn optimizer_name(optimizer: BenchOptimizer) -> &'static str {
    match optimizer {
        BenchOptimizer::Sgd => "SGD",
        BenchOptimizer::Adam => "Adam",
    }
}

/// A folder that goes away with the program.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Scratch> {
        let folder = std::env::temp_dir().join(format!("gradus-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Scratch(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing of value lies there, and there is nobody left to tell.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
