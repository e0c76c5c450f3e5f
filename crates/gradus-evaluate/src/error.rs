//! The one error type of this crate.

use thiserror::Error;

/// What can go wrong while scoring a model.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// There was nothing to score.
    #[error("{what} is empty; a metric needs at least one sample")]
    Empty {
        /// The input that was empty.
        what: &'static str,
    },

    /// Two inputs that must run in step have different lengths.
    #[error("{left_name} has {left} entries but {right_name} needs {right}")]
    LengthMismatch {
        /// Name of the input whose length is wrong.
        left_name: &'static str,
        /// Its length.
        left: usize,
        /// Name of what decides the length.
        right_name: &'static str,
        /// The length that was expected.
        right: usize,
    },

    /// A label is negative or not below the number of classes.
    #[error(
        "{what}[{index}] is {label}, outside 0..{num_classes}; check the label column or the class count"
    )]
    LabelOutOfRange {
        /// Which input holds the label.
        what: &'static str,
        /// Position of the first offending label.
        index: usize,
        /// The label found.
        label: i64,
        /// Number of known classes.
        num_classes: usize,
    },

    /// A number that must lie in a range does not (NaN never does).
    #[error("{what}[{index}] is {value}, expected a number in [{low}, {high}]")]
    NotInRange {
        /// Which input holds the number.
        what: &'static str,
        /// Position of the first offending number.
        index: usize,
        /// The number found.
        value: f64,
        /// Smallest number allowed.
        low: f64,
        /// Largest number allowed.
        high: f64,
    },

    /// The number of classes cannot make a table of counts.
    #[error("{num_classes} classes asked for; a confusion matrix takes 1 to {limit}")]
    ClassCount {
        /// The number asked for.
        num_classes: usize,
        /// The largest number accepted.
        limit: usize,
    },

    /// A bootstrap option is outside its range.
    #[error("bootstrap {option} is {value}, expected {expected}")]
    BootstrapOption {
        /// Name of the option.
        option: &'static str,
        /// The value given.
        value: f64,
        /// The values allowed.
        expected: &'static str,
    },
}

/// Result with this crate's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
