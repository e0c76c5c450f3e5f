//! What a reader of a foreign format gives, whichever format it was.

use std::path::Path;

use gradus_tensor::Tensor;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::files::ExtraFiles;
use crate::foreign::hugging_face::{self, HuggingFaceProblem, TOKENIZER_FILE};

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
    /// As the reader of the format that was found: [`hugging_face::read`] for a folder.
    pub fn open(path: impl AsRef<Path>) -> Result<ForeignModel> {
        hugging_face::read(path)
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
}

impl ForeignTensor {
    /// A weight whose elements are numbers.
    pub fn plain(name: impl Into<String>, tensor: Tensor) -> ForeignTensor {
        ForeignTensor {
            name: name.into(),
            shape: tensor.shape().to_vec(),
            tensor,
        }
    }

    /// Its name, as in `transformers`: `model.layers.0.self_attn.q_proj.weight`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives it another name.
    pub(crate) fn rename(&mut self, name: String) {
        self.name = name;
    }

    /// The length of each axis, in weights.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The weights.
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }
}
