//! What can be wrong with a file that should be one of `torch.save`.

/// How a file fails to be a dictionary of tensors that can be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PickleProblem {
    /// The form that PyTorch wrote before 1.6, or the older one in a tar archive.
    #[error(
        "it is in the form that PyTorch wrote before 1.6; load it in PyTorch and save it again, or take the model's safetensors file"
    )]
    Legacy,
    /// No archive of `torch.save`.
    #[error("it is no zip archive, as `torch.save` writes")]
    NotAnArchive,
    /// The archive's directory breaks the zip format.
    #[error("its archive is damaged: {0}")]
    Archive(&'static str),
    /// An entry lies outside the file, or over another one.
    #[error("its entry `{entry}` does not lie within the archive, apart from the others")]
    EntryPlace {
        /// The entry.
        entry: String,
    },
    /// An entry is compressed or encrypted.
    #[error("its entry `{entry}` is compressed or encrypted; `torch.save` stores entries as they are")]
    NotStored {
        /// The entry.
        entry: String,
    },
    /// Two entries share a name.
    #[error("two of its entries are named `{entry}`")]
    DuplicateEntry {
        /// The shared name.
        entry: String,
    },
    /// An entry that must be there is not.
    #[error("it has no entry `{entry}`")]
    MissingEntry {
        /// The entry.
        entry: String,
    },
    /// Numbers are stored with their most significant byte first.
    #[error("it was saved on a big-endian machine; save it again on a little-endian one")]
    BigEndian,
    /// A pickle program of absurd length.
    #[error("its program has {bytes} bytes; at most {limit} are read")]
    ProgramLength {
        /// The length.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The program was cut short.
    #[error("its program ends at byte {at}, within an instruction or before its last")]
    Truncated {
        /// Where it ended.
        at: usize,
    },
    /// An instruction that is none, or that calls what only Python could call.
    #[error("byte {at} of its program is the instruction 0x{opcode:02x}, which builds more than data")]
    Opcode {
        /// The instruction's place.
        at: usize,
        /// The instruction.
        opcode: u8,
    },
    /// An instruction that does not fit what is on the stack.
    #[error("the instruction at byte {at} of its program does not fit what was built before it")]
    Operand {
        /// The instruction's place.
        at: usize,
    },
    /// A name of a Python module that is not on the list of what a state dictionary needs.
    #[error(
        "it needs `{global}`, which could run anything and is not run here; save the model's `state_dict()` alone, or as safetensors"
    )]
    Global {
        /// Module and name, joined by a dot.
        global: String,
    },
    /// The program built something else than a dictionary of tensors.
    #[error("it holds no dictionary of tensors")]
    NoTensors,
    /// A value of the dictionary is no tensor.
    #[error("its value `{key}` is no tensor; save the model's `state_dict()` alone")]
    NotATensor {
        /// The key.
        key: String,
    },
    /// An element type without counterpart.
    #[error("tensor `{tensor}` has element type {dtype}, which gradus does not hold")]
    DType {
        /// The tensor.
        tensor: String,
        /// PyTorch's name of the storage or element type.
        dtype: String,
    },
    /// A tensor reaches out of its storage, or claims more elements than the storage has.
    #[error(
        "tensor `{tensor}` has shape {shape:?}, strides {strides:?} and offset {offset}, which its storage of {bytes} bytes cannot hold"
    )]
    Extent {
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<i64>,
        /// Its strides, in elements.
        strides: Vec<i64>,
        /// Where it begins, in elements.
        offset: i64,
        /// The storage's length.
        bytes: usize,
    },
    /// The tensors that must be copied would take far more memory than the file is long.
    #[error("its tensors are strided views that would unfold to many times the file's {bytes} bytes")]
    Unfolds {
        /// The file's length.
        bytes: usize,
    },
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
