//! The fully connected layer as one op: product, bias and activation in one pass over the output.

use gradus_kernels::gemm::{Epilogue, MatRef, Operand, Precision, gemm_bf16, gemm_f32};
use half::bf16;
use smallvec::smallvec;

use crate::autograd::{Grads, needs_graph, record};
use crate::dtype::{DType, Element};
use crate::error::{Error, Result};
use crate::layout::Dims;
use crate::tensor::Tensor;

/// What follows a linear map, element by element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    #[default]
    Identity,
    /// `max(x, 0)`; its gradient at 0 is 0.
    Relu,
    /// `x Φ(x)`, exact (by the error function).
    Gelu,
    /// The tanh approximation of GELU.
    GeluTanh,
    /// `x σ(x)`, also called swish.
    Silu,
    /// Hyperbolic tangent.
    Tanh,
    /// The logistic function.
    Sigmoid,
}

impl Tensor {
    /// Applies this activation.
    ///
    /// # Errors
    /// [`Error::UnsupportedDType`] for integers.
    pub fn activate(&self, activation: Activation) -> Result<Tensor> {
        match activation {
            Activation::Identity => Ok(self.clone()),
            Activation::Relu => self.relu(),
            Activation::Gelu => self.gelu(),
            Activation::GeluTanh => self.gelu_tanh(),
            Activation::Silu => self.silu(),
            Activation::Tanh => self.tanh(),
            Activation::Sigmoid => self.sigmoid(),
        }
    }

    /// `activation(x · weightᵀ + bias)` for `x` of shape `[…, in]`, `weight` `[out, in]` and `bias` `[out]`;
    /// the result has shape `[…, out]`. PyTorch's `nn.functional.linear` with the activation fused.
    ///
    /// As [`linear_in`](Tensor::linear_in) with [`Precision::F32`].
    ///
    /// # Errors
    /// As [`linear_in`](Tensor::linear_in).
    pub fn linear(&self, weight: &Tensor, bias: Option<&Tensor>, activation: Activation) -> Result<Tensor> {
        self.linear_in(weight, bias, activation, Precision::F32)
    }

    /// As [`linear`](Tensor::linear), with the products of the forward pass and of both gradients in the given
    /// precision; sums, bias, activation and the result are in the type of `x`.
    ///
    /// With [`Precision::Bf16`] (mixed precision), `x` is `f32` and so are the result and the gradients: operands are
    /// rounded to bf16 on their way into each product, the sums are `f32`, and the weight may stay an `f32` master copy. Other types
    /// of `x`: half types go through `f32`; `f64` computes in `f64` and takes [`Precision::F32`] alone.
    ///
    /// `weight` has the type of `x`, or is bf16 beside an `f32` `x` (widened, exactly, for [`Precision::F32`]); so has
    /// `bias`. Saves `x`, `weight` and (for [`Activation::Relu`]) the output for its backward, which computes no
    /// gradient that nobody asked for.
    ///
    /// ```
    /// use gradus_tensor::{Activation, Precision, Tensor};
    /// let x = Tensor::from_vec(vec![1.0f32, 2.0], [1, 2])?;
    /// let weight = Tensor::from_vec(vec![3.0f32, 4.0, -5.0, 0.001], [2, 2])?;
    /// let y = x.linear_in(&weight, None, Activation::Identity, Precision::Bf16)?;
    /// // 0.001 is no bf16 number, 0.00099945068359375 is.
    /// assert_eq!(y.to_vec::<f32>()?, [11.0, -4.9980011]);
    /// # Ok::<(), gradus_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] when the shapes do not fit; [`Error::DTypeMismatch`] when the types do not go
    /// together; [`Error::UnsupportedDType`] for [`Precision::Bf16`] with an `f64` `x`, and for integers.
    pub fn linear_in(
        &self,
        weight: &Tensor,
        bias: Option<&Tensor>,
        activation: Activation,
        precision: Precision,
    ) -> Result<Tensor> {
        check_linear(self, weight, bias)?;
        let fused = match activation {
            Activation::Identity | Activation::Relu => true,
            // Their gradients need the value before the activation, so a fused pass would save nothing.
            Activation::Gelu
            | Activation::GeluTanh
            | Activation::Silu
            | Activation::Tanh
            | Activation::Sigmoid => false,
        };
        match (self.dtype(), precision) {
            (DType::F32, _) if fused => {
                linear_f32(self, weight, bias, (activation == Activation::Relu, precision))
            }
            (DType::F32, _) => linear_f32(self, weight, bias, (false, precision))?.activate(activation),
            (DType::F64 | DType::I64 | DType::U8 | DType::I8, Precision::Bf16) => {
                Err(Error::UnsupportedDType {
                    op: "linear in bf16",
                    got: self.dtype(),
                    expected: "f32 or a half type",
                })
            }
            (DType::BF16 | DType::F16, Precision::Bf16) => {
                let wide = |x: &Tensor| x.to_dtype(DType::F32);
                let bias = bias.map(wide).transpose()?;
                let weight = if weight.dtype() == DType::BF16 {
                    weight.clone()
                } else {
                    wide(weight)?
                };
                wide(self)?
                    .linear_in(&weight, bias.as_ref(), activation, precision)?
                    .to_dtype(self.dtype())
            }
            (DType::F64 | DType::BF16 | DType::F16 | DType::I64 | DType::U8 | DType::I8, Precision::F32) => {
                linear_unfused(self, weight, bias)?.activate(activation)
            }
        }
    }
}

