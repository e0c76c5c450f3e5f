//! The recipe's `[schedule]` and the schedule of one run made from it.

use super::{
    Constant, Cosine, CosineRestarts, Exponential, Linear, Moment, MultiStep, OneCycle, PlateauState,
    Polynomial, ReduceOnPlateau, StepDecay, Warmup,
};
use crate::{Result, monitor::Direction, settings::Checks};
use serde::{Deserialize, Serialize};

/// In what a schedule's lengths are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Epochs: passes over the training set. Fractions are allowed.
    #[default]
    Epoch,
    /// Optimiser steps.
    Step,
}

/// Which schedule, with its own settings; `name` in a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Never changes.
    Constant(Constant),
    /// A staircase with stairs of one length.
    Step(StepDecay),
    /// A staircase with given milestones.
    MultiStep(MultiStep),
    /// A factor per unit of time.
    Exponential(Exponential),
    /// A straight line.
    Linear(Linear),
    /// A power of the share of the run left.
    Polynomial(Polynomial),
    /// Half a cosine.
    Cosine(Cosine),
    /// Cosine waves that restart at the top.
    CosineRestarts(CosineRestarts),
    /// One rise and one fall.
    OneCycle(OneCycle),
    /// Falls when the monitored metric stops improving.
    ReduceOnPlateau(ReduceOnPlateau),
}

/// The recipe's `[schedule]`: a schedule, its unit and the warm-up in front of it.
///
/// ```
/// use gradus_train::schedules::{RunLength, Schedule, ScheduleConfig};
/// let config: ScheduleConfig = toml::from_str("name = 'cosine'\nwarmup_steps = 10").unwrap();
/// let schedule = Schedule::new(config, 0.1, RunLength { steps_per_epoch: 30, total_steps: 90 }).unwrap();
/// assert_eq!(schedule.learning_rate(10), 0.1);
/// assert_eq!(schedule.learning_rate(50), 0.05);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScheduleConfig {
    /// In what the schedule's lengths are counted. Default `epoch`.
    #[serde(default)]
    pub unit: Unit,
    /// Warm-up in steps, at most half of the run. Default 0. Give this or `warmup_epochs`.
    #[serde(default)]
    pub warmup_steps: u64,
    /// Warm-up in epochs, fractions allowed, rounded to steps. Default 0.
    #[serde(default)]
    pub warmup_epochs: f64,
    /// Share of the learning rate at the first step of warm-up, from 0 to below 1. Default 0.01.
    #[serde(default = "default_start_factor")]
    pub warmup_start_factor: f64,
    /// Which schedule, with its own settings.
    #[serde(flatten)]
    pub kind: ScheduleKind,
}

fn default_start_factor() -> f64 {
    0.01
}

impl Default for ScheduleConfig {
    fn default() -> ScheduleConfig {
        ScheduleConfig::from(ScheduleKind::Constant(Constant::default()))
    }
}

impl From<ScheduleKind> for ScheduleConfig {
    /// The schedule without warm-up, lengths in epochs.
    fn from(kind: ScheduleKind) -> ScheduleConfig {
        ScheduleConfig {
            unit: Unit::default(),
            warmup_steps: 0,
            warmup_epochs: 0.0,
            warmup_start_factor: default_start_factor(),
            kind,
        }
    }
}

impl ScheduleConfig {
    /// Keys of `[schedule]` that every schedule takes.
    pub(crate) const SHARED_KEYS: [&str; 5] = [
        "name",
        "unit",
        "warmup_steps",
        "warmup_epochs",
        "warmup_start_factor",
    ];

    /// Collects what is wrong with the settings.
    pub(crate) fn check(&self, checks: &mut Checks) {
        checks.not_negative("warmup_epochs", self.warmup_epochs);
        checks.below_one("warmup_start_factor", self.warmup_start_factor);
        let both = self.warmup_steps > 0 && self.warmup_epochs > 0.0;
        checks.require(
            !both,
            "warmup_steps",
            self.warmup_steps,
            "0 when `warmup_epochs` is given; keep one of them",
        );
        self.kind.check(checks);
    }

    fn warmup(&self, length: RunLength) -> Warmup {
        let from_epochs = (self.warmup_epochs * length.steps_per_epoch as f64).round() as u64;
        Warmup {
            // A run shorter than its warm-up would never reach its rate.
            steps: self.warmup_steps.max(from_epochs).min(length.total_steps / 2),
            start_factor: self.warmup_start_factor,
        }
    }
}

