//! Layer normalisation.

use gradus_kernels::layer_norm::{self, Affine, LayerNormGradients, LayerNormSaved, RowStatistics};
use gradus_kernels::real::Real;
use smallvec::smallvec;

use super::binary::same_dtype;
use crate::autograd::{Grads, record};
use crate::dispatch::{for_real, through_f32};
use crate::dtype::{DType, Element};
use crate::error::{Error, Result};
use crate::layout::Dims;
use crate::tensor::Tensor;

impl Tensor {
    /// `(x − mean) / √(variance + epsilon) · weight + bias` over the trailing axes `normalized_shape`, the variance
    /// divided by the count (Ba et al., 2016). `weight` and `bias` have shape `normalized_shape`. Saves `x` and two
    /// numbers a row. PyTorch's `layer_norm`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`], [`Error::DTypeMismatch`]; [`Error::UnsupportedDType`] for integers.
    pub fn layer_norm(
        &self,
        normalized_shape: &[usize],
        weight: Option<&Tensor>,
        bias: Option<&Tensor>,
        epsilon: f64,
    ) -> Result<Tensor> {
        if let Some(result) = through_f32(self, |x| {
            let [weight, bias] =
                [weight, bias].map(|affine| affine.map(|a| a.to_dtype(DType::F32)).transpose());
            x.layer_norm(normalized_shape, weight?.as_ref(), bias?.as_ref(), epsilon)
        }) {
            return result;
        }
        check(self, normalized_shape, [weight, bias])?;
        let x = self.detach().contiguous()?;
        let empty = Tensor::zeros([0], self.dtype());
        let inputs = [self, weight.unwrap_or(&empty), bias.unwrap_or(&empty)];
        let own = |affine: Option<&Tensor>| affine.map(|a| a.detach().contiguous()).transpose();
        let (weight, bias) = (own(weight)?, own(bias)?);
        let rows = self.numel() / normalized_shape.iter().product::<usize>().max(1);
        let (out, saved) = for_real!("layer_norm", self.dtype(), T => {
            forward::<T>(x, weight, bias.as_ref(), rows, epsilon)
        })?;
        let affine_shape = Dims::from_slice(normalized_shape);
        Ok(record(
            "layer_norm",
            out,
            &inputs,
            move |d_out, needs| for_real!("layer_norm", d_out.dtype(), T => saved.backward::<T>(d_out, &affine_shape, needs)),
        ))
    }
}

/// What the backward reads.
struct Saved {
    x: Tensor,
    mean: Tensor,
    rstd: Tensor,
    weight: Option<Tensor>,
}

fn forward<T: Element + Real>(
    x: Tensor,
    weight: Option<Tensor>,
    bias: Option<&Tensor>,
    rows: usize,
    epsilon: f64,
) -> Result<(Tensor, Saved)> {
    let values = x.as_slice::<T>()?;
    let affine = Affine {
        weight: weight.as_ref().map(|weight| weight.as_slice::<T>()).transpose()?,
        bias: bias.map(|bias| bias.as_slice::<T>()).transpose()?,
    };
    let (mut mean_out, mut rstd_out) = (None, None);
    let out = Tensor::build(x.shape(), |out: &mut [T]| {
        mean_out = Some(Tensor::build([rows], |mean: &mut [T]| {
            rstd_out = Some(Tensor::build([rows], |rstd: &mut [T]| {
                layer_norm::layer_norm(out, RowStatistics { mean, rstd }, values, affine, epsilon);
            }));
        }));
    });
    let (Some(mean), Some(rstd)) = (mean_out, rstd_out) else {
        unreachable!("bug: build ran its closures")
    };
    Ok((
        out,
        Saved {
            x,
            mean,
            rstd,
            weight,
        },
    ))
}

impl Saved {
    /// Gradients of the input, the weight and the bias.
    fn backward<T: Element + Real>(
        &self,
        d_out: &Tensor,
        affine_shape: &[usize],
        needs: &[bool],
    ) -> Result<Grads> {
        let d_out = d_out.contiguous()?;
        let d = d_out.as_slice::<T>()?;
        let saved = LayerNormSaved {
            x: self.x.as_slice::<T>()?,
            mean: self.mean.as_slice::<T>()?,
            rstd: self.rstd.as_slice::<T>()?,
            weight: self
                .weight
                .as_ref()
                .map(|weight| weight.as_slice::<T>())
                .transpose()?,
        };
        let (mut d_weight, mut d_bias) = (None, None);
        let mut run = |d_x: Option<&mut [T]>| match needs[1] || needs[2] {
            true => {
                d_weight = Some(Tensor::build(affine_shape, |d_weight: &mut [T]| {
                    d_bias = Some(Tensor::build(affine_shape, |d_bias: &mut [T]| {
                        let d_affine = Some([d_weight, d_bias]);
                        layer_norm::layer_norm_backward(LayerNormGradients { d_x, d_affine }, d, saved);
                    }));
                }));
            }
            false => {
                layer_norm::layer_norm_backward(LayerNormGradients { d_x, d_affine: None }, d, saved);
            }
        };
        let d_x = match needs[0] {
            true => Some(Tensor::build(self.x.shape(), |d_x: &mut [T]| run(Some(d_x)))),
            false => {
                run(None);
                None
            }
        };
        Ok(smallvec![d_x, d_weight, d_bias])
    }
}

fn check(x: &Tensor, normalized_shape: &[usize], affine: [Option<&Tensor>; 2]) -> Result<()> {
    let op = "layer_norm";
    let mismatch = |rhs: &[usize], rule| {
        let (lhs, rhs) = (x.shape().to_vec(), rhs.to_vec());
        Err(Error::ShapeMismatch { op, lhs, rhs, rule })
    };
    if normalized_shape.is_empty() || !x.shape().ends_with(normalized_shape) {
        return mismatch(
            normalized_shape,
            "the normalised shape is that of the last axes, at least one",
        );
    }
    for tensor in affine.into_iter().flatten() {
        same_dtype(op, x, tensor)?;
        if tensor.shape() != normalized_shape {
            return mismatch(tensor.shape(), "weight and bias have the normalised shape");
        }
    }
    Ok(())
}
