//! A run as a person watches it: a bar on a terminal, plain lines elsewhere. Both go to standard error.

use std::time::{Duration, Instant};

use gradus_train::training::{
    EvaluationRecord, Event, Metric, Observer, Plan, SampleUnit, StepReport, StopReason,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::grouped;

/// Steps between two looks at the clock: at 10,000 steps a second, one look costs a thousandth of them.
const STEPS_PER_LOOK: u64 = 16;

/// How often the numbers change on a terminal: often enough to look alive, rarely enough to be read.
const REDRAW: Duration = Duration::from_millis(100);

/// Draws a training run.
pub(crate) struct Progress {
    bar: ProgressBar,
    is_terminal: bool,
    last_draw: Instant,
    /// Samples seen since the last drawing.
    samples: u64,
    unit: SampleUnit,
    metric: String,
    started: Instant,
}

impl Progress {
    /// A bar on standard error when that is a terminal.
    pub(crate) fn new() -> Progress {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:28.cyan/dim} {pos}/{len}  {msg}  {eta} left")
            .expect("bug: the progress template is valid")
            .progress_chars("━━─");
        bar.set_style(style);
        let is_terminal = !bar.is_hidden();
        let now = Instant::now();
        Progress {
            bar,
            is_terminal,
            last_draw: now,
            samples: 0,
            unit: SampleUnit::Sample,
            metric: String::new(),
            started: now,
        }
    }

    fn say(&self, line: &str) {
        if self.is_terminal {
            self.bar.println(line);
        } else {
            eprintln!("{line}");
        }
    }

    fn start(&mut self, plan: &Plan) {
        let (train, held_out) = (
            grouped(plan.train_samples as u64),
            grouped(plan.validation_samples as u64),
        );
        self.say(&format!(
            "training {} parameters on {train} {} ({held_out} held out), {} steps of {}",
            grouped(plan.parameters as u64),
            plan.unit.plural(),
            grouped(plan.total_steps),
            plan.batch_size
        ));
        if let Some(step) = plan.resumed_at {
            self.say(&format!("resuming after step {}", grouped(step)));
            self.bar.set_position(step);
        }
        self.unit = plan.unit;
        self.bar.set_length(plan.total_steps);
        self.bar.reset_eta();
        self.last_draw = Instant::now();
        self.started = Instant::now();
    }

    fn step(&mut self, report: &StepReport) {
        self.samples += report.samples;
        if !self.is_terminal || !report.step.is_multiple_of(STEPS_PER_LOOK) {
            return;
        }
        let since = self.last_draw.elapsed();
        if since < REDRAW {
            return;
        }
        let rate = self.samples as f64 / since.as_secs_f64();
        self.bar.set_position(report.step);
        self.bar.set_message(format!(
            "epoch {}  loss {:.4}{}  lr {:.2e}  {} {}/s",
            report.epoch,
            report.loss,
            self.metric,
            report.learning_rate,
            grouped(rate as u64),
            self.unit.plural()
        ));
        (self.last_draw, self.samples) = (Instant::now(), 0);
    }

    fn evaluated(&mut self, record: &EvaluationRecord) {
        let mut line = format!(
            "epoch {:>3}  step {:>7}  train loss {:.4}",
            record.epoch, record.step, record.train_loss
        );
        for Metric { name, value } in &record.validation {
            match *name {
                "loss" => line.push_str(&format!("  validation loss {value:.4}")),
                other => line.push_str(&format!("  {} {value:.4}", other.replace('_', " "))),
            }
        }
        // The last figure is the one people know best.
        if let [.., _, Metric { name, value }] = record.validation[..] {
            self.metric = format!("  {} {value:.4}", name.replace('_', " "));
        }
        if record.is_best {
            line.push_str("  best");
        }
        line.push_str(&format!("  {:.1} s", self.started.elapsed().as_secs_f64()));
        self.say(&line);
    }

    fn stopped(&mut self, reason: StopReason, step: u64) {
        self.bar.finish_and_clear();
        if reason != StopReason::Completed {
            self.say(&format!(
                "stopped after step {}: {}",
                grouped(step),
                reason.describe()
            ));
        }
    }
}

impl Observer for Progress {
    fn on_event(&mut self, event: &Event<'_>) {
        match event {
            Event::Started(plan) => self.start(plan),
            Event::Step(report) => self.step(report),
            Event::Evaluated(record) => self.evaluated(record),
            Event::Stopped { reason, step } => self.stopped(*reason, *step),
            // Files speak for themselves at the end.
            Event::Checkpointed { .. } | Event::Packaged { .. } => {}
            // New kinds of event are for observers that know them.
            _ => {}
        }
    }
}
