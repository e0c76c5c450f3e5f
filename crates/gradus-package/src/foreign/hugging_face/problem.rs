//! What can be wrong with a Hugging Face folder.

/// How a folder fails to be a model that can be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HuggingFaceProblem {
    /// There are no weights.
    #[error("it has no weights: none of {} is there", looked_for.join(", "))]
    NoWeights {
        /// The files that would have been read.
        looked_for: &'static [&'static str],
    },
    /// `config.json` is JSON, but no object.
    #[error("it is no JSON object")]
    ConfigShape,
    /// The weights are stored in a quantised form of another library.
    #[error(
        "its weights are quantised by `{method}`, which gradus does not read; take the model's original weights, or a GGUF file of it"
    )]
    Quantized {
        /// The `quant_method` of the config.
        method: String,
    },
    /// An index leads out of the folder.
    #[error("it places tensor `{tensor}` in `{file}`; only plain file names are allowed")]
    ShardName {
        /// The tensor.
        tensor: String,
        /// The file it is said to be in.
        file: String,
    },
    /// An index names a tensor that its shard does not have.
    #[error("it places tensor `{tensor}` in `{file}`, which has no such tensor; download the folder again")]
    NotInShard {
        /// The tensor.
        tensor: String,
        /// The file it is said to be in.
        file: String,
    },
    /// A tokenizer was asked for and none came with the model.
    #[error(
        "it has no tokenizer: neither tokenizer.json nor vocab.json with merges.txt nor vocab.txt is there; give one beside the model"
    )]
    NoTokenizer,
}
