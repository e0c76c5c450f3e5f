//! GGUF files that llama.cpp loads.
//!
//! Everything stands in one pass: metadata from the config, vocabulary from `tokenizer.json`, then tensor by tensor in
//! pieces, so that a model is never in memory twice.

mod elements;
mod hyperparameters;
mod keys;
mod types;
mod vocabulary;

pub use types::GgufType;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use gradus_tensor::{DType, Tensor};

use crate::atomic::write_atomic_with;
use crate::error::{Error, Result};
use crate::foreign::gguf::architecture::{Architecture, Layout};
use crate::foreign::gguf::header::{DEFAULT_ALIGNMENT, MAGIC, MAX_NAME_BYTES, VERSION};
use crate::foreign::gguf::layout::{paired, shifted, transposed};
use crate::foreign::gguf::tensor_type::GgufTensorType;
use crate::foreign::gguf::write::hyperparameters::Hyperparameters;
use crate::foreign::gguf::write::keys::Keys;
use crate::foreign::gguf::{EMBEDDING, GgufProblem};
use crate::foreign::{ForeignModel, ForeignTensor};

/// Large enough that many small tensors become few system calls.
const BUFFER_BYTES: usize = 1 << 20;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GgufWritten {
    /// The file's length.
    pub bytes: u64,
    /// Each tensor's name in the file and ggml's name of its type, in the order of the file.
    pub tensors: Vec<(String, &'static str)>,
}

/// Writes a model as a GGUF file of version 3, all or nothing. Equal arguments give equal bytes.
///
/// Which tensors get more bits than the type's name says is llama.cpp's rule (see [`GgufType`]); vectors and gains are
/// F32. Weights that are in blocks of the wanted type already keep every bit; others are computed first. The vocabulary
/// is made of `tokenizer.json`; a model without one is written without a vocabulary, which llama.cpp only loads to be
/// fed with token ids.
///
/// # Errors
/// [`Error::Gguf`] for an architecture, a scaling of rotations, or a tokenizer that llama.cpp does not have, or a
/// tensor that is none of the architecture's; [`Error::Io`] when the file cannot be written, and the old file, if any,
/// is then as it was.
pub fn write(path: impl AsRef<Path>, model: &ForeignModel, kind: GgufType) -> Result<GgufWritten> {
    let path = path.as_ref();
    let plan = Plan::new(model, kind).map_err(Error::gguf(path))?;
    write_atomic_with(path, |file, temporary| plan.write(file, path, temporary))
}

/// A tensor and what becomes of it.
struct Planned<'a> {
    name: String,
    layout: Layout,
    kind: GgufTensorType,
    /// In the file's layout.
    shape: Vec<usize>,
    source: ForeignTensorRef<'a>,
}

/// A weight of the model, or one that follows from the config.
enum ForeignTensorRef<'a> {
    Weight(&'a ForeignTensor),
    Factors(ForeignTensor),
}

/// All that is known before the first byte is written.
struct Plan<'a> {
    keys: Keys,
    tensors: Vec<Planned<'a>>,
    heads: u64,
    kv_heads: u64,
}

impl<'a> Plan<'a> {
    fn new(model: &'a ForeignModel, kind: GgufType) -> Result<Plan<'a>, GgufProblem> {
        let model_type = model.config.get("model_type").and_then(serde_json::Value::as_str);
        let architecture = Architecture::of_config(model_type.unwrap_or_default())?;
        let hyperparameters = Hyperparameters::new(&model.config, architecture)?;
        let mut tensors = vec![];
        for tensor in &model.tensors {
            match Planned::new(tensor, architecture)? {
                Some(planned) => tensors.push(planned),
                None => continue,
            }
        }
        for (name, factors) in hyperparameters.factors() {
            tensors.push(Planned::factors(name, factors)?);
        }
        tensors.sort_by_cached_key(|tensor| order(&tensor.name));
        let rows = tensors
            .iter()
            .find(|tensor| tensor.name == EMBEDDING)
            .map(|tensor| tensor.shape[0]);
        let rows = rows.ok_or_else(|| super::metadata::missing(EMBEDDING))?;
        let choice = types::Choice::new(kind, &tensors, &hyperparameters);
        for tensor in &mut tensors {
            tensor.kind = choice.kind(tensor);
        }
        let mut keys = Keys::default();
        hyperparameters.write(&mut keys, choice.file_type(&tensors), rows);
        vocabulary::write(&mut keys, model, rows)?;
        Ok(Plan {
            keys,
            tensors,
            heads: hyperparameters.heads,
            kv_heads: hyperparameters.kv_heads,
        })
    }

    fn write(&self, file: &mut File, path: &Path, temporary: &Path) -> Result<GgufWritten> {
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, file);
        let head = self.head();
        out.write_all(&head).map_err(Error::io("write", temporary))?;
        let mut bytes = head.len() as u64;
        for planned in &self.tensors {
            let tensor = planned.laid_out(self).map_err(Error::gguf(path))?;
            let written = elements::write(&mut out, temporary, &tensor, planned.kind)?;
            debug_assert_eq!(written, planned.bytes());
            let padding = padded(written) - written;
            out.write_all(&vec![0; padding as usize])
                .map_err(Error::io("write", temporary))?;
            bytes += written + padding;
        }
        out.flush().map_err(Error::io("write", temporary))?;
        let named = |tensor: &Planned<'_>| (tensor.name.clone(), tensor.kind.name());
        Ok(GgufWritten {
            bytes,
            tensors: self.tensors.iter().map(named).collect(),
        })
    }

