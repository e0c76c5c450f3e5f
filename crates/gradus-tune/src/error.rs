//! What can go wrong in training a recipe many times.

use std::path::PathBuf;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why trainings of a recipe cannot be started or gone on with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A training failed, or its recipe cannot be used.
    #[error(transparent)]
    Train(#[from] gradus_train::Error),
    /// The data could not be read, split or prepared.
    #[error(transparent)]
    Data(#[from] gradus_data::Error),
    /// A model could not be measured.
    #[error(transparent)]
    Evaluate(#[from] gradus_evaluate::Error),
    /// A package or a run folder could not be read or written.
    #[error(transparent)]
    Package(#[from] gradus_package::Error),
    /// A search space's file could not be read.
    #[error("cannot read the search space {path}")]
    ReadSpace {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A search space is not TOML.
    #[error("the search space is not valid TOML: line {line}: {message}")]
    SpaceSyntax {
        /// The parser's reason.
        message: String,
        /// Where it stops being TOML, counted from 1.
        line: usize,
    },
    /// A key of a search space cannot vary as it says.
    #[error("search space: `{key}`: {problem}, expected {expected}")]
    SpaceKey {
        /// The key.
        key: String,
        /// What is wrong.
        problem: String,
        /// What would do.
        expected: String,
    },
    /// A study could not be read or written.
    #[error("the study {path} cannot be read or written")]
    Study {
        /// The file.
        path: PathBuf,
        /// The database's reason.
        source: Box<redb::Error>,
    },
    /// What a study holds is not a search.
    #[error("{path} does not hold a search of this program; choose another file with --study")]
    StudyContent {
        /// The file.
        path: PathBuf,
        /// What could not be read.
        source: serde_json::Error,
    },
    /// Another process has the study open.
    #[error(
        "the study {path} is in use by another process; wait for it, or choose another file with --study"
    )]
    StudyInUse {
        /// The file.
        path: PathBuf,
    },
    /// A study cannot go on by other settings than it began with.
    #[error(
        "the study {path} was begun otherwise: {what} differ; go on with the same settings, or begin another with --study"
    )]
    StudyChanged {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// The recipe's evaluations do not have the metric.
    #[error("no evaluation of this recipe measures `{metric}`; it measures {known}")]
    NothingMeasured {
        /// What was to be made better.
        metric: String,
        /// What there is.
        known: String,
    },
    /// Whether a metric should be large or small is not known.
    #[error("whether `{metric}` is better large or small is not known; say --direction maximize or minimize")]
    UnknownDirection {
        /// The metric.
        metric: String,
    },
    /// No trial came to its end.
    #[error("none of {trials} trials came to its end{}", .reason.as_ref().map_or_else(String::new, |reason| format!("; the last failed because {reason}")))]
    NoBest {
        /// Trials of the study.
        trials: usize,
        /// Why the last failed one did.
        reason: Option<String>,
    },
    /// A result of a search could not be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file of a result's folder could not be read or written.
    #[error("cannot use {}", path.display())]
    Files {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Another process works in the folder.
    #[error("another process is at work in {}", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder holds a cross-validation that cannot be gone on with.
    #[error("{} holds a cross-validation with another {what}; choose another folder, or remove it", folder.display())]
    CrossvalChanged {
        /// The folder.
        folder: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// Validation data of its own, where each fold has to hold out of its training rows.
    #[error(
        "`data.validation` names {}: folds hold out of their own training rows; remove it and set \
         `data.validation_fraction`", path.display()
    )]
    HeldOutFile {
        /// The validation data.
        path: PathBuf,
    },
}
