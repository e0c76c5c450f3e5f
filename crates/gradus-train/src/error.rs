//! What can go wrong before, while and after training.

use crate::memory::MemoryEstimate;
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
    /// Text could not be read or made into tokens.
    #[error(transparent)]
    Text(#[from] gradus_data::text::TextError),
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
    #[error(transparent)]
    UnknownKey(Box<UnknownKey>),
    /// A setting is a name that it does not take.
    #[error(transparent)]
    UnknownValue(Box<UnknownValue>),
    /// A section or a setting cannot be read for another reason.
    #[error("{place}: {key}: {detail}")]
    InvalidValue {
        /// The section, or the dotted key where one alone is to blame.
        key: String,
        /// The parser's reason.
        detail: String,
        /// Where it stands.
        place: Place,
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
    /// Samples were asked of a recipe that learns from text.
    #[error(
        "the recipe learns from text, which is read while it trains, and has no samples to hold in memory; train it from its files"
    )]
    NoSamples,
    /// The run folder holds a run already.
    #[error(
        "{path} already holds a run; go on with it by the same command with --resume, or choose another folder with --out"
    )]
    RunExists {
        /// The run folder.
        path: PathBuf,
    },
    /// There is nothing to resume.
    #[error("{path} holds no run to resume; train without resuming first")]
    NothingToResume {
        /// The run folder.
        path: PathBuf,
    },
    /// A run cannot go on by another recipe than it began with.
    #[error("{path} was begun with another recipe: {} differ; resume with the same settings, or start afresh in another folder", .sections.join(", "))]
    RecipeChanged {
        /// The run folder.
        path: PathBuf,
        /// Sections that differ.
        sections: Vec<String>,
    },
    /// A run cannot go on with other data than it began with.
    #[error(
        "the training data of {path} have changed since the run began (fingerprint {got}, was {expected}); restore them, or start afresh in another folder"
    )]
    DataChanged {
        /// The run folder.
        path: PathBuf,
        /// The fingerprint the run began with.
        expected: String,
        /// The fingerprint of the data now.
        got: String,
    },
    /// A checkpoint's state does not say what the loop must know.
    #[error(
        "the checkpoint of step {step} does not hold a training's state; was it written by another program?"
    )]
    CheckpointState {
        /// The checkpoint's step.
        step: u64,
        /// What is missing.
        source: serde_json::Error,
    },
    /// The loss, or a weight, became NaN or infinite.
    #[error(transparent)]
    Diverged(Box<Divergence>),
    /// A training would take more memory than there is.
    #[error(transparent)]
    OutOfMemory(Box<OutOfMemory>),
    /// A file of an adapter could not be read or written.
    #[error("cannot read or write {path}")]
    AdapterFile {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// An adapter of a kind that there is none of here.
    #[error("{path} cannot be used as a LoRA adapter: {problem}")]
    Adapter {
        /// The adapter's folder.
        path: PathBuf,
        /// What is in the way.
        problem: &'static str,
    },
    /// Two tensors that belong together do not.
    #[error("fit: {rows} rows of inputs but {targets} targets; give one target per row")]
    TargetCount {
        /// Rows of inputs.
        rows: usize,
        /// Targets.
        targets: usize,
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

impl Error {
    /// Adds the step of the last checkpoint to a divergence.
    pub(crate) fn with_last_good(self, last_good: Option<u64>) -> Error {
        match self {
            Error::Diverged(divergence) => Error::Diverged(Box::new(Divergence {
                last_good,
                ..*divergence
            })),
            other => other,
        }
    }
}

/// The part of a message that offers the nearest real name.
fn did_you_mean(suggestion: &Option<String>) -> String {
    suggestion
        .as_ref()
        .map_or_else(String::new, |name| format!(", did you mean `{name}`?"))
}

/// A key that a recipe's section does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: [{section}] has no key `{key}`{}; its keys are {known}", did_you_mean(.suggestion))]
pub struct UnknownKey {
    /// The section.
    pub section: String,
    /// What was written.
    pub key: String,
    /// The nearest real key.
    pub suggestion: Option<String>,
    /// All keys of the section.
    pub known: String,
    /// Where it stands.
    pub place: Place,
}

/// A name that a recipe's setting does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {key} does not know `{value}`{}; it knows {known}", did_you_mean(.suggestion))]
pub struct UnknownValue {
    /// The dotted key.
    pub key: String,
    /// What was written.
    pub value: String,
    /// The nearest real name.
    pub suggestion: Option<String>,
    /// All names.
    pub known: String,
    /// Where it stands.
    pub place: Place,
}

/// A training that does not fit the memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfMemory {
    /// What it would take.
    pub needed: MemoryEstimate,
    /// Bytes that are available.
    pub available: u64,
}

impl std::error::Error for OutOfMemory {}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gigabytes = |bytes: u64| bytes as f64 / 1e9;
        let MemoryEstimate {
            weights,
            gradients,
            optimizer,
            activations,
            checkpointed,
            other,
        } = self.needed;
        write!(
            f,
            "this training takes about {:.1} GB and {:.1} GB are available (weights {:.1}, gradients {:.1}, optimiser \
             {:.1}, activations {:.1}, other {:.1}); ",
            gigabytes(self.needed.total()),
            gigabytes(self.available),
            gigabytes(weights),
            gigabytes(gradients),
            gigabytes(optimizer),
            gigabytes(activations),
            gigabytes(other)
        )?;
        if weights + gradients + optimizer + other > self.available {
            return write!(
                f,
                "use a smaller model, or tune adapters (--lora) instead of all weights"
            );
        }
        write!(
            f,
            "halve train.batch_size and double train.accumulate, or lower train.block_size"
        )?;
        if !checkpointed {
            write!(f, ", or set train.activation_checkpointing = true")?;
        }
        Ok(())
    }
}

/// A run that left the numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Divergence {
    /// The optimiser step that could not be taken, counted from 1.
    pub step: u64,
    /// Its epoch, counted from 1.
    pub epoch: u64,
    /// The loss: NaN or infinite. NaN also where a weight is not finite.
    pub loss: f64,
    /// The learning rate at this step.
    pub learning_rate: f64,
    /// Whether the recipe limits gradients.
    pub clips: bool,
    /// 2-norm of each parameter by name.
    pub parameter_norms: Vec<(String, f64)>,
    /// Step of the last checkpoint from before, if there is one.
    pub last_good: Option<u64>,
}

impl std::error::Error for Divergence {}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Divergence {
            step,
            epoch,
            loss,
            learning_rate,
            ..
        } = self;
        write!(
            f,
            "training diverged at step {step} (epoch {epoch}): the loss is {loss}; parameter norms:"
        )?;
        for (name, norm) in &self.parameter_norms {
            write!(f, " {name} {norm:.3e}")?;
        }
        write!(f, "; lower train.learning_rate (now {learning_rate})")?;
        if !self.clips {
            write!(f, ", set train.clip_norm = 1.0")?;
        }
        write!(f, ", or check the data for infinite values; ")?;
        match self.last_good {
            Some(good) => write!(f, "the checkpoint of step {good} is kept"),
            None => write!(f, "no checkpoint had been written yet"),
        }
    }
}
