//! What a reader of a foreign format gives, whichever format it was.

use std::path::Path;

use gradus_kernels::quant::{BlockType, dequantize};
use gradus_tensor::{DType, Tensor};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::files::ExtraFiles;
use crate::foreign::gguf;
use crate::foreign::hugging_face::{self, HuggingFaceProblem, TOKENIZER_FILE};

/// The config's key for how weights are quantised.
pub(crate) const QUANTIZATION_KEY: &str = "quantization_config";
/// The `quant_method` of weights in ggml's blocks.
pub(crate) const BLOCKS_METHOD: &str = "ggml";

/// A model that another program wrote, in Hugging Face's terms.
#[derive(Clone)]
pub struct ForeignModel {
    /// The architecture: a JSON object with what `transformers` has in `config.json`.
    pub config: Value,
    /// The weights, in order of name. Names and layouts are those of the model's class in `transformers`.
    pub tensors: Vec<ForeignTensor>,
    /// The files around the weights by name: `tokenizer.json`, `tokenizer_config.json`, `chat_template.jinja`,
    /// `generation_config.json`, …, as far as there are any.
    pub files: ExtraFiles,
}

impl ForeignModel {
    /// Reads whatever model lies at a path.
    ///
    /// # Errors
    /// As the reader of the format that was found: [`gguf::read`] for a file, [`hugging_face::read`] for a folder;
    /// [`Error::NotAModel`] for a file of another kind.
    pub fn open(path: impl AsRef<Path>) -> Result<ForeignModel> {
        let path = path.as_ref();
        if gguf::is_gguf(path) {
            return gguf::read(path);
        }
        if path.is_file() {
            let path = path.to_path_buf();
            return Err(Error::NotAModel { path });
        }
        if !path.exists() {
            let needed_by =
                "a model is a package, a run's folder, a folder in Hugging Face's form or a GGUF file";
            let path = path.to_path_buf();
            return Err(Error::MissingFile { path, needed_by });
        }
        hugging_face::read(path)
    }

    /// The config with the types of quantised weights in it, as packages store them:
    /// `"quantization_config": {"quant_method": "ggml", "tensors": {NAME: "q4_k", …}}`. The config as it is where no
    /// weight is quantised.
    pub fn config_with_blocks(&self) -> Value {
        let blocks = self
            .tensors
            .iter()
            .filter_map(|tensor| Some((tensor.name(), tensor.block_type()?)));
        let types: Map<String, Value> = blocks
            .map(|(name, blocks)| (name.to_owned(), blocks.name().into()))
            .collect();
        let mut config = self.config.clone();
        if let Some(config) = config.as_object_mut().filter(|_| !types.is_empty()) {
            let quantization = Map::from_iter([
                ("quant_method".to_owned(), BLOCKS_METHOD.into()),
                ("tensors".to_owned(), types.into()),
            ]);
            config.insert(QUANTIZATION_KEY.to_owned(), quantization.into());
        }
        config
    }

    /// The weights by name as packages store them: quantised ones as U8 `[…, bytes_per_row]`. Shared, not copied.
    pub fn named_tensors(&self) -> Vec<(String, Tensor)> {
        let named = |tensor: &ForeignTensor| (tensor.name.clone(), tensor.tensor.clone());
        self.tensors.iter().map(named).collect()
    }

    /// The weight of that name.
    pub fn tensor(&self, name: &str) -> Option<&ForeignTensor> {
        let at = self
            .tensors
            .binary_search_by(|tensor| tensor.name().cmp(name))
            .ok()?;
        Some(&self.tensors[at])
    }

    /// The tokenizer in the format of the `tokenizers` library: `tokenizer.json`.
    ///
    /// # Errors
    /// [`Error::HuggingFace`] when the model came without one; `path` names it in the message.
    pub fn tokenizer_json(&self, path: &Path) -> Result<&[u8]> {
        let file = self.files.get(TOKENIZER_FILE);
        let missing = || Error::hugging_face(path)(HuggingFaceProblem::NoTokenizer);
        file.map(|bytes| &bytes[..]).ok_or_else(missing)
    }
}

/// One weight of a [`ForeignModel`].
#[derive(Clone)]
pub struct ForeignTensor {
    name: String,
    shape: Vec<usize>,
    tensor: Tensor,
    blocks: Option<BlockType>,
}

impl ForeignTensor {
    /// A weight whose elements are numbers.
    pub fn plain(name: impl Into<String>, tensor: Tensor) -> ForeignTensor {
        ForeignTensor {
            name: name.into(),
            shape: tensor.shape().to_vec(),
            tensor,
            blocks: None,
        }
    }

    /// A weight of `shape`, in blocks: `tensor` is U8 `[…, bytes_per_row]`.
    pub(crate) fn quantized(
        name: impl Into<String>,
        tensor: Tensor,
        blocks: BlockType,
        shape: Vec<usize>,
    ) -> ForeignTensor {
        ForeignTensor {
            name: name.into(),
            shape,
            tensor,
            blocks: Some(blocks),
        }
    }

    /// A quantised weight from the U8 tensor `[…, bytes_per_row]` of its blocks; `None` where the type or the length of
    /// the rows does not fit.
    pub fn from_blocks(name: impl Into<String>, tensor: Tensor, blocks: BlockType) -> Option<ForeignTensor> {
        let (row_bytes, rows) = tensor.shape().split_last()?;
        if tensor.dtype() != DType::U8 || !row_bytes.is_multiple_of(blocks.block_bytes()) {
            return None;
        }
        let cols = row_bytes / blocks.block_bytes() * blocks.block_len();
        let shape = rows.iter().copied().chain([cols]).collect();
        Some(ForeignTensor::quantized(name, tensor, blocks, shape))
    }

    /// Its name, as in `transformers`: `model.layers.0.self_attn.q_proj.weight`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives it another name.
    pub(crate) fn rename(&mut self, name: String) {
        self.name = name;
    }

    /// The same weight with its elements reordered; `tensor` has the type and shape of the old one.
    pub(crate) fn with_tensor(self, tensor: Tensor) -> ForeignTensor {
        ForeignTensor { tensor, ..self }
    }

    /// The length of each axis, in weights.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The weights as they are stored: of the tensor's own type and [`shape`](Self::shape), or, where there is a
    /// [`block_type`](Self::block_type), U8 `[…, bytes_per_row]`.
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// The format of the blocks of a quantised weight.
    pub fn block_type(&self) -> Option<BlockType> {
        self.blocks
    }

    /// The name of its type: `f32`, `bf16`, `q4_k`.
    pub fn type_name(&self) -> &'static str {
        match self.blocks {
            Some(blocks) => blocks.name(),
            None => self.tensor.dtype().name(),
        }
    }

    /// The weights as F32, of [`shape`](Self::shape): converted, or read from their blocks.
    ///
    /// # Errors
    /// Those of reading the tensor; none for one that a reader gave.
    pub fn to_f32(&self) -> gradus_tensor::Result<Tensor> {
        let Some(blocks) = self.blocks else {
            return self.tensor.detach().to_dtype(DType::F32);
        };
        let stored = self.tensor.contiguous()?;
        let bytes = stored.as_slice::<u8>()?;
        Ok(Tensor::build(&self.shape, |out: &mut [f32]| {
            dequantize(out, bytes, blocks)
        }))
    }
}
