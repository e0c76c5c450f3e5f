//! What can go wrong in a server: with its start, and with a request.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a server did not start, or what is wrong with a request. What a client is told is the message and its causes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // The start.
    /// A setting of the server is out of its range.
    #[error("`{setting}` is {value}, expected {expected}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: String,
        /// The values allowed.
        expected: &'static str,
    },
    /// The model's folder has no name that could stand in an address.
    #[error("{} has no name to serve it under; give one", path.display())]
    Unnamed {
        /// The folder.
        path: PathBuf,
    },
    /// The model could not be read.
    #[error(transparent)]
    Package(#[from] gradus_package::Error),
    /// The model could not be made ready.
    #[error("cannot serve {}", path.display())]
    Load {
        /// The package.
        path: PathBuf,
        /// Why not.
        source: Box<gradus_evaluate::Error>,
    },
    /// No version of the model could be loaded.
    #[error("no version of the model at {} could be loaded", path.display())]
    NoVersion {
        /// The newest version's package.
        path: PathBuf,
    },
    /// The metrics could not be set up.
    #[error("cannot set up metrics")]
    Metrics(#[from] prometheus::Error),
    /// The address could not be taken.
    #[error("cannot listen on {address}; is another server running there? choose another port with --port")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no thread.
    #[error("cannot start the server's threads")]
    Spawn {
        /// What the system said.
        source: io::Error,
    },
    /// Listening failed.
    #[error("the server stopped listening")]
    Listen {
        /// What the system said.
        source: io::Error,
    },

    // Addresses.
    /// No such address.
    #[error("nothing is served at {path}; POST /predict or /v1/models/{model}:predict")]
    UnknownPath {
        /// The path asked for.
        path: String,
        /// The model that is served.
        model: String,
    },
    /// The address takes other methods.
    #[error("{path} does not take {method}; use {allowed}")]
    Method {
        /// The path asked for.
        path: String,
        /// The method used.
        method: String,
        /// The method it takes.
        allowed: &'static str,
    },
    /// No such model.
    #[error("no model `{name}` here; the one served is `{served}`")]
    UnknownModel {
        /// The name asked for.
        name: String,
        /// The name of the model that is served.
        served: String,
    },
    /// The version is not served.
    #[error("model `{name}` has no version {version}; it has {known}")]
    UnknownVersion {
        /// The model.
        name: String,
        /// The version asked for.
        version: String,
        /// The versions there are.
        known: String,
    },
    /// The version is there and could not be loaded.
    #[error("version {version} of model `{name}` could not be loaded; its status says why")]
    FailedVersion {
        /// The model.
        name: String,
        /// The version asked for.
        version: u64,
    },
    /// Another verb than `predict` after the model's name.
    #[error("`:{verb}` is not supported; use `:predict`")]
    UnknownVerb {
        /// The verb.
        verb: String,
    },

    // Bodies.
    /// The body is larger than allowed.
    #[error("the body is larger than {limit} bytes; send fewer samples at a time")]
    BodyTooLarge {
        /// The limit.
        limit: usize,
    },
    /// The body did not arrive.
    #[error("the body broke off: {reason}")]
    BodyBroken {
        /// What the connection said.
        reason: String,
    },
    /// The body did not arrive in time.
    #[error("the body did not arrive within {seconds} s")]
    BodyTimeout {
        /// The time allowed.
        seconds: u64,
    },
    /// The body is not JSON.
    #[error("the body is not valid JSON, near `{place}`: {reason}")]
    Json {
        /// The last place in the samples that was reached.
        place: String,
        /// What is wrong, and where.
        reason: String,
    },
    /// The body is JSON of another shape than expected.
    #[error("`{field}`: {reason}")]
    Value {
        /// The place in the body.
        field: String,
        /// What was found and what was expected.
        reason: String,
    },
    /// The body lacks the samples.
    #[error("the body has no {expected}; it has {found}")]
    MissingField {
        /// The field or fields expected.
        expected: &'static str,
        /// The fields that are there.
        found: String,
    },
    /// Both formats at once.
    #[error("the body has both `instances` and `inputs`; send one")]
    BothFormats,
    /// A signature that the model has not.
    #[error("`signature_name` is `{found}`; the model has `{expected}`")]
    UnknownSignature {
        /// The name asked for.
        found: String,
        /// The name there is.
        expected: &'static str,
    },
    /// No samples to predict.
    #[error("`{field}` is empty; send at least one sample")]
    NoSamples {
        /// The field.
        field: &'static str,
    },
    /// More samples than allowed.
    #[error("`{field}` has more than {limit} samples; send fewer at a time")]
    TooManySamples {
        /// The field.
        field: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A sample that cannot be prepared.
    #[error("`{place}`")]
    Sample {
        /// The field and the place in it.
        place: String,
        /// What is wrong with it.
        source: Box<gradus_data::Error>,
    },
    /// Base64 that is none.
    #[error("`{place}.b64` is not base64: {cause}")]
    Base64 {
        /// The field and the sample's place in it.
        place: String,
        /// What is wrong with it.
        cause: base64::DecodeError,
    },
    /// The model answered with a number that JSON cannot hold.
    #[error(
        "`{field}[{index}]`: the model's answer is not a finite number; are the sample's values in range?"
    )]
    NotFinite {
        /// The field.
        field: &'static str,
        /// The sample.
        index: usize,
    },

    // Overload and failures.
    /// Too many requests wait.
    #[error("{capacity} requests are waiting already; try again in a moment")]
    QueueFull {
        /// The most that may wait.
        capacity: usize,
    },
    /// Computing an answer panicked.
    #[error("computing the answer failed; this is a bug in gradus")]
    Panicked,
    /// The model refused its input.
    #[error("the model failed")]
    Predict(#[from] gradus_evaluate::Error),
}
