//! What can go wrong in making a model smaller.

/// The result of a compression.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a package cannot be compressed as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model reads text.
    #[error(
        "compress works on models of classification, regression and multilabel; this package's task is `{task}` (`gradus \
         export --help` says which types a language model can be written in)"
    )]
    Task {
        /// The manifest's task.
        task: String,
    },
    /// `config.json` is no architecture of this build.
    #[error("the package's config.json is no architecture that this gradus knows")]
    ModelConfig(#[source] serde_json::Error),
    /// The weights do not fit the architecture, before or after the compression.
    #[error("the package's weights do not fit its config.json")]
    Model(#[source] Box<gradus_nn::Error>),
    /// The package is quantised already.
    #[error(
        "the package is quantised already, and {step} works on float weights; start from the package it was made from{parent}"
    )]
    AlreadyQuantized {
        /// What was asked for.
        step: &'static str,
        /// That package's fingerprint in parentheses, or nothing where it is not known.
        parent: String,
    },
    /// Nothing was asked for.
    #[error("nothing to do: ask for clipping, pruning or quantisation")]
    EmptyPlan,
    /// No tensor is of the kind that the step works on.
    #[error("{step}: the model has no weights that it applies to")]
    NothingToCompress {
        /// What was asked for.
        step: &'static str,
    },
    /// The fraction to prune is none.
    #[error(
        "prune: sparsity is {sparsity}; it must be greater than 0 and less than 1 (0.8 sets 80 % of the weights to zero)"
    )]
    Sparsity {
        /// The fraction asked for.
        sparsity: f64,
    },
    /// The limit to clip to is none.
    #[error("clip: the limit is {limit}; it must be a finite number greater than 0")]
    ClipLimit {
        /// The limit asked for.
        limit: f64,
    },
    /// A weight is infinite or no number.
    #[error(
        "tensor `{tensor}`: element {index} is {value}; a model with such weights is broken, train it again"
    )]
    NotFinite {
        /// The tensor.
        tensor: String,
        /// The element in row-major order.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// A tensor that must be quantised is not in the package.
    #[error("the package has no tensor `{tensor}`, which its architecture runs in int8")]
    MissingTensor {
        /// The tensor.
        tensor: String,
    },
    /// A tensor operation failed.
    #[error("tensor `{tensor}`")]
    Tensor {
        /// The tensor.
        tensor: String,
        /// The failure.
        #[source]
        source: Box<gradus_tensor::Error>,
    },
    /// The package could not be read or measured.
    #[error(transparent)]
    Package(#[from] gradus_package::Error),
}

impl Error {
    /// A misfit of weights and architecture; for `map_err`.
    pub(crate) fn model(source: gradus_nn::Error) -> Error {
        Error::Model(Box::new(source))
    }

    /// Names the tensor of a failed operation; for `map_err`.
    pub(crate) fn tensor(name: &str) -> impl FnOnce(gradus_tensor::Error) -> Error {
        move |source| Error::Tensor {
            tensor: name.to_owned(),
            source: Box::new(source),
        }
    }
}
