//! Sums and means along axes.

use gradus_kernels::real::Real;
use gradus_kernels::reduce::{self, Axis};
use smallvec::smallvec;

use crate::autograd::record;
use crate::dispatch::{for_real, through_f32};
use crate::dtype::Element;
use crate::error::{Error, Result};
use crate::layout::Dims;
use crate::tensor::Tensor;

impl Tensor {
    /// The sum along each of `axes`; they stay with length 1 when `keepdim`, and vanish otherwise. No axes: the
    /// tensor itself. An empty axis sums to 0. Accumulates in the elements' type in a fixed order (half types in
    /// `f32`).
    ///
    /// # Errors
    /// [`Error::InvalidAxis`] for an axis that does not exist or is named twice;
    /// [`Error::UnsupportedDType`] for integers.
    pub fn sum(&self, axes: impl AsRef<[usize]>, keepdim: bool) -> Result<Tensor> {
        let reduced = reduced_axes("sum", self, axes.as_ref())?;
        if let Some(result) = through_f32(self, |x| x.sum(&reduced, keepdim)) {
            return result;
        }
        let out = for_real!("sum", self.dtype(), T => sum_axes::<T>(self, &reduced))?;
        let from = Dims::from_slice(self.shape());
        let summed = record("sum", out, &[self], move |d_out, _| {
            Ok(smallvec![Some(d_out.broadcast_to(&from)?)])
        });
        if keepdim {
            Ok(summed)
        } else {
            summed.drop_axes(&reduced)
        }
    }

    /// The sum of all elements, as a scalar.
    ///
    /// # Errors
    /// [`Error::UnsupportedDType`] for integers.
    pub fn sum_all(&self) -> Result<Tensor> {
        self.sum((0..self.rank()).collect::<Dims>(), false)
    }

    /// The mean along each of `axes`, as [`sum`](Tensor::sum); NaN along an empty axis.
    ///
    /// # Errors
    /// As [`sum`](Tensor::sum).
    pub fn mean(&self, axes: impl AsRef<[usize]>, keepdim: bool) -> Result<Tensor> {
        let reduced = reduced_axes("mean", self, axes.as_ref())?;
        if let Some(result) = through_f32(self, |x| x.mean(&reduced, keepdim)) {
            return result;
        }
        let count: usize = reduced.iter().map(|&axis| self.shape()[axis]).product();
        self.sum(&reduced, keepdim)?.mul_scalar(1.0 / count as f64)
    }

    /// The mean of all elements, as a scalar.
    ///
    /// # Errors
    /// [`Error::UnsupportedDType`] for integers.
    pub fn mean_all(&self) -> Result<Tensor> {
        self.mean((0..self.rank()).collect::<Dims>(), false)
    }

    /// Without `axes`, which all have length one.
    pub(crate) fn drop_axes(&self, axes: &[usize]) -> Result<Tensor> {
        let shape: Dims = (0..self.rank())
            .filter(|axis| !axes.contains(axis))
            .map(|axis| self.shape()[axis])
            .collect();
        self.reshape(&shape)
    }
}

/// The axes in ascending order, each checked.
pub(crate) fn reduced_axes(op: &'static str, x: &Tensor, axes: &[usize]) -> Result<Dims> {
    let mut sorted = Dims::from_slice(axes);
    sorted.sort_unstable();
    for (i, &axis) in sorted.iter().enumerate() {
        if axis >= x.rank() || (i > 0 && sorted[i - 1] == axis) {
            return Err(Error::InvalidAxis {
                op,
                axis,
                rank: x.rank(),
            });
        }
    }
    Ok(sorted)
}

/// Sums the axes from the last to the first, neighbouring ones at once; each stays with length 1.
fn sum_axes<T: Element + Real>(x: &Tensor, axes: &[usize]) -> Result<Tensor> {
    let mut sum = x.detach().contiguous()?;
    let mut rest = axes;
    while let Some(&last) = rest.last() {
        let run = rest
            .iter()
            .rev()
            .zip((0..=last).rev())
            .take_while(|&(&axis, expected)| axis == expected)
            .count();
        rest = &rest[..rest.len() - run];
        let group = last + 1 - run..last + 1;
        let mut shape = Dims::from_slice(sum.shape());
        let dims = Axis::of(&shape, group.clone());
        shape[group].fill(1);
        let values = sum.as_slice::<T>()?;
        sum = Tensor::build(&shape, |out| reduce::sum(out, values, dims));
    }
    Ok(sum)
}
