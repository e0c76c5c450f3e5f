//! What a run tells whoever watches it.

use super::metrics::{self, Metric};
use super::objective::Cost;
use super::stop::StopReason;
use crate::memory::MemoryEstimate;
use gradus_data::text::TokenizeProgress;
use serde::Serialize;
use std::path::Path;

/// Watches a run. The library never prints: a progress bar, a log or a dashboard is an observer.
pub trait Observer {
    /// Something happened. [`Event::Step`] comes after every optimiser step and must return in nanoseconds on average:
    /// look at the clock every so many steps, and draw rarely.
    fn on_event(&mut self, event: &Event<'_>);
}

/// Ignores everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn on_event(&mut self, _event: &Event<'_>) {}
}

impl<F: FnMut(&Event<'_>)> Observer for F {
    fn on_event(&mut self, event: &Event<'_>) {
        self(event);
    }
}

/// A moment of a run.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Text is being made into tokens, once.
    Tokenizing {
        /// Which part of the text: `train` or `validation`.
        part: &'static str,
        /// How far it has come.
        progress: TokenizeProgress,
    },
    /// Everything is loaded and checked; the first step follows.
    Started(&'a Plan),
    /// An optimiser step is done.
    Step(StepReport),
    /// The model was evaluated.
    Evaluated(&'a EvaluationRecord),
    /// A checkpoint is on the disk.
    Checkpointed {
        /// Optimiser steps taken.
        step: u64,
        /// The file.
        path: &'a Path,
    },
    /// Training has ended; the package is written next, unless the run was interrupted.
    Stopped {
        /// Why.
        reason: StopReason,
        /// Optimiser steps taken.
        step: u64,
    },
    /// The package is on the disk.
    Packaged {
        /// Its folder.
        path: &'a Path,
    },
}

/// What a run counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleUnit {
    /// Labelled samples.
    Sample,
    /// Tokens of text.
    Token,
    /// Tokens of answers: what stands around them is read and not learnt.
    AnswerToken,
}

impl SampleUnit {
    /// Several of them, for people.
    pub fn plural(self) -> &'static str {
        match self {
            SampleUnit::Sample => "samples",
            SampleUnit::Token => "tokens",
            SampleUnit::AnswerToken => "answer tokens",
        }
    }
}

/// What a run is about to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What the samples below are.
    pub unit: SampleUnit,
    /// Samples to train on.
    pub train_samples: usize,
    /// Samples held out to choose the best epoch.
    pub validation_samples: usize,
    /// Numbers the model is made of.
    pub parameters: usize,
    /// Those of them that are learnt.
    pub trained_parameters: usize,
    /// Samples in a full batch.
    pub batch_size: usize,
    /// Batches in an optimiser step.
    pub accumulate: u64,
    /// Passes over the training samples.
    pub epochs: u64,
    /// Optimiser steps in an epoch.
    pub steps_per_epoch: u64,
    /// Optimiser steps in the run, unless something stops it earlier.
    pub total_steps: u64,
    /// What the training takes, where that is known.
    pub memory: Option<MemoryEstimate>,
    /// What a sample costs and what the machine can do, where that is known.
    pub cost: Option<Cost>,
    /// Steps that an earlier process had taken, when this one resumes.
    pub resumed_at: Option<u64>,
}

/// One optimiser step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// Optimiser steps taken so far, this one included.
    pub step: u64,
    /// The epoch, counted from 1.
    pub epoch: u64,
    /// Mean loss of the step's samples, before the step.
    pub loss: f64,
    /// The learning rate used.
    pub learning_rate: f64,
    /// Samples seen in the step.
    pub samples: u64,
}

/// One evaluation during training; also a line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvaluationRecord {
    /// Optimiser steps taken.
    pub step: u64,
    /// The epoch, counted from 1.
    pub epoch: u64,
    /// Mean loss of the training samples since the last evaluation, or since the epoch began; each before its step.
    pub train_loss: f64,
    /// Figures of the held-out samples, written as `validation_loss`, `validation_accuracy`, …; none where no samples
    /// are held out.
    #[serde(flatten, serialize_with = "metrics::as_validation")]
    pub validation: Vec<Metric>,
    /// Whether the monitored metric is the best so far.
    pub is_best: bool,
    /// What the model makes by itself at this moment, where there is such a thing: a continued text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<String>,
}
