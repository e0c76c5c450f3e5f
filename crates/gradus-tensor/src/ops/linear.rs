//! The fully connected layer as one op: product, bias and activation in one pass over the output.

use gradus_kernels::gemm::{Epilogue, MatRef, PackedF32, gemm_f32, gemm_packed_f32};
use smallvec::smallvec;

use crate::autograd::{Grads, needs_graph, record, refuse_tracked};
use crate::dtype::DType;
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
    /// `f32` products accumulate in `f32`. Saves `x`, `weight` and (for [`Activation::Relu`]) the output for its
    /// backward, which computes no gradient that nobody asked for.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] when the shapes do not fit; [`Error::DTypeMismatch`] when the types differ.
    pub fn linear(&self, weight: &Tensor, bias: Option<&Tensor>, activation: Activation) -> Result<Tensor> {
        check_linear(self, weight, bias)?;
        let fused = match activation {
            Activation::Identity | Activation::Relu => self.dtype() == DType::F32,
            // Their gradients need the value before the activation, so a fused pass would save nothing.
            Activation::Gelu
            | Activation::GeluTanh
            | Activation::Silu
            | Activation::Tanh
            | Activation::Sigmoid => false,
        };
        if !fused {
            return linear_unfused(self, weight, bias)?.activate(activation);
        }
        let relu = activation == Activation::Relu;
        let out = forward(self, weight, bias, relu)?;
        let empty = Tensor::zeros([0], DType::F32);
        let inputs = [self, weight, bias.unwrap_or(&empty)];
        if !needs_graph(&inputs) {
            return Ok(out);
        }
        let saved = Saved {
            x: self.detach(),
            weight: weight.detach(),
            out: relu.then(|| out.clone()),
        };
        Ok(record("linear", out, &inputs, move |d_out, needs| {
            saved.backward(d_out, needs)
        }))
    }
}

/// Shapes `x [rows, in]`, `weight [out, in]`, output `[rows, out]`.
fn forward(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, relu: bool) -> Result<Tensor> {
    let (x2, weight) = (x.detach().reshape([rows(x), last(x)])?, weight.detach());
    let (a, b) = (matrix(&x2)?, matrix(&weight)?.t());
    let bias = bias.map(|b| b.contiguous()).transpose()?;
    let bias = bias.as_ref().map(|b| b.as_slice::<f32>()).transpose()?;
    let shape = with_last(x.shape(), weight.shape()[0]);
    Ok(Tensor::build(&shape, |out| {
        gemm_f32(out, a, b, false, Epilogue { bias, relu })
    }))
}

struct Saved {
    x: Tensor,
    weight: Tensor,
    /// The output, when a ReLU was fused: its zeros are where no gradient passes.
    out: Option<Tensor>,
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
        let d = matrix(&d_pre)?;
        let d_x = needs[0].then(|| -> Result<Tensor> {
            let weight = matrix(&self.weight)?;
            Ok(Tensor::build(self.x.shape(), |out| {
                gemm_f32(out, d, weight, false, Epilogue::default())
            }))
        });
        let d_weight = needs[1].then(|| -> Result<Tensor> {
            let x2 = self.x.reshape([rows, last(&self.x)])?;
            let x = matrix(&x2)?;
            Ok(Tensor::build(self.weight.shape(), |out| {
                gemm_f32(out, d.t(), x, false, Epilogue::default())
            }))
        });
        let d_bias = needs[2].then(|| d_pre.sum([0], false));
        Ok(smallvec![
            d_x.transpose()?,
            d_weight.transpose()?,
            d_bias.transpose()?
        ])
    }
}

fn linear_unfused(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    if x.dtype() == DType::F32 {
        return x.linear(weight, bias, Activation::Identity);
    }
    let product = x.reshape([rows(x), last(x)])?.matmul(&weight.t()?)?;
    let product = product.reshape(with_last(x.shape(), weight.shape()[0]))?;
    match bias {
        Some(bias) => product.add(bias),
        None => Ok(product),
    }
}