impl ScheduleKind {
    fn check(&self, checks: &mut Checks) {
        match self {
            ScheduleKind::Constant(constant) => constant.check(checks),
            ScheduleKind::Step(StepDecay { step_size, gamma }) => {
                checks.positive("step_size", *step_size);
                checks.positive("gamma", *gamma);
            }
            ScheduleKind::MultiStep(MultiStep { milestones, gamma }) => {
                milestones
                    .iter()
                    .for_each(|&milestone| checks.not_negative("milestones", milestone));
                checks.positive("gamma", *gamma);
            }
            ScheduleKind::Exponential(Exponential { gamma }) => checks.positive("gamma", *gamma),
            ScheduleKind::Linear(Linear {
                start_factor,
                end_factor,
                total,
            }) => {
                checks.not_negative("start_factor", *start_factor);
                checks.not_negative("end_factor", *end_factor);
                check_total(checks, *total);
            }
            ScheduleKind::Polynomial(Polynomial { power, total }) => {
                checks.positive("power", *power);
                check_total(checks, *total);
            }
            ScheduleKind::Cosine(Cosine {
                min_learning_rate,
                total,
            }) => {
                checks.not_negative("min_learning_rate", *min_learning_rate);
                check_total(checks, *total);
            }
            ScheduleKind::CosineRestarts(restarts) => restarts.check(checks),
            ScheduleKind::OneCycle(cycle) => cycle.check(checks),
            ScheduleKind::ReduceOnPlateau(plateau) => plateau.check(checks),
        }
    }
}

fn check_total(checks: &mut Checks, total: Option<f64>) {
    if let Some(total) = total {
        checks.positive("total", total);
    }
}

/// How long a run is, which epochs as units and default lengths need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLength {
    /// Optimiser steps in an epoch, above 0.
    pub steps_per_epoch: u64,
    /// Optimiser steps in the whole run.
    pub total_steps: u64,
}

/// The learning rate of one run, step by step.
#[derive(Clone, Debug)]
pub struct Schedule {
    config: ScheduleConfig,
    warmup: Warmup,
    steps_per_unit: f64,
    end: f64,
    base: f64,
    plateau: PlateauState,
}

impl Schedule {
    /// The schedule of a run of the given length whose optimiser has the learning rate `base`.
    ///
    /// # Errors
    /// [`Error::InvalidSettings`](crate::Error::InvalidSettings) names every setting out of its range.
    pub fn new(config: ScheduleConfig, base: f64, length: RunLength) -> Result<Schedule> {
        let mut checks = Checks::of("schedule");
        config.check(&mut checks);
        checks.finish()?;
        let warmup = config.warmup(length);
        let steps_per_unit = match config.unit {
            Unit::Epoch => length.steps_per_epoch.max(1) as f64,
            Unit::Step => 1.0,
        };
        let end = length.total_steps.saturating_sub(warmup.steps) as f64 / steps_per_unit;
        Ok(Schedule {
            config,
            warmup,
            steps_per_unit,
            end,
            base,
            plateau: PlateauState::new(base),
        })
    }

    /// The learning rate of optimiser step `step`, counted from 0.
    pub fn learning_rate(&self, step: u64) -> f64 {
        match self.warmup.factor(step) {
            Some(factor) => factor * self.main_rate(self.moment(self.warmup.steps)),
            None => self.main_rate(self.moment(step)),
        }
    }

    /// The momentum of optimiser step `step`, where the schedule has a say in it.
    pub fn momentum(&self, step: u64) -> Option<f64> {
        match &self.config.kind {
            ScheduleKind::OneCycle(cycle) => cycle.momentum(self.moment(step.max(self.warmup.steps))),
            ScheduleKind::Constant(_)
            | ScheduleKind::Step(_)
            | ScheduleKind::MultiStep(_)
            | ScheduleKind::Exponential(_)
            | ScheduleKind::Linear(_)
            | ScheduleKind::Polynomial(_)
            | ScheduleKind::Cosine(_)
            | ScheduleKind::CosineRestarts(_)
            | ScheduleKind::ReduceOnPlateau(_) => None,
        }
    }

    /// Takes the monitored metric of an evaluation; only `reduce_on_plateau` cares.
    pub fn observe(&mut self, value: f64, direction: Direction) {
        if let ScheduleKind::ReduceOnPlateau(plateau) = &self.config.kind {
            plateau.observe(&mut self.plateau, value, direction);
        }
    }

