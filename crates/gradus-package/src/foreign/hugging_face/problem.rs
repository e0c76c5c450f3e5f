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
    /// A tensor is not what the config says of its blocks.
    #[error("it says that tensor `{tensor}` is in {kind} blocks, which its type and shape are not")]
    Blocks {
        /// The tensor.
        tensor: String,
        /// What the config says.
        kind: String,
    },
    /// The config lists quantised tensors that are not there.
    #[error("it lists quantised tensors of which {missing} are not in the weights")]
    BlocksMissing {
        /// How many are missing.
        missing: usize,
    },
    /// A vocabulary that cannot be turned into a tokenizer.
    #[error("line {line} is no merge of two tokens")]
    Merge {
        /// The line, counted from 1.
        line: usize,
    },
    /// A text file is no UTF-8.
    #[error("it is no UTF-8")]
    Utf8,
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
