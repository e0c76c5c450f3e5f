//! The largest element along an axis, and where it stands.

use gradus_kernels::real::Real;
use gradus_kernels::reduce::{self, Axis};
use smallvec::smallvec;

use crate::autograd::record;
use crate::dispatch::{for_real, through_f32};
use crate::dtype::{DType, Element};
use crate::error::{Error, Result};
use crate::layout::Dims;
use crate::tensor::Tensor;

impl Tensor {
    /// The largest element along `axis`, which stays with length 1 when `keepdim` and vanishes otherwise. NaN counts
    /// as largest. The gradient goes to the first of equal elements.
    ///
    /// # Errors
    /// [`Error::InvalidAxis`]; [`Error::InvalidShape`] for an empty axis; [`Error::UnsupportedDType`] for integers.
    pub fn max(&self, axis: usize, keepdim: bool) -> Result<Tensor> {
        if let Some(result) = through_f32(self, |x| x.max(axis, keepdim)) {
            return result;
        }
        check_axis("max", self, axis)?;
        let (values, places) = for_real!("max", self.dtype(), T => largest::<T>(self, axis))?;
        let from = Dims::from_slice(self.shape());
        let out = record("max", values, &[self], move |d_out, _| {
            let d_out = d_out.contiguous()?;
            let d_x = for_real!("max_backward", d_out.dtype(), T => {
                let (d_y, places) = (d_out.as_slice::<T>()?, places.as_slice::<i64>()?);
                let dims = Axis::of(&from, axis..axis + 1);
                Ok(Tensor::build(&from, |d_x: &mut [T]| reduce::max_backward(d_x, places, d_y, dims)))
            })?;
            Ok(smallvec![Some(d_x)])
        });
        if keepdim { Ok(out) } else { out.squeeze(axis) }
    }

    /// The place of the first largest element along `axis`, which vanishes, as `I64`. NaN counts as largest. Not
    /// tracked: a place has no gradient.
    ///
    /// # Errors
    /// [`Error::InvalidAxis`]; [`Error::InvalidShape`] for an empty axis; [`Error::UnsupportedDType`] for integers.
    pub fn argmax(&self, axis: usize) -> Result<Tensor> {
        if self.dtype().is_half() {
            return self.detach().to_dtype(DType::F32)?.argmax(axis);
        }
        check_axis("argmax", self, axis)?;
        let (_, places) = for_real!("argmax", self.dtype(), T => largest::<T>(self, axis))?;
        places.squeeze(axis)
    }
}

fn check_axis(op: &'static str, x: &Tensor, axis: usize) -> Result<()> {
    x.layout().check_axis(op, axis)?;
    if x.shape()[axis] == 0 {
        let rule = "an empty axis has no largest element";
        return Err(Error::InvalidShape {
            op,
            shape: x.shape().to_vec(),
            rule,
        });
    }
    Ok(())
}

/// Values and places, the axis kept with length 1.
fn largest<T: Element + Real>(x: &Tensor, axis: usize) -> Result<(Tensor, Tensor)> {
    let x = x.detach().contiguous()?;
    let mut shape = Dims::from_slice(x.shape());
    let dims = Axis::of(&shape, axis..axis + 1);
    shape[axis] = 1;
    let input = x.as_slice::<T>()?;
    let mut places = None;
    let values = Tensor::build(&shape, |values: &mut [T]| {
        places = Some(Tensor::build(&shape, |places: &mut [i64]| {
            reduce::max(values, places, input, dims)
        }));
    });
    Ok((values, places.expect("bug: the kernel has run")))
}