    /// What the schedule remembers besides the step number.
    pub fn state(&self) -> PlateauState {
        self.plateau
    }

    /// Restores what [`Schedule::state`] gave.
    pub fn load_state(&mut self, state: PlateauState) {
        self.plateau = state;
    }

    fn moment(&self, step: u64) -> Moment {
        let time = step.saturating_sub(self.warmup.steps) as f64 / self.steps_per_unit;
        Moment {
            time,
            end: self.end,
            tick: 1.0 / self.steps_per_unit,
        }
    }

    fn main_rate(&self, moment: Moment) -> f64 {
        match &self.config.kind {
            ScheduleKind::Constant(schedule) => schedule.rate(self.base, moment),
            ScheduleKind::Step(schedule) => schedule.rate(self.base, moment),
            ScheduleKind::MultiStep(schedule) => schedule.rate(self.base, moment),
            ScheduleKind::Exponential(schedule) => schedule.rate(self.base, moment),
            ScheduleKind::Linear(schedule) => schedule.rate(self.base, moment),
            ScheduleKind::Polynomial(schedule) => schedule.rate(self.base, moment),
            ScheduleKind::Cosine(schedule) => schedule.rate(self.base, moment),
            ScheduleKind::CosineRestarts(schedule) => schedule.rate(self.base, moment),
            ScheduleKind::OneCycle(schedule) => schedule.rate(self.base, moment),
            ScheduleKind::ReduceOnPlateau(_) => self.plateau.learning_rate(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: RunLength = RunLength {
        steps_per_epoch: 10,
        total_steps: 100,
    };

    fn schedule(text: &str) -> Schedule {
        Schedule::new(toml::from_str(text).unwrap(), 1.0, LENGTH).unwrap()
    }

    #[test]
    fn epochs_as_units_put_stairs_at_epoch_boundaries() {
        let stairs = schedule("name = 'step'\nstep_size = 3\ngamma = 0.5");
        assert_eq!(stairs.learning_rate(29), 1.0);
        assert_eq!(stairs.learning_rate(30), 0.5);
    }

    #[test]
    fn warmup_leads_to_the_start_of_the_schedule() {
        let cosine = schedule("name = 'cosine'\nwarmup_epochs = 2.0\nwarmup_start_factor = 0.5");
        assert_eq!(cosine.learning_rate(0), 0.5);
        assert_eq!(cosine.learning_rate(10), 0.75);
        assert_eq!(cosine.learning_rate(20), 1.0);
        assert!((cosine.learning_rate(60) - 0.5).abs() < 1e-12);
        assert!(cosine.learning_rate(100).abs() < 1e-12);
    }

    #[test]
    fn a_run_shorter_than_its_warmup_reaches_its_rate() {
        let cosine = schedule("name = 'cosine'\nwarmup_steps = 1000");
        assert_eq!(cosine.learning_rate(50), 1.0);
        assert!(cosine.learning_rate(75) > 0.4);
        let constant = schedule("name = 'constant'\nwarmup_steps = 1000");
        assert_eq!(constant.learning_rate(99), 1.0);
    }

    #[test]
    fn a_misspelt_key_is_refused() {
        let text = "name = 'step'\nstep_size = 3\ngama = 0.5";
        let error = toml::from_str::<ScheduleConfig>(text).unwrap_err().to_string();
        assert!(error.contains("gama") && error.contains("gamma"), "{error}");
    }

    #[test]
    fn config_survives_toml() {
        for text in [
            "name = 'one_cycle'\nrise = 0.2",
            "name = 'reduce_on_plateau'",
            "name = 'constant'",
        ] {
            let config: ScheduleConfig = toml::from_str(text).unwrap();
            let back: ScheduleConfig = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
            assert_eq!(config, back);
        }
    }

    #[test]
    fn every_bad_setting_is_named_at_once() {
        let config: ScheduleConfig =
            toml::from_str("name = 'step'\nstep_size = 0\ngamma = -1\nwarmup_epochs = -2").unwrap();
        let message = Schedule::new(config, 1.0, LENGTH).unwrap_err().to_string();
        for key in ["schedule.step_size", "schedule.gamma", "schedule.warmup_epochs"] {
            assert!(message.contains(key), "{message}");
        }
    }
}
