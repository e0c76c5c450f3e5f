//! One training of a search, and all that is known of it.

use super::space::Space;
use gradus_train::exact::ExactF64;
use gradus_train::monitor::Direction;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// One training with settings of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Counted from 0, in the order in which trials were begun.
    pub number: u64,
    /// A number for each parameter of the space: the setting, or the place of the choice.
    pub point: Vec<f64>,
    /// How far it is.
    pub state: State,
    /// What was measured between its steps, in order.
    pub measurements: Vec<Measurement>,
    /// What it had at each rung of successive halving that it reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rungs: Vec<ExactF64>,
    /// Processes that have worked on it: more than one where one was killed.
    pub attempts: u64,
    /// Optimiser steps taken.
    pub steps: u64,
    /// Seconds it took in the process that ended it.
    pub seconds: f64,
}

/// How far a trial is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is trained, or waits to be: its process was stopped.
    Running,
    /// It is trained to its end.
    Complete {
        /// The metric of the weights it ends with.
        value: ExactF64,
    },
    /// It was stopped because others did better.
    Pruned,
    /// It could not be trained to its end.
    Failed {
        /// Why.
        reason: String,
    },
}

/// The metric at one moment of a training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Which measurement of its training, counted from 1.
    pub index: u64,
    /// Optimiser steps taken.
    pub step: u64,
    /// The metric.
    pub value: ExactF64,
    /// Whether the recipe's monitored metric was the best so far.
    pub is_best: bool,
}

impl Trial {
    /// A trial that begins.
    pub fn new(number: u64, point: Vec<f64>) -> Trial {
        Trial {
            number,
            point,
            state: State::Running,
            measurements: Vec::new(),
            rungs: Vec::new(),
            attempts: 0,
            steps: 0,
            seconds: 0.0,
        }
    }

    /// Whether nothing more will happen to it.
    pub fn is_finished(&self) -> bool {
        self.state != State::Running
    }

    /// The metric of a trial that was trained to its end.
    pub fn value(&self) -> Option<f64> {
        match self.state {
            State::Complete { value } => Some(value.0),
            State::Running | State::Pruned | State::Failed { .. } => None,
        }
    }

    /// The last measurement's place and value.
    pub fn last(&self) -> Option<(u64, f64)> {
        let last = self.measurements.last()?;
        Some((last.index, last.value.0))
    }

    /// The measurement at a place.
    pub fn at(&self, index: u64) -> Option<f64> {
        let found = self
            .measurements
            .iter()
            .find(|measurement| measurement.index == index);
        found.map(|measurement| measurement.value.0)
    }
}

/// What is known when a setting is chosen or a trial is judged.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// What varies.
    pub space: &'a Space,
    /// Which way the metric improves.
    pub direction: Direction,
    /// Seeds everything that is drawn.
    pub seed: u64,
    /// All trials, by their numbers.
    pub trials: &'a [Trial],
}

impl<'a> History<'a> {
    /// Trials that were trained to their end.
    pub fn complete(&self) -> impl Iterator<Item = &'a Trial> + use<'a> {
        self.trials.iter().filter(|trial| trial.value().is_some())
    }

    /// Trials that nothing more will happen to.
    pub fn finished(&self) -> impl Iterator<Item = &'a Trial> + use<'a> {
        self.trials.iter().filter(|trial| trial.is_finished())
    }

    /// The best trial, the earliest of equals.
    pub fn best(&self) -> Option<&'a Trial> {
        let mut complete = self
            .complete()
            .filter(|trial| trial.value().is_some_and(|v| !v.is_nan()));
        let first = complete.next()?;
        Some(complete.fold(first, |best, trial| {
            let [old, new] =
                [best, trial].map(|trial| loss(self.direction, trial.value().unwrap_or(f64::NAN)));
            if new < old { trial } else { best }
        }))
    }

    /// Finished trials before worse ones: complete ones by their value, then pruned ones by how far they came and how
    /// good they were there, then failed ones. Equals stay in the order of their numbers.
    pub fn order(&self, a: &Trial, b: &Trial) -> Ordering {
        self.rank(a).partial_cmp(&self.rank(b)).unwrap_or(Ordering::Equal)
    }

    fn rank(&self, trial: &Trial) -> (u8, f64, f64) {
        match &trial.state {
            State::Complete { value } => (0, loss(self.direction, value.0), 0.0),
            State::Pruned => match trial.last() {
                Some((index, value)) => (1, -(index as f64), loss(self.direction, value)),
                None => (1, 1.0, 0.0),
            },
            State::Failed { .. } => (2, 0.0, 0.0),
            State::Running => (3, 0.0, 0.0),
        }
    }
}

/// The metric as something to make small; what is no number is the largest.
pub(crate) fn loss(direction: Direction, value: f64) -> f64 {
    match direction {
        _ if value.is_nan() => f64::INFINITY,
        Direction::Minimize => value,
        Direction::Maximize => -value,
    }
}
