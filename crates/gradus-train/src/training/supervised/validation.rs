//! Loss and metrics on held-out samples, between epochs.

use super::super::metrics::Metric;
use super::super::progress::Mean;
use super::goal::Goal;
use crate::Result;
use crate::monitor::Monitor;
use gradus_data::{Loader, TargetScale};
use gradus_nn::Layer;
use gradus_tensor::{Tensor, no_grad};

/// Measures `model` on all samples of `loader`, in evaluation mode and without recording gradients: the goal's
/// monitors.
pub(super) fn validate(model: &dyn Layer, goal: &Goal, loader: &Loader) -> Result<Vec<Metric>> {
    let _no_grad = no_grad();
    model.eval();
    let result = measure(model, goal, loader);
    model.train();
    result
}

fn measure(model: &dyn Layer, goal: &Goal, loader: &Loader) -> Result<Vec<Metric>> {
    let mut loss = Mean::default();
    let mut tally = Tally::new(goal, loader.dataset().num_classes());
    for batch in loader.epoch(0, 0) {
        let batch = batch?;
        let outputs = model.forward(&batch.inputs)?;
        let rows = batch.len() as u64;
        let batch_loss = goal.plain_loss(&outputs, &batch.targets)?;
        loss.add(f64::from(batch_loss.item::<f32>()?), rows);
        tally.add(&outputs, &batch.targets)?;
    }
    let values = [vec![loss.value()], tally.metrics(goal)].concat();
    let metric = |(monitor, value): (&Monitor, f64)| Metric {
        name: monitor.name(),
        value,
    };
    Ok(goal.monitors().iter().zip(values).map(metric).collect())
}

/// What the metrics of an evaluation are made of, gathered batch by batch.
enum Tally {
    Classes {
        correct: u64,
        rows: u64,
    },
    Values(Vec<Errors>),
    Labels {
        labels: Vec<Hits>,
        exact: u64,
        rows: u64,
    },
}

/// Sums over one output, standardised.
#[derive(Clone, Copy, Default)]
struct Errors {
    rows: f64,
    squares: f64,
    absolute: f64,
    truth: f64,
    truth_squares: f64,
}

/// Counts of one label: where it applies and is predicted, where it applies, where it is predicted.
#[derive(Clone, Copy, Default)]
struct Hits {
    both: u64,
    truth: u64,
    predicted: u64,
}

impl Tally {
    fn new(goal: &Goal, outputs: usize) -> Tally {
        match goal {
            Goal::Classes { .. } => Tally::Classes { correct: 0, rows: 0 },
            Goal::Values { .. } => Tally::Values(vec![Errors::default(); outputs]),
            Goal::Labels { .. } => Tally::Labels {
                labels: vec![Hits::default(); outputs],
                exact: 0,
                rows: 0,
            },
        }
    }

    fn add(&mut self, outputs: &Tensor, targets: &Tensor) -> Result<()> {
        match self {
            Tally::Classes { correct, rows } => {
                *correct += count_correct(outputs, targets)? as u64;
                *rows += targets.numel() as u64;
            }
            Tally::Values(errors) => {
                let (outputs, targets) = (outputs.to_vec::<f32>()?, targets.to_vec::<f32>()?);
                let width = errors.len();
                for (at, (&output, &target)) in outputs.iter().zip(&targets).enumerate() {
                    errors[at % width].add(f64::from(output), f64::from(target));
                }
            }
            Tally::Labels { labels, exact, rows } => {
                let (logits, targets) = (outputs.to_vec::<f32>()?, targets.to_vec::<f32>()?);
                let width = labels.len();
                for (logits, targets) in logits.chunks_exact(width).zip(targets.chunks_exact(width)) {
                    *rows += 1;
                    *exact += u64::from(add_row(labels, logits, targets));
                }
            }
        }
        Ok(())
    }

    /// The metrics after the loss, in the order of the goal's monitors.
    fn metrics(&self, goal: &Goal) -> Vec<f64> {
        match self {
            Tally::Classes { correct, rows } => vec![*correct as f64 / *rows as f64],
            Tally::Values(errors) => {
                let scales: &[TargetScale] = match goal {
                    Goal::Values { scales, .. } => scales,
                    Goal::Classes { .. } | Goal::Labels { .. } => &[],
                };
                let mean = |figure: fn(&Errors, f64) -> f64| {
                    let of = |(errors, scale): (&Errors, &TargetScale)| figure(errors, scale.std);
                    errors.iter().zip(scales).map(of).sum::<f64>() / errors.len() as f64
                };
                vec![mean(Errors::rmse), mean(Errors::mae), mean(Errors::r2)]
            }
            Tally::Labels { labels, exact, rows } => {
                let all = labels.iter().fold(Hits::default(), |all, hits| Hits {
                    both: all.both + hits.both,
                    truth: all.truth + hits.truth,
                    predicted: all.predicted + hits.predicted,
                });
                let macro_f1 = labels.iter().map(Hits::f1).sum::<f64>() / labels.len() as f64;
                vec![all.f1(), macro_f1, *exact as f64 / *rows as f64]
            }
        }
    }
}

/// Counts a sample; whether all its labels are right.
fn add_row(labels: &mut [Hits], logits: &[f32], targets: &[f32]) -> bool {
    let mut is_right = true;
    for ((hits, &logit), &target) in labels.iter_mut().zip(logits).zip(targets) {
        let (truth, predicted) = (target > 0.5, logit >= 0.0);
        hits.both += u64::from(truth && predicted);
        hits.truth += u64::from(truth);
        hits.predicted += u64::from(predicted);
        is_right &= truth == predicted;
    }
    is_right
}

impl Errors {
    fn add(&mut self, output: f64, target: f64) {
        let error = target - output;
        self.rows += 1.0;
        self.squares += error * error;
        self.absolute += error.abs();
        self.truth += target;
        self.truth_squares += target * target;
    }

    fn rmse(&self, std: f64) -> f64 {
        (self.squares / self.rows).sqrt() * std
    }

    fn mae(&self, std: f64) -> f64 {
        self.absolute / self.rows * std
    }

    /// The targets are standardised, so the difference of sums keeps its digits. Where they never change, a model that
    /// errs scores 0 and one that does not 1, as scikit-learn has it.
    fn r2(&self, _std: f64) -> f64 {
        let spread = self.truth_squares - self.truth * self.truth / self.rows;
        match (spread > 0.0, self.squares == 0.0) {
            (true, _) => 1.0 - self.squares / spread,
            (false, true) => 1.0,
            (false, false) => 0.0,
        }
    }
}

impl Hits {
    fn f1(&self) -> f64 {
        match self.truth + self.predicted {
            0 => 0.0,
            whole => 2.0 * self.both as f64 / whole as f64,
        }
    }
}

/// How many rows of `logits` (`[rows, classes]`) have their largest value at the target.
pub(crate) fn count_correct(logits: &Tensor, targets: &Tensor) -> Result<usize> {
    let chosen = logits.argmax(1)?.to_vec::<i64>()?;
    let targets = targets.to_vec::<i64>()?;
    Ok(chosen
        .iter()
        .zip(&targets)
        .filter(|(chosen, target)| chosen == target)
        .count())
}