    /// All that stands before the tensors' elements.
    fn head(&self) -> Vec<u8> {
        let mut head = MAGIC.to_vec();
        head.extend(VERSION.to_le_bytes());
        head.extend((self.tensors.len() as u64).to_le_bytes());
        head.extend(self.keys.count().to_le_bytes());
        head.extend(self.keys.bytes());
        let mut offset = 0u64;
        for tensor in &self.tensors {
            keys::push_text(&mut head, tensor.name.as_bytes());
            head.extend((tensor.shape.len() as u32).to_le_bytes());
            for &length in tensor.shape.iter().rev() {
                head.extend((length as u64).to_le_bytes());
            }
            head.extend(tensor.kind.number().to_le_bytes());
            head.extend(offset.to_le_bytes());
            offset += padded(tensor.bytes());
        }
        head.resize(head.len().next_multiple_of(DEFAULT_ALIGNMENT as usize), 0);
        head
    }
}

impl<'a> Planned<'a> {
    /// `None` for tensors that no file has: the pooler of BERT and the heads of its training.
    fn new(
        tensor: &'a ForeignTensor,
        architecture: &'static Architecture,
    ) -> Result<Option<Planned<'a>>, GgufProblem> {
        let unknown = || GgufProblem::UnknownTensor {
            tensor: tensor.name().to_owned(),
            architecture: architecture.name,
        };
        let Some((name, layout)) = architecture.to_gguf(tensor.name()) else {
            let unused = architecture.name == "bert"
                && (tensor.name().starts_with("pooler.") || tensor.name().starts_with("cls."));
            return if unused { Ok(None) } else { Err(unknown()) };
        };
        let mut shape = tensor.shape().to_vec();
        if name.len() > MAX_NAME_BYTES || shape.is_empty() || shape.len() > 4 {
            return Err(unknown());
        }
        if layout == Layout::Transposed && shape.len() == 2 && tensor.block_type().is_none() {
            shape.reverse();
        }
        Ok(Some(Planned {
            name,
            layout,
            kind: GgufTensorType::Plain(DType::F32),
            shape,
            source: ForeignTensorRef::Weight(tensor),
        }))
    }

    fn factors(name: &'static str, factors: Vec<f32>) -> Result<Planned<'a>, GgufProblem> {
        let shape = vec![factors.len()];
        let tensor = Tensor::from_vec(factors, &shape[..]).map_err(|source| GgufProblem::Tensor {
            tensor: name.to_owned(),
            source: Box::new(source),
        })?;
        Ok(Planned {
            name: name.to_owned(),
            layout: Layout::Same,
            kind: GgufTensorType::Plain(DType::F32),
            shape,
            source: ForeignTensorRef::Factors(ForeignTensor::plain(name, tensor)),
        })
    }

    fn tensor(&self) -> &ForeignTensor {
        match &self.source {
            ForeignTensorRef::Weight(tensor) => tensor,
            ForeignTensorRef::Factors(tensor) => tensor,
        }
    }

    /// The weight in the file's layout.
    fn laid_out(&self, plan: &Plan<'_>) -> Result<ForeignTensor, GgufProblem> {
        let tensor = self.tensor().clone();
        match self.layout {
            Layout::Same => Ok(tensor),
            Layout::QueryRows => paired(tensor, plan.heads),
            Layout::KeyRows => paired(tensor, plan.kv_heads),
            Layout::Transposed => transposed(tensor),
            Layout::Gain => shifted(tensor, 1.0),
        }
    }

    /// Bytes of the elements in the file.
    fn bytes(&self) -> u64 {
        let (cols, rows) = self
            .shape
            .split_last()
            .expect("bug: a planned tensor has a dimension");
        let row = self
            .kind
            .row_bytes(*cols)
            .expect("bug: a type was chosen that fits the rows");
        rows.iter().product::<usize>() as u64 * row as u64
    }
}

fn padded(bytes: u64) -> u64 {
    bytes.next_multiple_of(DEFAULT_ALIGNMENT.into())
}

/// The layer that a tensor of a file belongs to.
fn layer_of(name: &str) -> Option<usize> {
    name.strip_prefix("blk.")?.split('.').next()?.parse().ok()
}

/// Tensors without a layer first, then layer by layer, each in order of name.
fn order(name: &str) -> (Option<usize>, String) {
    (layer_of(name), name.to_owned())
}