/// The fused op for an `f32` `x`, with a ReLU or without.
fn linear_f32(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    (relu, precision): (bool, Precision),
) -> Result<Tensor> {
    // Small beside the product: as f32, whatever they are stored as. Gradients pass through the conversion.
    let bias = bias.map(|bias| bias.to_dtype(DType::F32)).transpose()?;
    let weight = match precision {
        Precision::F32 => &weight.to_dtype(DType::F32)?,
        Precision::Bf16 => weight,
    };
    let out = forward(x, weight, bias.as_ref(), (relu, precision))?;
    let empty = Tensor::zeros([0], DType::F32);
    let inputs = [x, weight, bias.as_ref().unwrap_or(&empty)];
    if !needs_graph(&inputs) {
        return Ok(out);
    }
    let saved = Saved {
        x: x.detach(),
        weight: weight.detach(),
        out: relu.then(|| out.clone()),
        precision,
    };
    Ok(record("linear", out, &inputs, move |d_out, needs| {
        saved.backward(d_out, needs)
    }))
}

/// Shapes `x [rows, in]`, `weight [out, in]`, output `[rows, out]`.
fn forward(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    (relu, precision): (bool, Precision),
) -> Result<Tensor> {
    let (x2, weight) = (x.detach().reshape([rows(x), last(x)])?, weight.detach());
    let bias = bias.map(|b| b.contiguous()).transpose()?;
    let bias = bias.as_ref().map(|b| b.as_slice::<f32>()).transpose()?;
    let shape = with_last(x.shape(), weight.shape()[0]);
    product(
        &shape,
        (operand(&x2)?, operand(&weight)?.t()),
        Epilogue { bias, relu },
        precision,
    )
}

/// `epilogue(a · b)` as a tensor of this shape.
fn product(
    shape: &[usize],
    (a, b): (Operand, Operand),
    epilogue: Epilogue<f32>,
    precision: Precision,
) -> Result<Tensor> {
    match (precision, a, b) {
        (Precision::Bf16, a, b) => Ok(Tensor::build(shape, |out| gemm_bf16(out, a, b, false, epilogue))),
        (Precision::F32, Operand::F32(a), Operand::F32(b)) => {
            Ok(Tensor::build(shape, |out| gemm_f32(out, a, b, false, epilogue)))
        }
        (Precision::F32, Operand::F32(_) | Operand::Bf16(_), Operand::F32(_) | Operand::Bf16(_)) => {
            Err(Error::DTypeMismatch {
                op: "linear",
                lhs: DType::F32,
                rhs: DType::BF16,
            })
        }
    }
}

struct Saved {
    x: Tensor,
    weight: Tensor,
    /// The output, when a ReLU was fused: its zeros are where no gradient passes.
    out: Option<Tensor>,
    precision: Precision,
}

