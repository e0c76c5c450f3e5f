//! What can go wrong with packages and runs.

use std::io;
use std::path::{Path, PathBuf};

use crate::foreign::gguf::GgufProblem;
use crate::foreign::hugging_face::HuggingFaceProblem;
use crate::foreign::pickle::PickleProblem;
use crate::safetensors::Malformed;
use crate::sparse::SparseProblem;

/// The result of an operation on packages and runs.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure with the file it happened in. The cause, where there is one, is the `source` of the error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused to read or write.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A file that must be there is not.
    #[error("{} is missing; {needed_by}", path.display())]
    MissingFile {
        /// The missing file.
        path: PathBuf,
        /// Who needs it.
        needed_by: &'static str,
    },
    /// The path holds neither a package nor numbered versions of one.
    #[error("{} is no model package: it has no gradus.json, and no numbered version folders that have one", path.display())]
    NotAPackage {
        /// The folder that was asked for.
        path: PathBuf,
    },
    /// A file's bytes are not the ones that were written.
    #[error("{} is damaged: its sha256 is {got}, expected {expected}; restore the file from a copy", path.display())]
    Checksum {
        /// The damaged file.
        path: PathBuf,
        /// The recorded digest.
        expected: String,
        /// The digest of the bytes found.
        got: String,
    },
    /// A file was cut short or has grown.
    #[error("{} is damaged: it has {got} bytes, expected {expected}; restore the file from a copy", path.display())]
    Length {
        /// The damaged file.
        path: PathBuf,
        /// The recorded length in bytes.
        expected: u64,
        /// The length found.
        got: u64,
    },
    /// A file that carries its own checksum lost the place where it stands.
    #[error("{} is damaged: it carries no `{field}` checksum of 64 hexadecimal digits where one must stand", path.display())]
    Unsealed {
        /// The damaged file.
        path: PathBuf,
        /// The name of the checksum's field.
        field: &'static str,
    },
    /// The format is newer than this version of gradus can read.
    #[error("{} has format version {found}; this gradus reads up to {supported}: upgrade gradus", path.display())]
    FutureVersion {
        /// The manifest.
        path: PathBuf,
        /// The version it declares.
        found: u64,
        /// The newest version this build reads.
        supported: u32,
    },
    /// A JSON file does not parse, or lacks what it must have.
    #[error("{} is not the JSON it should be", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Line, column and what was expected.
        #[source]
        source: serde_json::Error,
    },
    /// A file is larger than a file of its kind can sensibly be.
    #[error("{} has {bytes} bytes; a file of this kind has at most {limit}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The manifest names a file by something else than a plain file name.
    #[error("{} lists the file `{name}`; only plain names within the package are allowed", manifest.display())]
    ForeignPath {
        /// The manifest.
        manifest: PathBuf,
        /// The name it lists.
        name: String,
    },
    /// An extra file of a package has a name that it cannot have.
    #[error(
        "no file of a package can be added as `{name}`: it is a name of the package's own files, or leads out of the folder"
    )]
    FileName {
        /// The name.
        name: String,
    },
    /// The folder to write to holds something that must not be replaced.
    #[error("{} exists and is no model package, so it is not replaced; choose another folder", path.display())]
    WouldReplace {
        /// The folder.
        path: PathBuf,
    },
    /// A safetensors file breaks the format.
    #[error("{} is no valid safetensors file", path.display())]
    SafeTensors {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<Malformed>,
    },
    /// The path holds no model in any format that is read.
    #[error("{} is no model: neither a GGUF file nor a folder in Hugging Face's form", path.display())]
    NotAModel {
        /// The file.
        path: PathBuf,
    },
    /// A Hugging Face folder cannot be read as a model.
    #[error("cannot take a model from {}", path.display())]
    HuggingFace {
        /// The folder, or the file in it.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<HuggingFaceProblem>,
    },
    /// A GGUF file cannot be read as a model, or a model not written as one.
    #[error("{} cannot be read or written as GGUF", path.display())]
    Gguf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<GgufProblem>,
    },
    /// A file of `torch.save` cannot be read.
    #[error("cannot take tensors from {}", path.display())]
    Pickle {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<PickleProblem>,
    },
    /// A tensor's element type has no counterpart here.
    #[error("{}: tensor `{tensor}` has element type {dtype}, which gradus does not hold; convert it to one of f64, f32, bf16, f16, i64, u8, i8", path.display())]
    UnsupportedDType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The type's name in the safetensors format.
        dtype: String,
    },
    /// Two tensors to be written share a name.
    #[error("two tensors are named `{name}`; names in a file must differ")]
    DuplicateTensor {
        /// The shared name.
        name: String,
    },
    /// A tensor to be written has a name the format reserves.
    #[error("no tensor may be named `{name}`: the safetensors format uses that name itself")]
    ReservedName {
        /// The name.
        name: String,
    },
    /// A sparse tensor's parts do not fit each other.
    #[error("{}: sparse tensor `{tensor}` cannot be unpacked", path.display())]
    Sparse {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// What does not fit.
        #[source]
        source: Box<SparseProblem>,
    },
    /// A run is to be created where one is already.
    #[error("{} already holds a run; resume it, or choose another folder", path.display())]
    RunExists {
        /// The run directory.
        path: PathBuf,
    },
    /// Another process trains in this run directory.
    #[error("{} is in use by another training; wait for it to end, or choose another folder", path.display())]
    RunBusy {
        /// The run directory.
        path: PathBuf,
    },
    /// A log is shorter than a checkpoint says it was.
    #[error("{} has {got} bytes, but the checkpoint was taken when it had {expected}; its end was lost", path.display())]
    LogTooShort {
        /// The log file.
        path: PathBuf,
        /// Bytes the checkpoint remembers.
        expected: u64,
        /// Bytes there are.
        got: u64,
    },
    /// A value cannot be written as JSON.
    #[error("cannot write {} as JSON", path.display())]
    Encode {
        /// The file it was meant for.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// A manifest's preprocessing contradicts itself.
    #[error("{} has preprocessing that cannot be applied", path.display())]
    Preprocessing {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<gradus_data::Error>,
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
    /// A file could not be mapped into memory.
    #[error(transparent)]
    Map(Box<gradus_tensor::Error>),
}

impl Error {
    /// Names the place and the attempt of a system error; for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io {
            action,
            path: path.to_path_buf(),
            source,
        }
    }

    /// Names the file of a JSON error met in reading; for `map_err`.
    pub(crate) fn json(path: &Path) -> impl FnOnce(serde_json::Error) -> Error {
        move |source| Error::Json {
            path: path.to_path_buf(),
            source,
        }
    }

    /// Names the file of a JSON error met in writing; for `map_err`.
    pub(crate) fn encode(path: &Path) -> impl FnOnce(serde_json::Error) -> Error {
        move |source| Error::Encode {
            path: path.to_path_buf(),
            source,
        }
    }

    /// Names the place of a problem with a Hugging Face folder.
    pub(crate) fn hugging_face(path: &Path) -> impl FnOnce(HuggingFaceProblem) -> Error {
        move |source| Error::HuggingFace {
            path: path.to_path_buf(),
            source: Box::new(source),
        }
    }

    /// Names the file of a problem with GGUF; for `map_err`.
    pub(crate) fn gguf(path: &Path) -> impl FnOnce(GgufProblem) -> Error {
        move |source| Error::Gguf {
            path: path.to_path_buf(),
            source: Box::new(source),
        }
    }

    /// Names the file of a problem with what `torch.save` wrote; for `map_err`.
    pub(crate) fn pickle(path: &Path) -> impl FnOnce(PickleProblem) -> Error {
        move |source| Error::Pickle {
            path: path.to_path_buf(),
            source: Box::new(source),
        }
    }

    /// Names the tensor of a failed tensor operation; for `map_err`.
    pub(crate) fn tensor(name: &str) -> impl FnOnce(gradus_tensor::Error) -> Error {
        move |source| Error::Tensor {
            tensor: name.to_owned(),
            source: Box::new(source),
        }
    }
}
