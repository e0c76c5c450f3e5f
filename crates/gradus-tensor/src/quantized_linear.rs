//! The fully connected layer with quantised weights.

use std::sync::Arc;

use gradus_kernels::quant::{
    BlockType, Product, QuantizedMatrix, linear_quantized_backward, linear_quantized_shared,
};
use smallvec::smallvec;

use crate::autograd::{Grads, record};
use crate::blocks::shape_of_blocks;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::layout::Dims;
use crate::tensor::Tensor;

const OP: &str = "quantized linear";

/// Weights `[out, in]` in one of ggml's formats, repacked once for the products of this machine, with an optional bias.
///
/// The weights never become floats as a whole: products unpack them in registers. They do not train; gradients flow
/// through them to the input, so that adapters beneath them can. Cloning shares the memory.
#[derive(Clone, Debug)]
pub struct QuantizedLinear {
    weight: Arc<QuantizedMatrix>,
    bias: Option<Tensor>,
}

impl QuantizedLinear {
    /// Takes `blocks`, `U8` of shape `[out, bytes of a row]` as in a GGUF file, for rows of `in_features` weights, and
    /// a bias `[out]` of `f32`. The blocks are copied into another order; they need not stay.
    ///
    /// # Errors
    /// [`Error::InvalidShape`] when the rows are not `in_features` weights in whole blocks; [`Error::ShapeMismatch`]
    /// for another bias; [`Error::UnsupportedDType`].
    pub fn new(
        blocks: &Tensor,
        ty: BlockType,
        in_features: usize,
        bias: Option<&Tensor>,
    ) -> Result<QuantizedLinear> {
        let (rows, cols) = shape_of_blocks(OP, blocks, ty)?;
        let blocks = blocks.contiguous()?;
        let matrix = (cols == in_features)
            .then(|| QuantizedMatrix::from_blocks(ty, blocks.as_slice::<u8>().ok()?, rows, cols).ok())
            .flatten();
        let Some(weight) = matrix else {
            return Err(Error::InvalidShape {
                op: OP,
                shape: vec![rows, cols],
                rule: "the rows of the blocks are of in_features weights",
            });
        };
        if let Some(bias) = bias.filter(|bias| bias.shape() != [rows]) {
            return Err(Error::ShapeMismatch {
                op: OP,
                lhs: vec![rows, cols],
                rhs: bias.shape().to_vec(),
                rule: "the bias has one element per row of the weight",
            });
        }
        let bias = bias.map(|bias| bias.detach().contiguous()).transpose()?;
        if let Some(bias) = &bias {
            bias.as_slice::<f32>()?;
        }
        Ok(QuantizedLinear {
            weight: Arc::new(weight),
            bias,
        })
    }

    /// Features of the output.
    pub fn out_features(&self) -> usize {
        self.weight.rows()
    }

    /// Features of the input.
    pub fn in_features(&self) -> usize {
        self.weight.cols()
    }

    /// The format of the weights.
    pub fn block_type(&self) -> BlockType {
        self.weight.block_type()
    }

    /// Bytes of memory that hold the weights, all of which one forward pass of a single row reads.
    pub fn bytes(&self) -> usize {
        self.weight.bytes()
    }

