//! What can go wrong before, while and after training.

use crate::settings::Problems;
use std::fmt;
use std::path::PathBuf;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Where in a recipe something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The recipe's file.
    pub path: PathBuf,
    /// The line, counted from 1; `None` for what came from an override or for the file as a whole.
    pub line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.path.display()),
            None => write!(f, "{}", self.path.display()),
        }
    }
}

/// A mistake in a recipe or a failure of a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] gradus_tensor::Error),
    /// A layer, a loss or a network's configuration failed.
    #[error(transparent)]
    Nn(#[from] gradus_nn::Error),
    /// The data could not be read or prepared.
    #[error(transparent)]
    Data(#[from] gradus_data::Error),
    /// A package, a checkpoint or a run folder could not be read or written.
    #[error(transparent)]
    Package(#[from] gradus_package::Error),
    /// The evaluation failed.
    #[error(transparent)]
    Evaluate(#[from] gradus_evaluate::Error),
    /// A recipe's file could not be read.
    #[error("cannot read the recipe {path}")]
    ReadRecipe {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A recipe could not be written as TOML.
    #[error("cannot write the recipe as TOML")]
    WriteRecipe(#[from] toml::ser::Error),
    /// A recipe is not TOML.
    #[error("{place}: not valid TOML: {message}")]
    RecipeSyntax {
        /// Where it stops being TOML.
        place: Place,
        /// The parser's reason.
        message: String,
    },
    /// A recipe lacks a section.
    #[error("{place}: the recipe has no [{section}] section; `gradus new classifier` prints a whole recipe")]
    MissingSection {
        /// The section.
        section: &'static str,
        /// The recipe.
        place: Place,
    },
    /// A recipe has a section that there is none of.
    #[error("{place}: there is no section or key `{key}` here{}; the sections are {known}", did_you_mean(.suggestion))]
    UnknownSection {
        /// What was written.
        key: String,
        /// The nearest real section.
        suggestion: Option<String>,
        /// All sections.
        known: String,
        /// Where it stands.
        place: Place,
    },
    /// A section has a key that it does not take.
    #[error("{place}: [{section}] has no key `{key}`{}; its keys are {known}", did_you_mean(.suggestion))]
    UnknownKey {
        /// The section.
        section: String,
        /// What was written.
        key: String,
        /// The nearest real key.
        suggestion: Option<String>,
        /// All keys of the section.
        known: String,
        /// Where it stands.
        place: Place,
    },
    /// A setting is a name that it does not take.
    #[error("[{section}] does not know `{value}`{}; it knows {known}", did_you_mean(.suggestion))]
    UnknownValue {
        /// The section.
        section: String,
        /// What was written.
        value: String,
        /// The nearest real name.
        suggestion: Option<String>,
        /// All names.
        known: String,
    },
    /// A section cannot be read for another reason.
    #[error("[{section}]: {detail}")]
    InvalidSection {
        /// The section.
        section: String,
        /// The parser's reason.
        detail: String,
    },
    /// Settings are out of range or contradict each other.
    #[error("the recipe has settings that cannot be used: {problems}")]
    InvalidSettings {
        /// All of them.
        problems: Problems,
    },
    /// An override is not `section.key=value`.
    #[error("`--set {text}` is not of the form section.key=value, such as train.learning_rate=0.05")]
    InvalidOverride {
        /// What was written.
        text: String,
    },
    /// There is no template of this name.
    #[error("there is no template `{name}`{}; there are {known}", did_you_mean(.suggestion))]
    UnknownTemplate {
        /// What was asked for.
        name: String,
        /// The nearest real name.
        suggestion: Option<String>,
        /// All names.
        known: String,
    },
    /// Saved state does not belong to this optimiser or these parameters.
    #[error("optimiser state `{name}`: expected {expected}, got {got}; was it saved by another recipe?")]
    OptimizerState {
        /// The tensor's name in the state.
        name: String,
        /// What would fit.
        expected: String,
        /// What came.
        got: String,
    },
}

/// The part of a message that offers the nearest real name.
fn did_you_mean(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map_or_else(String::new, |name| format!(", did you mean `{name}`?"))
}
