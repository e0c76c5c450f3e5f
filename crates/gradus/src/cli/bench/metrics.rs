//! Metrics, bootstrap and splits of labels and scores that lie in memory.

use std::hint::black_box;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use gradus_data::split::{Shares, StratifiedKFold};
use gradus_evaluate::bootstrap::{BootstrapOptions, intervals};
use gradus_evaluate::metrics::{
    Average, ConfusionMatrix, Counts, LabelSet, ScoreAverage, ScoreTable, WeightedConfusionMatrix, accuracy,
    f1, precision, recall, roc_auc, roc_auc_averaged,
};
use gradus_tensor::Rng;
use serde::Serialize;

use super::{median, sorted};
use crate::cli::Global;
use crate::cli::output;

#[derive(clap::Args)]
pub(super) struct Args {
    /// What to compute.
    #[arg(long, value_enum)]
    task: Task,
    /// Rows of the data; a task has its own default.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(100..))]
    rows: Option<u32>,
    /// Measurements, of which the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
}

/// The tasks that bench/ compares with scikit-learn and NumPy.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Task {
    /// Macro precision, recall and F1 of ten classes.
    PrecisionRecallF1,
    /// The same of weighted samples.
    WeightedPrecisionRecallF1,
    /// Area under the ROC curve of two classes.
    RocAuc,
    /// The same of weighted samples.
    WeightedRocAuc,
    /// Area under the ROC curve of each of ten classes against the rest.
    RocAucOvr,
    /// 1,000 resamples of accuracy and macro F1, from labels to intervals.
    Bootstrap,
    /// A fifth of the rows held out at random.
    Split,
    /// A fifth of each class held out.
    StratifiedSplit,
    /// The rows of each of five stratified folds.
    StratifiedKFold,
}

const CLASSES: usize = 10;

/// How long one measurement lasts at least.
const REPEAT_TIME: Duration = Duration::from_millis(300);

impl Task {
    fn rows(self) -> usize {
        match self {
            Task::Bootstrap => 10_000,
            Task::RocAucOvr => 100_000,
            Task::PrecisionRecallF1
            | Task::WeightedPrecisionRecallF1
            | Task::RocAuc
            | Task::WeightedRocAuc
            | Task::Split
            | Task::StratifiedSplit
            | Task::StratifiedKFold => 1_000_000,
        }
    }
}

#[derive(Serialize)]
struct Speed {
    name: String,
    us_per_call: f64,
    min: f64,
    max: f64,
    repeats: u32,
}

pub(super) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    let rows = args.rows.map_or(args.task.rows(), |rows| rows as usize);
    let data = Data::new(rows, args.task);
    let once = || data.compute(args.task);
    once()?;
    once()?;
    let times: anyhow::Result<Vec<f64>> = (0..args.repeats).map(|_| time(&once)).collect();
    let times = sorted(times?);
    let name = args
        .task
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned());
    let speed = Speed {
        name: format!("{name} of {rows} rows"),
        us_per_call: median(&times),
        min: times[0],
        max: times[times.len() - 1],
        repeats: args.repeats,
    };
    if global.json {
        return output::json(&speed);
    }
    output::line(&format!(
        "{}: {:.0} µs ({:.0}–{:.0})",
        speed.name, speed.us_per_call, speed.min, speed.max
    ))
}

/// Microseconds of a call.
fn time(once: &impl Fn() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let (start, mut calls) = (Instant::now(), 0u32);
    while start.elapsed() < REPEAT_TIME {
        once()?;
        calls += 1;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(calls))
}

/// What the tasks work on, drawn as bench/peer_sklearn.py draws it.
struct Data {
    /// One of ten classes.
    truth: Vec<i64>,
    /// Nine of ten right.
    predicted: Vec<i64>,
    /// One of two classes.
    binary: Vec<i64>,
    /// Of two classes, or row-major of ten.
    scores: Vec<f64>,
    weights: Vec<f64>,
}

impl Data {
    fn new(rows: usize, task: Task) -> Data {
        let mut rng = Rng::seed_from(0);
        let truth: Vec<i64> = (0..rows).map(|_| rng.below(CLASSES) as i64).collect();
        let predicted = truth
            .iter()
            .map(|&class| {
                if rng.uniform() < 0.9 {
                    class
                } else {
                    rng.below(CLASSES) as i64
                }
            })
            .collect();
        let binary: Vec<i64> = (0..rows).map(|_| rng.below(2) as i64).collect();
        let scores = if task == Task::RocAucOvr {
            (0..rows * CLASSES).map(|_| rng.uniform()).collect()
        } else {
            binary
                .iter()
                .map(|&label| rng.uniform() + 0.3 * label as f64)
                .collect()
        };
        Data {
            truth,
            predicted,
            binary,
            scores,
            weights: (0..rows).map(|_| rng.uniform()).collect(),
        }
    }

    fn compute(&self, task: Task) -> anyhow::Result<()> {
        let shares = Shares {
            train: 0.8,
            validation: 0.0,
            test: 0.2,
        };
        match task {
            Task::PrecisionRecallF1 => {
                let matrix = ConfusionMatrix::from_labels(&self.truth, &self.predicted, CLASSES)?;
                black_box(macro_averages(&matrix.class_counts()));
            }
            Task::WeightedPrecisionRecallF1 => {
                let (truth, predicted) = (&self.truth, &self.predicted);
                let matrix = WeightedConfusionMatrix::from_labels(truth, predicted, CLASSES, &self.weights)?;
                black_box(macro_averages(&matrix.class_counts()));
            }
            Task::RocAuc => {
                black_box(roc_auc(&self.binary, &self.scores, None)?);
            }
            Task::WeightedRocAuc => {
                black_box(roc_auc(&self.binary, &self.scores, Some(&self.weights))?);
            }
            Task::RocAucOvr => {
                let table = ScoreTable::of_classes(&self.truth, &self.scores, CLASSES, None)?;
                black_box(roc_auc_averaged(&table, ScoreAverage::Macro)?);
            }
            Task::Bootstrap => self.bootstrap()?,
            Task::Split => {
                black_box(shares.split_random(self.truth.len(), 0)?);
            }
            Task::StratifiedSplit => {
                black_box(shares.split_stratified(&self.truth, 0)?);
            }
            Task::StratifiedKFold => {
                let folds = StratifiedKFold {
                    folds: 5,
                    seed: Some(0),
                }
                .split(&self.truth)?;
                for fold in folds.iter() {
                    black_box(fold);
                }
            }
        }
        Ok(())
    }

    fn bootstrap(&self) -> anyhow::Result<()> {
        let matrix = ConfusionMatrix::from_labels(&self.truth, &self.predicted, CLASSES)?;
        let found = intervals(&matrix, &BootstrapOptions::default(), 2, |counts, out| {
            out[0] = accuracy(counts);
            out[1] = f1(counts, Average::Macro, LabelSet::Known);
        })?;
        black_box(found);
        Ok(())
    }
}

fn macro_averages(counts: &impl Counts) -> [f64; 3] {
    [
        precision(counts, Average::Macro, LabelSet::Known),
        recall(counts, Average::Macro, LabelSet::Known),
        f1(counts, Average::Macro, LabelSet::Known),
    ]
}