impl Saved {
    /// Gradients of `x`, `weight` and `bias`, each only when needed.
    fn backward(&self, d_out: &Tensor, needs: &[bool]) -> Result<Grads> {
        let (rows, features) = (rows(d_out), last(d_out));
        let d_pre = match &self.out {
            Some(out) => d_out.relu_backward(out)?,
            None => d_out.clone(),
        };
        let d_pre = d_pre.reshape([rows, features])?.contiguous()?;
        let d = operand(&d_pre)?;
        let plain = |shape: &[usize], a: Operand, b: Operand| {
            product(shape, (a, b), Epilogue::default(), self.precision)
        };
        let d_x = needs[0].then(|| plain(self.x.shape(), d, operand(&self.weight)?));
        let d_weight = needs[1].then(|| {
            let x2 = self.x.reshape([rows, last(&self.x)])?;
            plain(self.weight.shape(), d.t(), operand(&x2)?)?.to_dtype(self.weight.dtype())
        });
        let d_bias = needs[2].then(|| d_pre.sum([0], false));
        Ok(smallvec![
            d_x.transpose()?,
            d_weight.transpose()?,
            d_bias.transpose()?
        ])
    }
}

/// Types other than `f32`, as separate ops.
fn linear_unfused(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let product = x.reshape([rows(x), last(x)])?.matmul(&weight.t()?)?;
    let product = product.reshape(with_last(x.shape(), weight.shape()[0]))?;
    match bias {
        Some(bias) => product.add(bias),
        None => Ok(product),
    }
}

fn check_linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<()> {
    if x.rank() == 0 || weight.rank() != 2 || last(x) != weight.shape()[1] {
        return Err(mismatch(x, weight.shape()));
    }
    for other in std::iter::once(weight).chain(bias) {
        let stored_narrow = x.dtype() == DType::F32 && other.dtype() == DType::BF16;
        if other.dtype() != x.dtype() && !stored_narrow {
            return Err(Error::DTypeMismatch {
                op: "linear",
                lhs: x.dtype(),
                rhs: other.dtype(),
            });
        }
    }
    match bias {
        Some(bias) if bias.shape() != [weight.shape()[0]] => {
            let (lhs, rhs) = (weight.shape().to_vec(), bias.shape().to_vec());
            Err(Error::ShapeMismatch {
                op: "linear",
                lhs,
                rhs,
                rule: "the bias has one element per row of the weight",
            })
        }
        Some(_) | None => Ok(()),
    }
}

pub(super) fn mismatch(x: &Tensor, weight: &[usize]) -> Error {
    let (lhs, rhs) = (x.shape().to_vec(), weight.to_vec());
    Error::ShapeMismatch {
        op: "linear",
        lhs,
        rhs,
        rule: "x is [.., in] and weight [out, in]",
    }
}

/// A matrix over an `f32` or bf16 tensor of rank 2 with any strides.
pub(super) fn operand(x: &Tensor) -> Result<Operand<'_>> {
    match x.dtype() {
        DType::BF16 => matrix::<bf16>(x).map(Operand::Bf16),
        DType::F32 | DType::F64 | DType::F16 | DType::I64 | DType::U8 | DType::I8 => {
            matrix::<f32>(x).map(Operand::F32)
        }
    }
}

/// A matrix over a tensor of rank 2 with any strides.
pub(super) fn matrix<T: Element>(x: &Tensor) -> Result<MatRef<'_, T>> {
    let data = x.storage_from_offset::<T>("linear")?;
    let (shape, strides) = (x.shape(), x.strides());
    Ok(MatRef {
        data,
        rows: shape[0],
        cols: shape[1],
        row_stride: strides[0],
        col_stride: strides[1],
    })
}

pub(super) fn last(x: &Tensor) -> usize {
    x.shape()[x.rank() - 1]
}

pub(super) fn rows(x: &Tensor) -> usize {
    x.shape()[..x.rank() - 1].iter().product()
}

pub(super) fn with_last(shape: &[usize], last: usize) -> Dims {
    let mut out = Dims::from_slice(shape);
    let end = out.len() - 1;
    out[end] = last;
    out
}
