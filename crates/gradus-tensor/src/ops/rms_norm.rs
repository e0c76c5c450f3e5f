//! Root-mean-square normalisation.

use gradus_kernels::real::Real;
use gradus_kernels::rms_norm::{self, RmsNormSaved};
use smallvec::smallvec;

use super::binary::same_dtype;
use crate::autograd::{Grads, record};
use crate::dispatch::{for_real, through_f32};
use crate::dtype::{DType, Element};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

impl Tensor {
    /// `x / √(mean(x²) + epsilon) · weight` over the last axis, with `weight` of shape `[width]` (Zhang and Sennrich,
    /// 2019). Saves `x` and one number a row. PyTorch's `rms_norm`; half types compute through `f32`.
    ///
    /// # Errors
    /// [`Error::InvalidShape`] for a scalar; [`Error::ShapeMismatch`], [`Error::DTypeMismatch`] for a weight that does
    /// not fit; [`Error::UnsupportedDType`] for integers.
    pub fn rms_norm(&self, weight: &Tensor, epsilon: f64) -> Result<Tensor> {
        if let Some(result) = through_f32(self, |x| x.rms_norm(&weight.to_dtype(DType::F32)?, epsilon)) {
            return result;
        }
        let width = check(self, weight)?;
        let (x, own_weight) = (self.detach().contiguous()?, weight.detach().contiguous()?);
        let (out, saved) =
            for_real!("rms_norm", self.dtype(), T => forward::<T>(x, own_weight, width, epsilon))?;
        Ok(record(
            "rms_norm",
            out,
            &[self, weight],
            move |d_out, needs| for_real!("rms_norm", d_out.dtype(), T => saved.backward::<T>(d_out, width, needs)),
        ))
    }
}

/// What the backward reads.
struct Saved {
    x: Tensor,
    rstd: Tensor,
    weight: Tensor,
}

fn forward<T: Element + Real>(
    x: Tensor,
    weight: Tensor,
    width: usize,
    epsilon: f64,
) -> Result<(Tensor, Saved)> {
    let (values, scale) = (x.as_slice::<T>()?, weight.as_slice::<T>()?);
    let rows = values.len() / width.max(1);
    let mut rstd_out = None;
    let out = Tensor::build(x.shape(), |out: &mut [T]| {
        rstd_out = Some(Tensor::build([rows], |rstd: &mut [T]| {
            rms_norm::rms_norm(out, rstd, values, scale, epsilon);
        }));
    });
    let rstd = rstd_out.expect("bug: the kernel has run");
    Ok((out, Saved { x, rstd, weight }))
}

impl Saved {
    /// Gradients of the input and the weight.
    fn backward<T: Element + Real>(&self, d_out: &Tensor, width: usize, needs: &[bool]) -> Result<Grads> {
        let d_out = d_out.contiguous()?;
        let d = d_out.as_slice::<T>()?;
        let saved = RmsNormSaved {
            x: self.x.as_slice::<T>()?,
            rstd: self.rstd.as_slice::<T>()?,
            weight: self.weight.as_slice::<T>()?,
        };
        let mut d_weight_out = None;
        let mut run = |d_x: Option<&mut [T]>| match needs[1] {
            true => {
                d_weight_out = Some(Tensor::build([width], |d_weight: &mut [T]| {
                    rms_norm::rms_norm_backward(d_x, Some(d_weight), d, saved);
                }));
            }
            false => rms_norm::rms_norm_backward(d_x, None, d, saved),
        };
        let d_x = match needs[0] {
            true => Some(Tensor::build(self.x.shape(), |d_x: &mut [T]| run(Some(d_x)))),
            false => {
                run(None);
                None
            }
        };
        Ok(smallvec![d_x, d_weight_out])
    }
}

/// The length of the last axis.
fn check(x: &Tensor, weight: &Tensor) -> Result<usize> {
    let op = "rms_norm";
    let Some(&width) = x.shape().last() else {
        let rule = "rows have one axis at least";
        return Err(Error::InvalidShape {
            op,
            shape: vec![],
            rule,
        });
    };
    same_dtype(op, x, weight)?;
    if weight.shape() != [width] {
        let (lhs, rhs) = (x.shape().to_vec(), weight.shape().to_vec());
        let rule = "the weight has one element for each of the last axis";
        return Err(Error::ShapeMismatch { op, lhs, rhs, rule });
    }
    Ok(width)
}
