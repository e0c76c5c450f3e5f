//! GGUF files: the models of llama.cpp, with metadata, vocabulary and quantised weights in one file.
//!
//! [`GgufHeader::parse`] reads the front of any file of version 2 or 3; [`read`] makes a [`ForeignModel`] of one whose
//! architecture gradus knows. What differs between the two worlds is settled here: names; the order of query and key
//! rows, where llama.cpp rotates neighbours and `transformers` halves; GPT-2's transposed matrices; Gemma's gains; the
//! factors of scaled rotations; and the vocabulary, of which a `tokenizer.json` is made.
//!
//! Quantised weights stay in ggml's blocks, bit for bit.
//!
//! The format: `ggml/include/gguf.h` and `docs/gguf.md` of ggml.

mod architecture;
mod cursor;
mod header;
mod layout;
mod metadata;
mod problem;
mod tensor_type;
mod vocabulary;
mod write;

pub use header::{GgufHeader, GgufTensor};
pub use metadata::{GgufMetadata, GgufNumbers, GgufValue};
pub use problem::{GgufProblem, VocabularyProblem};
pub use tensor_type::GgufTensorType;
pub use write::{GgufType, GgufWritten, write};

use std::path::Path;
use std::sync::Arc;

use gradus_tensor::{MappedFile, Tensor};

use crate::error::{Error, Result};
use crate::files::ExtraFiles;
use crate::foreign::ForeignModel;
use crate::foreign::gguf::architecture::{Architecture, FREQUENCY_TENSORS, Factors, Known};
use crate::foreign::gguf::layout::Reader;
use crate::safetensors::map;

/// The embedding, whose rows are the vocabulary.
const EMBEDDING: &str = "token_embd.weight";
/// The output matrix; without it, the embedding is that too.
const OUTPUT: &str = "output.weight";

/// Reads a model file. Weights are views of the mapped file, except query and key rows of llama, GPT-2's matrices and
/// Gemma's gains, which are copied into the layout of `transformers`.
///
/// # Errors
/// [`Error::Gguf`] with what is wrong: the file breaks the format, or has an architecture, a type of weights or a
/// vocabulary that gradus does not know. [`Error::MissingFile`] and [`Error::Map`] from the system.
pub fn read(path: impl AsRef<Path>) -> Result<ForeignModel> {
    let path = path.as_ref();
    let file = map(path)?;
    let read = || {
        let header = GgufHeader::parse(file.bytes())?;
        model(&file, &header)
    };
    read().map_err(Error::gguf(path))
}

/// Reads the vocabulary alone, of a model or of a file that holds nothing else: `tokenizer.json`,
/// `tokenizer_config.json` and `generation_config.json`; nothing where the file has no vocabulary.
///
/// # Errors
/// As [`read`], for the header and the vocabulary.
pub fn read_vocabulary(path: impl AsRef<Path>) -> Result<ExtraFiles> {
    let path = path.as_ref();
    let file = map(path)?;
    let read = || vocabulary::files(&GgufHeader::parse(file.bytes())?.metadata);
    read().map_err(Error::gguf(path))
}

/// Whether a file begins as GGUF files do.
pub fn is_gguf(path: impl AsRef<Path>) -> bool {
    use std::io::Read;
    let mut first = [0; header::MAGIC.len()];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut first));
    read.is_ok() && first == header::MAGIC
}

fn model(file: &Arc<MappedFile>, header: &GgufHeader<'_>) -> Result<ForeignModel, GgufProblem> {
    let metadata = &header.metadata;
    let files = metadata.u64("split.count")?.unwrap_or(1);
    if files > 1 {
        return Err(GgufProblem::Split { count: files });
    }
    let architecture = Architecture::of_file(metadata.required_text("general.architecture")?)?;
    let known = known(file, header, architecture)?;
    let reader = Reader {
        file,
        heads: known.heads()?,
        kv_heads: known.kv_heads()?,
    };
    let mut tensors = Vec::with_capacity(header.tensors.len());
    for tensor in header
        .tensors
        .iter()
        .filter(|tensor| !FREQUENCY_TENSORS.contains(&tensor.name))
    {
        let renamed = architecture.to_hugging_face(tensor.name);
        let (name, layout) = renamed.ok_or_else(|| GgufProblem::UnknownTensor {
            tensor: tensor.name.to_owned(),
            architecture: architecture.name,
        })?;
        tensors.push(reader.read(tensor, name, layout)?);
    }
    tensors.sort_by(|a, b| a.name().cmp(b.name()));
    Ok(ForeignModel {
        config: architecture::config(&known)?,
        tensors,
        files: vocabulary::files(metadata)?,
    })
}

/// Gathers what the config is made of.
fn known<'a>(
    file: &Arc<MappedFile>,
    header: &'a GgufHeader<'a>,
    architecture: &'static Architecture,
) -> Result<Known<'a>, GgufProblem> {
    let find = |name: &str| header.tensors.iter().find(|tensor| tensor.name == name);
    let embedding = find(EMBEDDING).ok_or_else(|| metadata::missing(EMBEDDING))?;
    let factors = |name: &str| find(name).map(|tensor| frequencies(file, tensor)).transpose();
    Ok(Known {
        metadata: &header.metadata,
        architecture,
        vocab_size: embedding.shape[0],
        tied: find(OUTPUT).is_none(),
        biases: ["blk.0.attn_q.bias", "blk.0.ffn_gate.bias"].map(|name| find(name).is_some()),
        factors: Factors {
            all: factors(architecture::ROPE_FREQS)?,
            long: factors(architecture::LONG_FACTORS)?,
            short: factors(architecture::SHORT_FACTORS)?,
        },
    })
}

fn frequencies(file: &Arc<MappedFile>, tensor: &GgufTensor<'_>) -> Result<Vec<f32>, GgufProblem> {
    let not_f32 = || GgufProblem::Value {
        key: tensor.name.to_owned(),
        expected: "a list of F32 numbers above zero",
    };
    if tensor.kind != GgufTensorType::Plain(gradus_tensor::DType::F32) || tensor.shape.len() != 1 {
        return Err(not_f32());
    }
    let held = Tensor::from_mapped::<f32>(file, tensor.bytes.start, &tensor.shape);
    let factors = held.and_then(|held| held.to_vec::<f32>());
    let factors = factors.map_err(|_| not_f32())?;
    if factors.iter().all(|factor| factor.is_finite() && *factor > 0.0) {
        Ok(factors)
    } else {
        Err(not_f32())
    }
}
