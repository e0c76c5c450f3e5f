//! The types of tensors in GGUF files, by ggml's numbers.

use gradus_kernels::quant::BlockType;
use gradus_tensor::DType;

use crate::foreign::narrow::NarrowType;

/// How a tensor is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GgufTensorType {
    /// Numbers of a type that tensors have.
    Plain(DType),
    /// Two-byte integers, read as I64.
    I16,
    /// Four-byte integers, read as I64.
    I32,
    /// Blocks of quantised weights.
    Blocks(BlockType),
}

/// A table: ggml's number, its name, and how it is held (`None` for types that are not).
const TYPES: [(u32, &str, Option<GgufTensorType>); 34] = {
    use GgufTensorType::{Blocks, I16, I32, Plain};
    [
        (0, "F32", Some(Plain(DType::F32))),
        (1, "F16", Some(Plain(DType::F16))),
        (2, "Q4_0", Some(Blocks(BlockType::Q4_0))),
        (3, "Q4_1", Some(Blocks(BlockType::Q4_1))),
        (6, "Q5_0", Some(Blocks(BlockType::Q5_0))),
        (7, "Q5_1", Some(Blocks(BlockType::Q5_1))),
        (8, "Q8_0", Some(Blocks(BlockType::Q8_0))),
        (9, "Q8_1", None),
        (10, "Q2_K", Some(Blocks(BlockType::Q2K))),
        (11, "Q3_K", Some(Blocks(BlockType::Q3K))),
        (12, "Q4_K", Some(Blocks(BlockType::Q4K))),
        (13, "Q5_K", Some(Blocks(BlockType::Q5K))),
        (14, "Q6_K", Some(Blocks(BlockType::Q6K))),
        (15, "Q8_K", None),
        (16, "IQ2_XXS", None),
        (17, "IQ2_XS", None),
        (18, "IQ3_XXS", None),
        (19, "IQ1_S", None),
        (20, "IQ4_NL", None),
        (21, "IQ3_S", None),
        (22, "IQ2_S", None),
        (23, "IQ4_XS", None),
        (24, "I8", Some(Plain(DType::I8))),
        (25, "I16", Some(I16)),
        (26, "I32", Some(I32)),
        (27, "I64", Some(Plain(DType::I64))),
        (28, "F64", Some(Plain(DType::F64))),
        (29, "IQ1_M", None),
        (30, "BF16", Some(Plain(DType::BF16))),
        (34, "TQ1_0", None),
        (35, "TQ2_0", None),
        (39, "MXFP4", None),
        (40, "NVFP4", None),
        (41, "Q1_0", None),
    ]
};

impl GgufTensorType {
    /// The type of a number.
    ///
    /// # Errors
    /// ggml's name of a type that is not held, or the number of one that does not exist.
    pub(super) fn find(number: u32) -> Result<GgufTensorType, String> {
        match TYPES.iter().find(|(known, _, _)| *known == number) {
            Some((_, _, Some(held))) => Ok(*held),
            Some((_, name, None)) => Err((*name).to_owned()),
            None => Err(format!("number {number}")),
        }
    }

    /// ggml's number of the type.
    pub(super) fn number(self) -> u32 {
        let row = TYPES.iter().find(|(_, _, held)| *held == Some(self));
        row.map_or(u32::MAX, |(number, _, _)| *number)
    }

    /// ggml's name of the type: `Q4_K`.
    pub fn name(self) -> &'static str {
        let row = TYPES.iter().find(|(_, _, held)| *held == Some(self));
        row.map_or("U8", |(_, name, _)| *name)
    }

    /// Bytes of a row of `cols` elements; `None` where that is no whole number of blocks, or not countable.
    pub fn row_bytes(self, cols: usize) -> Option<usize> {
        match self {
            GgufTensorType::Plain(dtype) => cols.checked_mul(dtype.size_bytes()),
            GgufTensorType::I16 => cols.checked_mul(NarrowType::I16.size_bytes()),
            GgufTensorType::I32 => cols.checked_mul(NarrowType::I32.size_bytes()),
            GgufTensorType::Blocks(blocks) => blocks.row_bytes(cols),
        }
    }
}
