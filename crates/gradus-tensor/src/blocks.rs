//! Tensors of quantised blocks: bytes in ggml's formats, one row of blocks for each row of weights.

use gradus_kernels::quant::{BlockType, dequantize, quantize};

use crate::autograd::refuse_tracked;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

impl Tensor {
    /// Quantises the rows of `[rows, cols]` to blocks: `U8` of shape `[rows, bytes of a row]`, the bytes of ggml's
    /// reference quantisers. Half types go through `f32`.
    ///
    /// # Errors
    /// [`Error::InvalidShape`] unless it is a matrix with rows of whole blocks ([`BlockType::block_len`]);
    /// [`Error::UnsupportedDType`] for other types than `f32` and the half types; [`Error::NoGradient`].
    ///
    /// ```
    /// use gradus_tensor::{BlockType, DType, Tensor};
    /// let weight = Tensor::ones([3, 64], DType::F32);
    /// let blocks = weight.to_blocks(BlockType::Q8_0)?;
    /// assert_eq!(blocks.shape(), [3, 68]);
    /// assert_eq!(blocks.from_blocks(BlockType::Q8_0)?.shape(), [3, 64]);
    /// # Ok::<(), gradus_tensor::Error>(())
    /// ```
    pub fn to_blocks(&self, ty: BlockType) -> Result<Tensor> {
        let op = "to_blocks";
        refuse_tracked(op, &[self])?;
        let (rows, bytes) = match *self.shape() {
            [rows, cols] => (rows, ty.row_bytes(cols)),
            _ => (0, None),
        };
        let Some(row_bytes) = bytes else {
            let rule = "the rows of a matrix of whole blocks (of 32 weights, or 256 for the K formats)";
            return Err(Error::InvalidShape {
                op,
                shape: self.shape().to_vec(),
                rule,
            });
        };
        let x = if self.dtype().is_half() {
            self.to_dtype(DType::F32)?
        } else {
            self.clone()
        };
        let x = x.detach().contiguous()?;
        let values = x.as_slice::<f32>()?;
        Ok(Tensor::build([rows, row_bytes], |blocks: &mut [u8]| {
            quantize(blocks, values, ty)
        }))
    }

    /// The weights of `[rows, bytes of a row]` blocks, `f32` of shape `[rows, cols]`: the bits of ggml's readers.
    ///
    /// # Errors
    /// [`Error::InvalidShape`] unless it is a matrix with rows of whole blocks ([`BlockType::block_bytes`]);
    /// [`Error::UnsupportedDType`] for other types than `u8`.
    pub fn from_blocks(&self, ty: BlockType) -> Result<Tensor> {
        let (rows, cols) = shape_of_blocks("from_blocks", self, ty)?;
        let blocks = self.contiguous()?;
        let blocks = blocks.as_slice::<u8>()?;
        Ok(Tensor::build([rows, cols], |out| dequantize(out, blocks, ty)))
    }
}

/// Rows and columns of the weights that a tensor of blocks holds.
pub(crate) fn shape_of_blocks(op: &'static str, blocks: &Tensor, ty: BlockType) -> Result<(usize, usize)> {
    if blocks.dtype() != DType::U8 {
        return Err(Error::UnsupportedDType {
            op,
            got: blocks.dtype(),
            expected: "u8 blocks",
        });
    }
    let shape = blocks.shape();
    let cols = |bytes: usize| (bytes / ty.block_bytes()).checked_mul(ty.block_len());
    match *shape {
        [rows, bytes] if bytes.is_multiple_of(ty.block_bytes()) => match cols(bytes) {
            Some(cols) if rows.checked_mul(cols).is_some() => Ok((rows, cols)),
            Some(_) | None => Err(not_blocks(op, shape)),
        },
        _ => Err(not_blocks(op, shape)),
    }
}

fn not_blocks(op: &'static str, shape: &[usize]) -> Error {
    Error::InvalidShape {
        op,
        shape: shape.to_vec(),
        rule: "quantised weights are [rows, bytes], each row a whole number of blocks",
    }
}
