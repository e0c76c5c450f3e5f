//! What can be wrong with a GGUF file.

/// How a file fails to be a GGUF file that can be read as a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GgufProblem {
    /// The first four bytes are not `GGUF`.
    #[error("it does not begin with GGUF")]
    NotGguf,
    /// A version that is not read.
    #[error("it has GGUF version {version}; versions 2 and 3 are read")]
    Version {
        /// The version it declares.
        version: u32,
    },
    /// Numbers are stored with their most significant byte first.
    #[error("it is a big-endian file; convert it with llama.cpp's gguf_convert_endian.py")]
    BigEndian,
    /// The file ends too soon.
    #[error("it ends at byte {length}, within {what}; the file was cut short")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// The file's length.
        length: usize,
    },
    /// A count that the rest of the file cannot hold.
    #[error("it claims {count} {what}, more than its {length} bytes can hold")]
    Count {
        /// What is counted.
        what: &'static str,
        /// The count claimed.
        count: u64,
        /// The file's length.
        length: usize,
    },
    /// A name is empty, absurdly long, or no UTF-8.
    #[error("the name at byte {at} is empty, too long or no UTF-8")]
    Name {
        /// Where the name begins.
        at: usize,
    },
    /// Two metadata keys or two tensors share a name.
    #[error("two {what} are named `{name}`")]
    Duplicate {
        /// `metadata keys` or `tensors`.
        what: &'static str,
        /// The shared name.
        name: String,
    },
    /// A metadata value of a type that the format does not have.
    #[error("metadata `{key}` has value type {kind}, which the format does not have")]
    ValueType {
        /// The key.
        key: String,
        /// The number of the type.
        kind: u32,
    },
    /// Arrays of arrays, which no program writes.
    #[error("metadata `{key}` nests arrays more than {limit} deep")]
    Depth {
        /// The key.
        key: String,
        /// The limit.
        limit: usize,
    },
    /// A key that must be there is not.
    #[error("its metadata has no `{key}`")]
    MissingKey {
        /// The key.
        key: String,
    },
    /// A metadata value is not what it must be.
    #[error("its metadata `{key}` is not {expected}")]
    Value {
        /// The key.
        key: String,
        /// What it must be.
        expected: &'static str,
    },
    /// An alignment that is no power of two.
    #[error("its alignment {alignment} is no power of two")]
    Alignment {
        /// The alignment.
        alignment: u32,
    },
    /// A shape that cannot be.
    #[error(
        "tensor `{tensor}` has {rank} dimensions {dimensions:?}; 1 to 4 are read, whose product is countable"
    )]
    Shape {
        /// The tensor.
        tensor: String,
        /// The number of dimensions.
        rank: u32,
        /// The dimensions, as far as they were read.
        dimensions: Vec<u64>,
    },
    /// An element type that gradus does not hold.
    #[error(
        "tensor `{tensor}` has type {type_name}, which gradus does not read; take a file of type F16, BF16, Q4_0 to Q8_0 or Q2_K to Q6_K"
    )]
    TensorType {
        /// The tensor.
        tensor: String,
        /// ggml's name of the type, or its number.
        type_name: String,
    },
    /// Rows that are no whole number of blocks.
    #[error("tensor `{tensor}` has rows of {cols} weights, no whole number of {type_name} blocks")]
    Row {
        /// The tensor.
        tensor: String,
        /// Weights in a row.
        cols: u64,
        /// The block type.
        type_name: &'static str,
    },
    /// A tensor that leaves the file, or starts where none may.
    #[error(
        "tensor `{tensor}` lies at offset {offset} with {bytes} bytes, outside the file or off its alignment"
    )]
    Place {
        /// The tensor.
        tensor: String,
        /// Where it begins, after the header.
        offset: u64,
        /// Its length.
        bytes: u64,
    },
    /// Two tensors share bytes.
    #[error("tensors `{first}` and `{second}` overlap")]
    Overlap {
        /// The one that begins first.
        first: String,
        /// The other.
        second: String,
    },
    /// The file is one of several.
    #[error("it is one of {count} files of a split model; join them with `llama-gguf-split --merge`")]
    Split {
        /// How many there are.
        count: u64,
    },
    /// An architecture that gradus has no family for.
    #[error("its architecture is `{architecture}`; gradus reads {}", known.join(", "))]
    Architecture {
        /// The architecture.
        architecture: String,
        /// Those that are known.
        known: Vec<&'static str>,
    },
    /// A variant of a known architecture that gradus has no family for.
    #[error("its {what}, which gradus does not have")]
    Variant {
        /// What it has: `layers are mixtures of experts`.
        what: &'static str,
    },
    /// A tensor that the architecture does not have.
    #[error("tensor `{tensor}` is none of architecture `{architecture}`")]
    UnknownTensor {
        /// The tensor.
        tensor: String,
        /// The architecture.
        architecture: &'static str,
    },
    /// A tensor's shape does not fit the metadata.
    #[error(
        "tensor `{tensor}` of shape {shape:?} does not divide into {heads} heads of an even number of rows"
    )]
    Heads {
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
        /// The number of heads.
        heads: u64,
    },
    /// The vocabulary has no counterpart in the other format: `tokenizer.json`, or GGUF's.
    #[error("the vocabulary cannot be converted: {0}")]
    Vocabulary(#[from] VocabularyProblem),
    /// The tensor library refused.
    #[error("tensor `{tensor}`")]
    Tensor {
        /// The tensor.
        tensor: String,
        /// The failure.
        #[source]
        source: Box<gradus_tensor::Error>,
    },
}