    /// `x · weightᵀ + bias` for `x` of shape `[…, in]`; the result has shape `[…, out]`.
    ///
    /// `x` is `f32` (half types go through it) and is rounded to int8 with a scale for each 32 of a row, as ggml does; sums are
    /// exact within a group of weights and `f32` across groups. A row's result does not depend on other rows or on the number of threads. The gradient with respect
    /// to `x` takes that rounding for the identity: `d_x = d_out · weight`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`], [`Error::UnsupportedDType`].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let [out] = QuantizedLinear::forward_shared([self], x)?;
        Ok(out)
    }

    /// [`forward`](Self::forward) of several layers on one input, such as the queries, keys and values of attention, or the gate and
    /// the up projection of a gated MLP: `x` is rounded once, and the threads meet once for all. The formats may differ.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    ///
    /// ```
    /// use gradus_tensor::{BlockType, DType, QuantizedLinear, Tensor};
    /// let blocks = Tensor::ones([4, 32], DType::F32).to_blocks(BlockType::Q8_0)?;
    /// let layer = QuantizedLinear::new(&blocks, BlockType::Q8_0, 32, None)?;
    /// let x = Tensor::ones([2, 3, 32], DType::F32);
    /// let [gate, up] = QuantizedLinear::forward_shared([&layer, &layer], &x)?;
    /// assert_eq!((gate.shape(), up.shape()), (&[2, 3, 4][..], &[2, 3, 4][..]));
    /// # Ok::<(), gradus_tensor::Error>(())
    /// ```
    pub fn forward_shared<const N: usize>(layers: [&QuantizedLinear; N], x: &Tensor) -> Result<[Tensor; N]> {
        if x.dtype().is_half() {
            let outs = QuantizedLinear::forward_shared(layers, &x.to_dtype(DType::F32)?)?;
            return try_array(|i| outs[i].to_dtype(x.dtype()));
        }
        for layer in layers {
            layer.check(x)?;
        }
        let rows = x.shape().iter().rev().skip(1).product();
        let values = x.detach().contiguous()?;
        let values = values.as_slice::<f32>()?;
        // One buffer for all results, each a view of its part.
        let total: usize = layers.iter().map(|layer| rows * layer.out_features()).sum();
        let all = Tensor::build([total], |out| multiply(layers, out, values, rows));
        let mut start = 0;
        try_array(|i| {
            let layer = layers[i];
            let len = rows * layer.out_features();
            let out = all.narrow(0, start, len)?.reshape(layer.out_shape(x))?;
            start += len;
            let weight = layer.weight.clone();
            let shape = Dims::from_slice(x.shape());
            Ok(record(OP, out, &[x], move |d_out, _| {
                d_input(&weight, d_out, &shape)
            }))
        })
    }

    /// The weights as `f32`, `[out, in]`: the bits that ggml's readers give.
    pub fn dequantize(&self) -> Tensor {
        let rows = self.out_features();
        Tensor::build([rows, self.in_features()], |out| {
            self.weight.dequantize_rows(out, 0..rows)
        })
    }

    /// Rows of the weights by id, for an embedding: `ids` is `I64` of any shape, and the result is `f32` of shape `[ids.., in]`.
    /// Without a gradient; the bias takes no part.
    ///
    /// # Errors
    /// [`Error::UnsupportedDType`], [`Error::IndexOutOfRange`].
    pub fn rows(&self, ids: &Tensor) -> Result<Tensor> {
        let ids = crate::ops::checked_ids("rows", ids, self.out_features())?;
        let mut shape = Dims::from_slice(ids.shape());
        shape.push(self.in_features());
        let values = ids.as_slice::<i64>()?;
        Ok(Tensor::build(&shape, |out| self.weight.gather_rows(out, values)))
    }

    fn check(&self, x: &Tensor) -> Result<()> {
        if x.dtype() != DType::F32 {
            return Err(Error::UnsupportedDType {
                op: OP,
                got: x.dtype(),
                expected: "f32, bf16 or f16",
            });
        }
        if x.shape().last() != Some(&self.in_features()) {
            return Err(Error::ShapeMismatch {
                op: OP,
                lhs: x.shape().to_vec(),
                rhs: vec![self.out_features(), self.in_features()],
                rule: "x is [.., in] and weight [out, in]",
            });
        }
        Ok(())
    }

    fn out_shape(&self, x: &Tensor) -> Dims {
        let mut shape = Dims::from_slice(x.shape());
        if let Some(last) = shape.last_mut() {
            *last = self.out_features();
        }
        shape
    }
}

/// All products into the parts of `out`, layer after layer.
fn multiply<const N: usize>(layers: [&QuantizedLinear; N], out: &mut [f32], x: &[f32], rows: usize) {
    let mut rest = out;
    let mut products = layers.map(|layer| {
        let (out, after) = std::mem::take(&mut rest).split_at_mut(rows * layer.out_features());
        rest = after;
        let bias = layer.bias.as_ref().map(|bias| {
            bias.as_slice::<f32>()
                .expect("bug: the constructor checks the bias")
        });
        Product {
            out,
            weight: &layer.weight,
            bias,
        }
    });
    linear_quantized_shared(&mut products, x, rows);
}

fn d_input(weight: &QuantizedMatrix, d_out: &Tensor, shape: &[usize]) -> Result<Grads> {
    let d_out = d_out.contiguous()?;
    let d = d_out.as_slice::<f32>()?;
    let rows = shape[..shape.len() - 1].iter().product();
    Ok(smallvec![Some(Tensor::build(shape, |d_x| {
        linear_quantized_backward(d_x, d, rows, weight)
    }))])
}

/// An array whose elements are made in order, or the first error.
fn try_array<const N: usize>(mut make: impl FnMut(usize) -> Result<Tensor>) -> Result<[Tensor; N]> {
    let mut error = None;
    let made: [Option<Tensor>; N] = std::array::from_fn(|i| match error {
        None => make(i).map_err(|e| error = Some(e)).ok(),
        Some(_) => None,
    });
    match error {
        Some(error) => Err(error),
        None => Ok(made.map(|tensor| tensor.expect("bug: no error, so all were made"))),
    }
}