/// A weight packed once for many forward passes without gradients.
pub struct PackedLinear {
    weight: PackedF32,
    shape: [usize; 2],
    bias: Option<Tensor>,
    relu: bool,
}

impl PackedLinear {
    /// Packs `weight` `[out, in]` and keeps `bias` `[out]`, both `f32`; `relu` fuses the activation.
    ///
    /// # Errors
    /// As [`Tensor::linear`], and [`Error::UnsupportedDType`] for other types than `f32`.
    pub fn new(weight: &Tensor, bias: Option<&Tensor>, relu: bool) -> Result<PackedLinear> {
        let weight = weight.detach();
        let &[out, input] = weight.shape() else {
            let rule = "a weight is [out, in]";
            return Err(Error::InvalidShape {
                op: "linear",
                shape: weight.shape().to_vec(),
                rule,
            });
        };
        if let Some(bias) = bias.filter(|bias| bias.shape() != [out]) {
            let (lhs, rhs) = (weight.shape().to_vec(), bias.shape().to_vec());
            let rule = "the bias has one element per row of the weight";
            return Err(Error::ShapeMismatch {
                op: "linear",
                lhs,
                rhs,
                rule,
            });
        }
        let bias = bias.map(|b| b.detach().contiguous()).transpose()?;
        let packed = PackedF32::new(matrix(&weight)?.t());
        Ok(PackedLinear {
            weight: packed,
            shape: [out, input],
            bias,
            relu,
        })
    }

    /// As [`Tensor::linear`] for `x` of shape `[…, in]`, without a gradient.
    ///
    /// # Errors
    /// [`Error::NoGradient`] for a tracked `x` while gradients are recorded; [`Error::ShapeMismatch`],
    /// [`Error::UnsupportedDType`].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        refuse_tracked("packed linear", &[x])?;
        refuse_tracked("packed linear", &[x])?;
        let [out_features, in_features] = self.shape;
        if x.rank() == 0 || last(x) != in_features {
            return Err(mismatch(x, &self.shape));
        }
        let x2 = x.detach().reshape([rows(x), in_features])?;
        let a = matrix(&x2)?;
        let bias = self.bias.as_ref().map(|b| b.as_slice::<f32>()).transpose()?;
        let epilogue = Epilogue {
            bias,
            relu: self.relu,
        };
        let shape = with_last(x.shape(), out_features);
        Ok(Tensor::build(&shape, |out| {
            gemm_packed_f32(out, a, &self.weight, false, epilogue)
        }))
    }
}

fn check_linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<()> {
    if x.rank() == 0 || weight.rank() != 2 || last(x) != weight.shape()[1] {
        return Err(mismatch(x, weight.shape()));
    }
    for other in std::iter::once(weight).chain(bias) {
        if other.dtype() != x.dtype() {
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

fn mismatch(x: &Tensor, weight: &[usize]) -> Error {
    let (lhs, rhs) = (x.shape().to_vec(), weight.to_vec());
    Error::ShapeMismatch {
        op: "linear",
        lhs,
        rhs,
        rule: "x is [.., in] and weight [out, in]",
    }
}

/// A matrix over a tensor of rank 2 with any strides.
pub(crate) fn matrix(x: &Tensor) -> Result<MatRef<'_, f32>> {
    let data = x.storage_from_offset::<f32>("matmul")?;
    let (shape, strides) = (x.shape(), x.strides());
    Ok(MatRef {
        data,
        rows: shape[0],
        cols: shape[1],
        row_stride: strides[0],
        col_stride: strides[1],
    })
}

fn last(x: &Tensor) -> usize {
    x.shape()[x.rank() - 1]
}

fn rows(x: &Tensor) -> usize {
    x.shape()[..x.rank() - 1].iter().product()
}

fn with_last(shape: &[usize], last: usize) -> Dims {
    let mut out = Dims::from_slice(shape);
    let end = out.len() - 1;
    out[end] = last;
    out
}