/// Why a vocabulary cannot be turned into a `tokenizer.json`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VocabularyProblem {
    /// A kind of tokenizer that is not converted.
    #[error("`tokenizer.ggml.model` is `{model}`; gpt2, llama and bert are converted")]
    Model {
        /// The kind.
        model: String,
    },
    /// A way of splitting text before the merges that is not known.
    #[error(
        "`tokenizer.ggml.pre` is `{pre}`, whose rules are not known; give the model's own tokenizer.json"
    )]
    PreTokenizer {
        /// The name of the rules.
        pre: String,
    },
    /// A tokenizer that splits text in a way that llama.cpp does not have.
    #[error(
        "llama.cpp has no tokenizer that splits text as this one does ({pre_tokenizer}); it has byte-level ones of GPT-2's, SmolLM's, Llama 3's and Qwen's kind, SentencePiece and WordPiece, and none of characters"
    )]
    NoCounterpart {
        /// The `pre_tokenizer` of `tokenizer.json`.
        pre_tokenizer: String,
    },
    /// A list that should have an entry for each token has another length.
    #[error("`{key}` has {got} entries for {tokens} tokens")]
    Length {
        /// The list.
        key: &'static str,
        /// Its entries.
        got: usize,
        /// The tokens.
        tokens: usize,
    },
    /// A token is no UTF-8.
    #[error("token {id} is no UTF-8")]
    Utf8 {
        /// The token's place.
        id: usize,
    },
    /// A merge rule is not two tokens.
    #[error("merge {at} `{merge}` does not join two tokens to a third")]
    Merge {
        /// The rule's place.
        at: usize,
        /// The rule.
        merge: String,
    },
    /// A vocabulary that cannot write every byte would lose text.
    #[error("it has no token for byte 0x{byte:02X}")]
    MissingByte {
        /// The byte.
        byte: u8,
    },
    /// A special token is no token.
    #[error("`{key}` is {id}, and there are {tokens} tokens")]
    TokenId {
        /// The metadata key.
        key: &'static str,
        /// The token's place.
        id: u64,
        /// The tokens.
        tokens: usize,
    },
    /// Pieces that can be made in more ways than those of any real vocabulary.
    #[error("its pieces can be joined in more than {limit} ways")]
    TooManyMerges {
        /// The limit.
        limit: usize,
    },
    /// More tokens than any vocabulary has, or longer ones.
    #[error("it has {tokens} tokens of {bytes} bytes; at most {limit} of each are read")]
    TooLarge {
        /// The tokens.
        tokens: usize,
        /// Bytes of all of them.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}
