//! What can go wrong in a tensor operation.

use crate::dtype::DType;

/// The result of a tensor operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A caller's mistake in a tensor operation; each names the operation and what it was given.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two operands' shapes do not fit each other.
    #[error("{op}: shapes {lhs:?} and {rhs:?} do not fit together; {rule}")]
    ShapeMismatch {
        /// The operation.
        op: &'static str,
        /// Shape of the first operand.
        lhs: Vec<usize>,
        /// Shape of the second operand.
        rhs: Vec<usize>,
        /// What the operation asks for.
        rule: &'static str,
    },
    /// One operand's shape is not one the operation takes.
    #[error("{op}: shape {shape:?} does not do; {rule}")]
    InvalidShape {
        /// The operation.
        op: &'static str,
        /// The shape that came.
        shape: Vec<usize>,
        /// What the operation asks for.
        rule: &'static str,
    },
    /// A number of elements that does not fill a shape.
    #[error("{op}: {got} elements cannot fill shape {shape:?}, which needs {expected}")]
    ElementCount {
        /// The operation.
        op: &'static str,
        /// The shape asked for.
        shape: Vec<usize>,
        /// Elements the shape needs.
        expected: usize,
        /// Elements there are.
        got: usize,
    },
    /// Two operands that must share an element type do not.
    #[error("{op}: element types {lhs} and {rhs} differ; convert one with to_dtype")]
    DTypeMismatch {
        /// The operation.
        op: &'static str,
        /// Type of the first operand.
        lhs: DType,
        /// Type of the second operand.
        rhs: DType,
    },
    /// An element type the operation does not take.
    #[error("{op}: element type {got} does not do; expected {expected}")]
    UnsupportedDType {
        /// The operation.
        op: &'static str,
        /// The type that came.
        got: DType,
        /// The types it takes, in words.
        expected: &'static str,
    },
    /// An axis past the tensor's rank, or named twice.
    #[error("{op}: axis {axis} does not exist, or is named twice, in a tensor of rank {rank}")]
    InvalidAxis {
        /// The operation.
        op: &'static str,
        /// The axis asked for.
        axis: usize,
        /// The rank of the tensor.
        rank: usize,
    },
    /// An index past the end of an axis.
    #[error("{op}: index {index} is outside 0..{bound} (element {position} of the indices)")]
    IndexOutOfRange {
        /// The operation.
        op: &'static str,
        /// The index that came.
        index: i64,
        /// The number of valid indices.
        bound: usize,
        /// Where in the index tensor it stands.
        position: usize,
    },
    /// A range that leaves an axis.
    #[error("{op}: range {start}..{end} with step {step} leaves an axis of length {len}")]
    InvalidRange {
        /// The operation.
        op: &'static str,
        /// First index.
        start: usize,
        /// One past the last index.
        end: usize,
        /// Distance of neighbours.
        step: usize,
        /// The axis's length.
        len: usize,
    },
    /// A number given to an operation that lies outside what it allows.
    #[error("{op}: {name} is {value}; it must be {rule}")]
    InvalidArgument {
        /// The operation.
        op: &'static str,
        /// The argument's name.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The allowed values, in words.
        rule: &'static str,
    },
    /// The tensor's elements do not lie in order, so they cannot be borrowed as one slice.
    #[error("{op}: the tensor of shape {shape:?} is a strided view; call contiguous() first")]
    NotContiguous {
        /// The operation.
        op: &'static str,
        /// The shape of the view.
        shape: Vec<usize>,
    },
    /// `backward` on a tensor that no tracked tensor led to.
    #[error(
        "backward: the tensor depends on no tracked tensor or parameter; was it made under no_grad or detached?"
    )]
    NotTracked,
    /// `backward` without a seed on a tensor that is no scalar.
    #[error("backward: shape {shape:?} is no scalar; reduce it first, or pass the gradient to backward_with")]
    NotScalar {
        /// The shape of the tensor.
        shape: Vec<usize>,
    },
    /// A second `backward` through a graph that the first one freed.
    #[error("backward: the graph behind `{op}` was freed by an earlier backward; run the forward again")]
    GraphFreed {
        /// The operation whose saved tensors are gone.
        op: &'static str,
    },
    /// An operation that has no gradient was given a tracked tensor.
    #[error("{op}: has no gradient; detach the input, or run under no_grad")]
    NoGradient {
        /// The operation.
        op: &'static str,
    },
    /// More positions than a key-value cache was made for.
    #[error(
        "kv cache: {held} positions are held and {added} more do not fit its limit of {limit}; truncate it, or make it with a larger max_len"
    )]
    CacheFull {
        /// Positions held.
        held: usize,
        /// Positions to be added.
        added: usize,
        /// The most the cache may hold.
        limit: usize,
    },
    /// A checkpointed function failed when the backward ran it again.
    #[error("backward of checkpoint: {reason}; the function must do the same thing each time it runs")]
    Recompute {
        /// What the function returned.
        reason: String,
    },
    /// A file could not be mapped into memory.
    #[error("cannot map {path}: {reason}")]
    Map {
        /// The file.
        path: String,
        /// The system's message.
        reason: String,
    },
    /// Mapped bytes that cannot be viewed as the element type.
    #[error("mapped tensor: bytes {start}..{end} do not lie in the file's {len} bytes")]
    MapRange {
        /// First byte.
        start: usize,
        /// One past the last byte.
        end: usize,
        /// The file's length.
        len: usize,
    },
}
