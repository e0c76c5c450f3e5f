//! What a text model is made of, whichever format it came in.

use std::path::Path;

use gradus_data::text::Tokenizer;
use gradus_nn::families::transformer::TransformerConfig;
use gradus_package::foreign::{BlockType, ForeignModel, ForeignTensor};
use gradus_package::{
    CAUSAL_LM, EMBEDDING, Encoding, ExtraFiles, Lineage, Manifest, Package, PackageContents, Saved,
    Signature, TensorSpec, Verification, is_package,
};
use gradus_tensor::{DType, Tensor};
use serde_json::Value;

use crate::{Error, Result};

/// The file that holds a tokenizer, and those that say how it is used.
const TOKENIZER: &str = "tokenizer.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const CHAT_TEMPLATE: &str = "chat_template.jinja";

/// A config, weights and files of a text model.
pub struct TextParts {
    /// `config.json`.
    pub config: Value,
    /// The weights by name, under the names of Hugging Face's classes.
    pub tensors: Vec<(String, Tensor)>,
    /// The tokenizer's files and whatever else came with the model, by name.
    pub files: ExtraFiles,
}

impl TextParts {
    /// Reads the model at a path: a package, the `model` of a run, a Hugging Face folder, or a GGUF file.
    ///
    /// # Errors
    /// Whatever the reader of that format finds wrong.
    pub fn open(path: &Path) -> Result<TextParts> {
        let run = path.join("model");
        let path = if is_package(&run) { run.as_path() } else { path };
        if is_package(path) {
            // Weights are gigabytes: whoever wants them checked byte by byte calls `gradus inspect`.
            let package = Package::open_with(path, Verification::Quick)?;
            return Ok(TextParts {
                config: package.config().clone(),
                tensors: package.tensors().to_vec(),
                files: package.files().clone(),
            });
        }
        Ok(TextParts::from(ForeignModel::open(path)?))
    }

    /// Writes a package of the model, as it is: nothing is converted.
    ///
    /// # Errors
    /// [`Error::Model`] for a config that is no model of this build, [`Error::Package`] for whatever writing ends in.
    pub fn save(&self, folder: &Path, lineage: Lineage) -> Result<Saved> {
        let config = TransformerConfig::from_huggingface(&self.config)?;
        let (task, signature) = signature(&config);
        let contents = PackageContents {
            config: self.config.clone(),
            tensors: self.tensors.clone(),
            manifest: Manifest::new(task, signature, None, lineage),
            files: self.files.clone(),
            encoding: Encoding::Dense,
        };
        Ok(Package::save(folder, &contents)?)
    }

    /// The model in Hugging Face's terms, for a writer of another format.
    ///
    /// # Errors
    /// [`Error::Model`] for a config that is no model of this build, or whose block types do not fit the weights.
    pub fn to_foreign(&self) -> Result<ForeignModel> {
        let config = TransformerConfig::from_huggingface(&self.config)?;
        let foreign = |(name, tensor): &(String, Tensor)| {
            let Some(kind) = config.block_types.get(name) else {
                return Ok(ForeignTensor::plain(name, tensor.clone()));
            };
            let blocks = BlockType::from_name(kind);
            blocks
                .and_then(|blocks| ForeignTensor::from_blocks(name, tensor.clone(), blocks))
                .ok_or_else(|| Error::BlockType {
                    tensor: name.clone(),
                    found: kind.clone(),
                })
        };
        let mut tensors = self.tensors.iter().map(foreign).collect::<Result<Vec<_>>>()?;
        tensors.sort_by(|a, b| a.name().cmp(b.name()));
        Ok(ForeignModel {
            config: config.with_block_types(Default::default()).to_huggingface(),
            tensors,
            files: self.files.clone(),
        })
    }

    /// The tokenizer among the files.
    ///
    /// # Errors
    /// [`Error::NoTokenizer`] when there is none, [`Error::Text`] when it is damaged.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        let json = self.files.get(TOKENIZER).ok_or(Error::NoTokenizer)?;
        let text = |name: &str| {
            let bytes = self.files.get(name)?;
            Some(String::from_utf8_lossy(bytes).into_owned())
        };
        let tokenizer = Tokenizer::from_json(json.to_vec(), text(TOKENIZER_CONFIG).as_deref())?;
        match text(CHAT_TEMPLATE) {
            Some(template) => Ok(tokenizer.with_chat_template(&template)?),
            None => Ok(tokenizer),
        }
    }
}

impl From<ForeignModel> for TextParts {
    fn from(model: ForeignModel) -> TextParts {
        TextParts {
            config: model.config_with_blocks(),
            tensors: model.named_tensors(),
            files: model.files,
        }
    }
}

/// What goes into a text model and what comes out.
fn signature(config: &TransformerConfig) -> (&'static str, Signature) {
    let spec = |name: &str, dtype, shape: &[Option<usize>]| TensorSpec {
        name: name.to_owned(),
        dtype,
        shape: shape.to_vec(),
    };
    let (task, output) = match config.has_head() {
        true => (
            CAUSAL_LM,
            spec("logits", DType::F32, &[None, None, Some(config.vocab_size)]),
        ),
        false => (
            EMBEDDING,
            spec("embedding", DType::F32, &[None, Some(config.hidden_size)]),
        ),
    };
    let signature = Signature {
        inputs: vec![spec("input_ids", DType::I64, &[None, None])],
        outputs: vec![output],
        labels: Vec::new(),
    };
    (task, signature)
}
