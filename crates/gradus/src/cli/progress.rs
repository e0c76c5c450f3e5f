//! A run as a person watches it: a bar on a terminal, plain lines elsewhere. Both go to standard error.

use std::time::{Duration, Instant};

use gradus_data::text::TokenizeProgress;
use gradus_train::training::{
    Cost, EvaluationRecord, Event, Metric, Observer, Plan, SampleUnit, StepReport, StopReason,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::{bytes, grouped, say};

/// Steps between two looks at the clock: at 10,000 steps a second, one look costs a thousandth of them.
const STEPS_PER_LOOK: u64 = 16;

/// How often the numbers change on a terminal: often enough to look alive, rarely enough to be read.
const REDRAW: Duration = Duration::from_millis(100);

/// The bar of a training, which counts steps.
const TRAINING: &str = "{bar:28.cyan/dim} {pos}/{len}  {msg}  {eta} left";

/// The bar of text that is made into tokens.
const READING: &str = "{bar:28.cyan/dim} {bytes}/{total_bytes}  {msg}  {eta} left";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("bug: the progress template is valid")
        .progress_chars("━━─")
}

/// Draws a training run.
pub(crate) struct Progress {
    bar: ProgressBar,
    is_terminal: bool,
    last_draw: Instant,
    /// Samples seen since the last drawing.
    samples: u64,
    /// Samples seen since the last evaluation, and the seconds that learning from them took.
    trained: (u64, f64),
    /// When the last step or evaluation ended.
    mark: Instant,
    unit: SampleUnit,
    cost: Option<Cost>,
    metric: String,
    started: Instant,
}

impl Progress {
    /// A bar on standard error when that is a terminal.
    pub(crate) fn new() -> Progress {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(style(TRAINING));
        let is_terminal = !bar.is_hidden();
        let now = Instant::now();
        Progress {
            bar,
            is_terminal,
            last_draw: now,
            samples: 0,
            trained: (0, 0.0),
            mark: now,
            cost: None,
            unit: SampleUnit::Sample,
            metric: String::new(),
            started: now,
        }
    }

    fn say(&self, line: &str) {
        if self.is_terminal {
            self.bar.println(line);
        } else {
            say(format_args!("{line}"));
        }
    }

    fn start(&mut self, plan: &Plan) {
        self.bar.set_style(style(TRAINING));
        let (train, held_out) = (
            grouped(plan.train_samples as u64),
            grouped(plan.validation_samples as u64),
        );
        let trained = match plan.trained_parameters == plan.parameters {
            true => String::new(),
            false => format!(" of {}", grouped(plan.parameters as u64)),
        };
        self.say(&format!(
            "training {}{trained} parameters on {train} {} ({held_out} held out), {} steps of {}",
            grouped(plan.trained_parameters as u64),
            plan.unit.plural(),
            grouped(plan.total_steps),
            grouped(plan.batch_size as u64 * plan.accumulate),
        ));
        self.say_costs(plan);
        if let Some(step) = plan.resumed_at {
            self.say(&format!("resuming after step {}", grouped(step)));
            self.bar.set_position(step);
        }
        self.unit = plan.unit;
        self.cost = plan.cost;
        self.bar.set_length(plan.total_steps);
        self.bar.reset_eta();
        self.last_draw = Instant::now();
        self.started = Instant::now();
        self.mark = Instant::now();
    }

    /// What a run takes, where that is known before it starts.
    fn say_costs(&self, plan: &Plan) {
        if let Some(memory) = &plan.memory {
            self.say(&format!(
                "memory about {}: weights {}, gradients {}, optimiser {}, activations {}, other {}",
                bytes(memory.total()),
                bytes(memory.weights),
                bytes(memory.gradients),
                bytes(memory.optimizer),
                bytes(memory.activations),
                bytes(memory.other)
            ));
        }
        if let Some(cost) = plan.cost {
            let singular = plan.unit.plural().trim_end_matches('s');
            self.say(&format!(
                "a {singular} costs {:.1} MFLOP (6 per weight in a product, and attention); this machine's products were \
                 measured at {:.0} GFLOP/s",
                cost.flops_per_sample / 1e6,
                cost.peak_flops / 1e9
            ));
        }
    }

    /// `12,345 tokens/s  MFU 41 %`.
    fn rate(&self, samples: u64, seconds: f64) -> String {
        let rate = samples as f64 / seconds.max(f64::MIN_POSITIVE);
        let share = self.cost.map_or_else(String::new, |cost| {
            format!(
                "  MFU {:.0} %",
                100.0 * rate * cost.flops_per_sample / cost.peak_flops
            )
        });
        format!("{} {}/s{share}", grouped(rate as u64), self.unit.plural())
    }

    fn tokenizing(&mut self, part: &str, progress: TokenizeProgress) {
        if !self.is_terminal {
            return;
        }
        self.bar.set_style(style(READING));
        self.bar.set_length(progress.bytes_total);
        self.bar.set_position(progress.bytes_done);
        self.bar
            .set_message(format!("{part}: {} tokens", grouped(progress.tokens)));
    }

    fn step(&mut self, report: &StepReport) {
        self.samples += report.samples;
        if self.cost.is_some() {
            let now = Instant::now();
            let (samples, seconds) = &mut self.trained;
            *samples += report.samples;
            *seconds += (now - self.mark).as_secs_f64();
            self.mark = now;
        }
        if !self.is_terminal || !report.step.is_multiple_of(STEPS_PER_LOOK) {
            return;
        }
        let since = self.last_draw.elapsed();
        if since < REDRAW {
            return;
        }
        let rate = self.rate(self.samples, since.as_secs_f64());
        self.bar.set_position(report.step);
        self.bar.set_message(format!(
            "epoch {}  loss {:.4}{}  lr {:.2e}  {rate}",
            report.epoch, report.loss, self.metric, report.learning_rate
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
        let (samples, seconds) = std::mem::take(&mut self.trained);
        if samples > 0 {
            line.push_str(&format!("  {}", self.rate(samples, seconds)));
        }
        line.push_str(&format!("  {:.1} s", self.started.elapsed().as_secs_f64()));
        self.say(&line);
        for row in record.sample.iter().flat_map(|sample| sample.lines()) {
            self.say(&format!("    {row}"));
        }
        self.mark = Instant::now();
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
            Event::Tokenizing { part, progress } => self.tokenizing(part, *progress),
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
