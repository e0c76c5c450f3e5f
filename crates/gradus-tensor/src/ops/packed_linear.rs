//! The fully connected layer for inference: its weight packed once, and no gradient.

use gradus_kernels::gemm::{
    Epilogue, Operand, PackedBf16, PackedF32, Precision, gemm_packed_bf16, gemm_packed_f32,
};

use super::linear::{last, matrix, mismatch, operand, rows, with_last};
use crate::autograd::refuse_tracked;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// A weight packed once for many forward passes without gradients.
pub struct PackedLinear {
    weight: Weight,
    shape: [usize; 2],
    bias: Option<Tensor>,
    relu: bool,
}

enum Weight {
    F32(PackedF32),
    Bf16(PackedBf16),
}

impl PackedLinear {
    /// Packs `weight` `[out, in]` in its own type, `f32` or bf16, and keeps `bias` `[out]`; `relu` fuses the activation.
    ///
    /// # Errors
    /// As [`new_in`](PackedLinear::new_in).
    pub fn new(weight: &Tensor, bias: Option<&Tensor>, relu: bool) -> Result<PackedLinear> {
        let precision = match weight.dtype() {
            DType::BF16 => Precision::Bf16,
            DType::F32 | DType::F64 | DType::F16 | DType::I64 | DType::U8 | DType::I8 => Precision::F32,
        };
        PackedLinear::new_in(weight, bias, relu, precision)
    }

    /// Packs `weight` `[out, in]` for products in a precision: with [`Precision::Bf16`] it is kept as bf16 (half the
    /// memory and, for a few rows, twice the speed), with [`Precision::F32`] as `f32`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`], [`Error::InvalidShape`]; [`Error::UnsupportedDType`] for weights that are neither `f32` nor bf16.
    pub fn new_in(
        weight: &Tensor,
        bias: Option<&Tensor>,
        relu: bool,
        precision: Precision,
    ) -> Result<PackedLinear> {
        let weight = weight.detach();
        let shape = check_weight(&weight, bias)?;
        let bias = bias
            .map(|b| b.detach().to_dtype(DType::F32)?.contiguous())
            .transpose()?;
        let weight = match (precision, operand(&weight)?.t()) {
            (Precision::F32, Operand::F32(view)) => Weight::F32(PackedF32::new(view)),
            (Precision::F32, Operand::Bf16(_)) => {
                return PackedLinear::new_in(&weight.to_dtype(DType::F32)?, bias.as_ref(), relu, precision);
            }
            (Precision::Bf16, view @ (Operand::F32(_) | Operand::Bf16(_))) => {
                Weight::Bf16(PackedBf16::new(view))
            }
        };
        Ok(PackedLinear {
            weight,
            shape,
            bias,
            relu,
        })
    }

    /// As [`Tensor::linear_in`] for an `f32` `x` of shape `[…, in]`, without a gradient.
    ///
    /// # Errors
    /// [`Error::NoGradient`] for a tracked `x` while gradients are recorded; [`Error::ShapeMismatch`],
    /// [`Error::UnsupportedDType`].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        refuse_tracked("packed linear", &[x])?;
        let [out_features, in_features] = self.shape;
        if x.rank() == 0 || last(x) != in_features {
            return Err(mismatch(x, &self.shape));
        }
        let x2 = x.detach().reshape([rows(x), in_features])?;
        let a = matrix::<f32>(&x2)?;
        let bias = self.bias.as_ref().map(|b| b.as_slice::<f32>()).transpose()?;
        let epilogue = Epilogue {
            bias,
            relu: self.relu,
        };
        let shape = with_last(x.shape(), out_features);
        Ok(Tensor::build(&shape, |out| match &self.weight {
            Weight::F32(weight) => gemm_packed_f32(out, a, weight, false, epilogue),
            Weight::Bf16(weight) => gemm_packed_bf16(out, a.into(), weight, false, epilogue),
        }))
    }
}

fn check_weight(weight: &Tensor, bias: Option<&Tensor>) -> Result<[usize; 2]> {
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
    Ok([out, input])
}
