//! Writing a folder that `transformers` opens.

use std::fs;
use std::path::Path;

use gradus_tensor::{DType, Tensor};
use serde_json::Value;

use crate::atomic::NewFolder;
use crate::error::{Error, Result};
use crate::foreign::{ForeignModel, ForeignTensor};
use crate::package::weights::{self, MAX_SHARD_BYTES};
use crate::package::{CONFIG_FILE, write_config, write_extra_files};
use crate::safetensors::LazyTensor;

/// Endings of GPT-2's matrices, which `transformers` stores as `[in, out]`; in blocks they are `[out, in]`.
const TRANSPOSED: [&str; 4] = [
    ".attn.c_attn.weight",
    ".attn.c_proj.weight",
    ".mlp.c_fc.weight",
    ".mlp.c_proj.weight",
];

/// The type of the weights in a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HuggingFaceType {
    /// What they have; F16 for those in blocks, which `transformers` does not read.
    #[default]
    Held,
    /// 32-bit floats.
    F32,
    /// 16-bit IEEE floats.
    F16,
    /// bfloat16.
    Bf16,
}

impl HuggingFaceType {
    fn of(self, tensor: &ForeignTensor) -> DType {
        let held = tensor.tensor().dtype();
        match self {
            _ if tensor.block_type().is_none() && !held.is_float() => held,
            HuggingFaceType::Held if tensor.block_type().is_some() => DType::F16,
            HuggingFaceType::Held => held,
            HuggingFaceType::F32 => DType::F32,
            HuggingFaceType::F16 => DType::F16,
            HuggingFaceType::Bf16 => DType::BF16,
        }
    }
}

/// Writes a model folder, all or nothing: the config, the weights (in several files above 5 GB, with an index), and the
/// files that came with the model. Weights are converted one at a time.
///
/// # Errors
/// [`Error::WouldReplace`] when the folder holds anything already, [`Error::FileName`] for a file of the model that may
/// not be in a folder, [`Error::Io`] from the system.
pub fn write(folder: impl AsRef<Path>, model: &ForeignModel, kind: HuggingFaceType) -> Result<()> {
    let folder = folder.as_ref();
    let occupied = fs::read_dir(folder).map(|mut entries| entries.next().is_some());
    if occupied.unwrap_or_else(|_| fs::symlink_metadata(folder).is_ok()) {
        let path = folder.to_path_buf();
        return Err(Error::WouldReplace { path });
    }
    crate::package::check_file_names(&model.files)?;
    let new = NewFolder::create(folder)?;
    write_config(&new.path().join(CONFIG_FILE), &config(model, kind))?;
    let tensors = model.tensors.iter().map(|tensor| lazy(tensor, kind)).collect();
    // `transformers` refuses a file that does not say which library's tensors it holds.
    weights::write(new.path(), tensors, &[("format", "pt")], MAX_SHARD_BYTES)?;
    write_extra_files(new.path(), &model.files)?;
    new.commit()
}

/// The config with the type of most weights in it.
fn config(model: &ForeignModel, kind: HuggingFaceType) -> Value {
    let mut config = model.config.clone();
    let largest = model
        .tensors
        .iter()
        .max_by_key(|tensor| tensor.shape().iter().product::<usize>());
    let dtype = match largest.map(|tensor| kind.of(tensor)) {
        Some(DType::F16) => "float16",
        Some(DType::BF16) => "bfloat16",
        Some(DType::F64) => "float64",
        Some(DType::F32 | DType::I64 | DType::U8 | DType::I8) | None => "float32",
    };
    if let Some(config) = config.as_object_mut() {
        config.remove("dtype");
        config.insert("torch_dtype".into(), dtype.into());
    }
    config
}

fn lazy(tensor: &ForeignTensor, kind: HuggingFaceType) -> LazyTensor<'_> {
    let dtype = kind.of(tensor);
    let turned =
        tensor.block_type().is_some() && TRANSPOSED.iter().any(|ending| tensor.name().ends_with(ending));
    let mut shape = tensor.shape().to_vec();
    if turned {
        shape.reverse();
    }
    let load = move || -> gradus_tensor::Result<Tensor> {
        if tensor.block_type().is_none() && tensor.tensor().dtype() == dtype {
            return Ok(tensor.tensor().clone());
        }
        let wide = tensor.to_f32()?;
        let wide = if turned { wide.t()?.contiguous()? } else { wide };
        wide.to_dtype(dtype)
    };
    LazyTensor {
        name: tensor.name(),
        dtype,
        shape,
        load: Box::new(load),
    }
}
