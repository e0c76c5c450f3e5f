//! Checks of numbers a person wrote: all problems are found before any is reported.

use crate::{Error, Result};
use std::fmt;

/// One setting that cannot be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Dotted key in the recipe, such as `schedule.gamma`.
    pub key: String,
    /// What was written.
    pub value: String,
    /// What is allowed, and what to do where that is not plain.
    pub expected: String,
}

impl Problem {
    /// The error for a recipe with this one problem.
    pub(crate) fn refuse<T>(key: &str, value: impl fmt::Display, expected: &str) -> Result<T> {
        let problem = Problem {
            key: key.to_owned(),
            value: value.to_string(),
            expected: expected.to_owned(),
        };
        Err(Error::InvalidSettings {
            problems: Problems(vec![problem]),
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is {}, expected {}", self.key, self.value, self.expected)
    }
}

/// Several problems on one line.
#[derive(Clone, Debug, PartialEq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index > 0 { "; " } else { "" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

/// Collects problems of one recipe section.
pub(crate) struct Checks {
    section: &'static str,
    problems: Vec<Problem>,
}

impl Checks {
    pub(crate) fn of(section: &'static str) -> Checks {
        Checks {
            section,
            problems: Vec::new(),
        }
    }

    /// `value` must be a finite number above 0.
    pub(crate) fn positive(&mut self, key: &str, value: f64) {
        self.require(value > 0.0 && value.is_finite(), key, value, "a number above 0");
    }

    /// `value` must be a finite number, 0 or more.
    pub(crate) fn not_negative(&mut self, key: &str, value: f64) {
        self.require(
            value >= 0.0 && value.is_finite(),
            key,
            value,
            "a number of at least 0",
        );
    }

    /// `value` must lie in [0, 1).
    pub(crate) fn below_one(&mut self, key: &str, value: f64) {
        self.require(
            (0.0..1.0).contains(&value),
            key,
            value,
            "a number from 0 to below 1",
        );
    }

    /// `value` must lie strictly between 0 and 1.
    pub(crate) fn share(&mut self, key: &str, value: f64) {
        self.require(value > 0.0 && value < 1.0, key, value, "a number between 0 and 1");
    }

    /// `value` must be a whole number above 0.
    pub(crate) fn count(&mut self, key: &str, value: u64) {
        self.require(value > 0, key, value, "a whole number above 0");
    }

    /// Records a problem unless `holds`.
    pub(crate) fn require(&mut self, holds: bool, key: &str, value: impl fmt::Display, expected: &str) {
        if !holds {
            let key = format!("{}.{key}", self.section);
            self.problems.push(Problem {
                key,
                value: value.to_string(),
                expected: expected.to_owned(),
            });
        }
    }

    /// Records a problem found elsewhere.
    pub(crate) fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Takes over the problems of another section.
    pub(crate) fn merge(&mut self, other: Checks) {
        self.problems.extend(other.problems);
    }

    pub(crate) fn finish(self) -> Result<()> {
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(Error::InvalidSettings {
            problems: Problems(self.problems),
        })
    }
}
