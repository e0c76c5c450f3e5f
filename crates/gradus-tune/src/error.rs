//! What can go wrong in training a recipe many times.

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
}
