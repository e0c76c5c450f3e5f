//! What a run writes down: `metrics.jsonl` for programs and reports, TensorBoard events for curves.

use super::observer::{EvaluationRecord, Plan, StepReport};
use super::progress::LogPositions;
use crate::Result;
use gradus_package::RunDir;
use gradus_package::run::{EventLog, LogStart, MetricsLog};
use serde::Serialize;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The two logs of a run. Only TensorBoard's events carry the time of day, so `metrics.jsonl` is the same bytes however
/// often a run is interrupted.
pub(crate) struct RunLog {
    metrics: MetricsLog,
    events: EventLog,
    pace: Pace,
    /// Steps between lines.
    pub interval: u64,
}

/// A line of `metrics.jsonl` between evaluations.
#[derive(Serialize)]
struct StepLine {
    step: u64,
    epoch: u64,
    loss: f64,
    learning_rate: f64,
}

impl RunLog {
    /// Opens the logs, cut back to `positions`; without, empty ones.
    pub fn open(run: &RunDir, plan: &Plan, interval: u64, positions: Option<LogPositions>) -> Result<RunLog> {
        let rate = format!("train/{}_per_s", plan.unit.plural());
        let start = |position: fn(LogPositions) -> u64| {
            positions.map_or(LogStart::Fresh, |positions| LogStart::AtByte(position(positions)))
        };
        let metrics = run.metrics_log(start(|positions| positions.metrics))?;
        let events = run.event_log(start(|positions| positions.events))?;
        Ok(RunLog {
            metrics,
            events,
            pace: Pace::new(rate),
            interval,
        })
    }

    /// Writes down the mean loss of the steps since the last line.
    pub fn step(&mut self, report: &StepReport) -> Result<()> {
        let StepReport {
            step,
            epoch,
            loss,
            learning_rate,
            ..
        } = *report;
        self.metrics.append(&StepLine {
            step,
            epoch,
            loss,
            learning_rate,
        })?;
        let rate = self.pace.take();
        let values = [
            ("train/loss", loss as f32),
            ("train/learning_rate", learning_rate as f32),
            (&self.pace.name, rate as f32),
        ];
        Ok(self.events.scalars(step, now(), &values)?)
    }

    /// Counts samples towards the pace of the next line.
    pub fn count(&mut self, samples: u64) {
        self.pace.samples += samples;
    }

    /// Writes down an evaluation.
    pub fn evaluation(&mut self, record: &EvaluationRecord) -> Result<()> {
        self.metrics.append(record)?;
        let named = |name: &str, value: f64| (format!("epoch/{name}"), value as f32);
        let validation = record
            .validation
            .iter()
            .map(|metric| named(&format!("validation_{}", metric.name), metric.value));
        let values: Vec<(String, f32)> = [named("train_loss", record.train_loss)]
            .into_iter()
            .chain(validation)
            .collect();
        let values: Vec<(&str, f32)> = values
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
            .collect();
        Ok(self.events.scalars(record.step, now(), &values)?)
    }

    /// Leaves out of the pace what was no training.
    pub fn pause(&mut self, time: Duration) {
        self.pace.since += time;
    }

    /// The logs' lengths.
    pub fn positions(&self) -> LogPositions {
        LogPositions {
            metrics: self.metrics.position(),
            events: self.events.position(),
        }
    }

    /// Returns once all lines will survive a power cut, as they must before a checkpoint counts on them.
    pub fn sync(&self) -> Result<()> {
        self.metrics.sync()?;
        Ok(self.events.sync()?)
    }
}

/// How fast samples go by, for TensorBoard alone. Time that evaluations take is not the training's.
struct Pace {
    name: String,
    samples: u64,
    since: Instant,
}

impl Pace {
    fn new(name: String) -> Pace {
        Pace {
            name,
            samples: 0,
            since: Instant::now(),
        }
    }

    /// Samples a second since the last call.
    fn take(&mut self) -> f64 {
        let seconds = self.since.elapsed().as_secs_f64();
        self.since = Instant::now();
        std::mem::take(&mut self.samples) as f64 / seconds.max(f64::MIN_POSITIVE)
    }
}

/// Seconds since 1970; 0 on a clock that runs before it.
fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}
