//! What a metric refuses.

use thiserror::Error;

/// Input that no metric has an answer for.
#[derive(Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum MetricError {
    /// A number is NaN or infinite.
    #[error("{what}[{index}] is {value}, expected a finite number")]
    NotFinite {
        /// Which input holds the number.
        what: &'static str,
        /// Position of the first offending number.
        index: usize,
        /// The number found.
        value: f64,
    },

    /// A weight is negative, NaN or infinite.
    #[error("weights[{index}] is {value}, expected a finite number that is not negative")]
    Weight {
        /// Position of the first offending weight.
        index: usize,
        /// The weight found.
        value: f64,
    },

    /// No sample counts.
    #[error("all weights are 0; a metric needs at least one sample that counts")]
    NoWeight,

    /// The definition divides by nothing on these samples.
    #[error("{metric} is not defined when {reason}")]
    Undefined {
        /// The metric.
        metric: &'static str,
        /// What the samples lack.
        reason: &'static str,
    },

    /// A parameter is outside its range.
    #[error("{metric}: {name} is {value}, expected {expected}")]
    Parameter {
        /// The metric.
        metric: &'static str,
        /// The parameter.
        name: &'static str,
        /// The value given.
        value: f64,
        /// The values allowed.
        expected: &'static str,
    },

    /// A label's flag is neither 0 nor 1.
    #[error("{what}[{index}] is {value}, expected 0 or 1")]
    Flag {
        /// Which input holds the flag.
        what: &'static str,
        /// Position of the first offending flag.
        index: usize,
        /// The flag found.
        value: u8,
    },

    /// No metric is called so.
    #[error("no metric is called `{name}`; there are {known}")]
    UnknownName {
        /// The name given.
        name: String,
        /// The names there are.
        known: String,
    },

    /// A task has no such metric.
    #[error("the metric `{metric}` is not one of {task}, which has {known}")]
    NotOfTask {
        /// The metric.
        metric: String,
        /// The task.
        task: &'static str,
        /// The names that the task has.
        known: String,
    },
}
