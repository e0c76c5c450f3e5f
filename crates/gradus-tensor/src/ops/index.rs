//! Taking elements, slices or table rows by index. Gradients of equal indices add up, in order.

use gradus_kernels::index;
use gradus_kernels::real::Real;
use gradus_kernels::reduce::Axis;
use smallvec::smallvec;

use crate::autograd::{record, record_rows};
use crate::dispatch::{for_dtype, for_real};
use crate::dtype::{DType, Element};
use crate::error::{Error, Result};
use crate::layout::Dims;
use crate::row_gradient::RowPlace;
use crate::tensor::Tensor;

impl Tensor {
    /// The slices `ids[0]`, `ids[1]`, … along `axis`; `ids` is `I64` of shape `[n]`, and `axis` gets length `n`.
    ///
    /// # Errors
    /// [`Error::InvalidAxis`]; [`Error::InvalidShape`] or [`Error::UnsupportedDType`] for other `ids`;
    /// [`Error::IndexOutOfRange`].
    pub fn index_select(&self, axis: usize, ids: &Tensor) -> Result<Tensor> {
        let op = "index_select";
        self.layout().check_axis(op, axis)?;
        if ids.rank() != 1 {
            let rule = "indices are a list, [n]";
            return Err(Error::InvalidShape {
                op,
                shape: ids.shape().to_vec(),
                rule,
            });
        }
        let ids = checked_ids(op, ids, self.shape()[axis])?;
        let from = Dims::from_slice(self.shape());
        let dims = Axis::of(&from, axis..axis + 1);
        let mut shape = from.clone();
        shape[axis] = ids.numel();
        let out = for_dtype!(self.dtype(), T => {
            taken::<T>(self, &ids, &shape, |out, x, ids| index::index_select(out, x, ids, dims))
        })?;
        if axis == 0 && !self.dtype().is_half() {
            return Ok(record_rows(op, out, self, RowPlace { ids, table: from }));
        }
        Ok(record(op, out, &[self], move |d_out, _| {
            Ok(smallvec![Some(added_back(d_out, |d_out| {
                for_real!(op, d_out.dtype(), T => {
                    scattered::<T>(d_out, &ids, &from, |d_x, d, ids| index::index_select_backward(d_x, d, ids, dims))
                })
            })?)])
        }))
    }

    /// Rows of this table, `[rows, width]`, by id: `ids` is `I64` of any shape, and the result has shape
    /// `[ids.., width]`. PyTorch's `nn.functional.embedding`.
    ///
    /// # Errors
    /// [`Error::InvalidShape`] for a table of another rank; [`Error::UnsupportedDType`]; [`Error::IndexOutOfRange`].
    pub fn embedding(&self, ids: &Tensor) -> Result<Tensor> {
        let &[_, width] = self.shape() else {
            let rule = "an embedding table is [rows, width]";
            return Err(Error::InvalidShape {
                op: "embedding",
                shape: self.shape().to_vec(),
                rule,
            });
        };
        let mut shape = Dims::from_slice(ids.shape());
        shape.push(width);
        self.index_select(0, &ids.reshape([ids.numel()])?)?
            .reshape(&shape)
    }

    /// `out[.., k, ..] = x[.., ids[.., k, ..], ..]` with the index along `axis`: `ids` is `I64` of this tensor's rank,
    /// no longer than it along any other axis, and gives the result its shape. PyTorch's `gather`.
    ///
    /// # Errors
    /// [`Error::InvalidAxis`]; [`Error::ShapeMismatch`] or [`Error::UnsupportedDType`] for other `ids`;
    /// [`Error::IndexOutOfRange`].
    pub fn gather(&self, axis: usize, ids: &Tensor) -> Result<Tensor> {
        let op = "gather";
        self.layout().check_axis(op, axis)?;
        if let Some(cropped) = cropped_to(self, ids, axis)? {
            return cropped.gather(axis, ids);
        }
        let ids = checked_ids(op, ids, self.shape()[axis])?;
        let from = Dims::from_slice(self.shape());
        let dims = Axis::of(&from, axis..axis + 1);
        let out = for_dtype!(self.dtype(), T => {
            taken::<T>(self, &ids, ids.shape(), |out, x, ids| index::gather(out, x, ids, dims))
        })?;
        Ok(record(op, out, &[self], move |d_out, _| {
            Ok(smallvec![Some(added_back(d_out, |d_out| {
                for_real!(op, d_out.dtype(), T => {
                    scattered::<T>(d_out, &ids, &from, |d_x, d, ids| index::gather_backward(d_x, d, ids, dims))
                })
            })?)])
        }))
    }
}

impl Tensor {
    /// These rows at the places `ids` of a tensor of `shape` that is zero elsewhere: the gradient of
    /// [`index_select`](Tensor::index_select) along the first axis.
    pub(crate) fn scattered_rows(&self, ids: &Tensor, shape: &[usize]) -> Result<Tensor> {
        let dims = Axis::of(shape, 0..1);
        for_real!("scattered_rows", self.dtype(), T => {
            scattered::<T>(self, ids, shape, |out, rows, ids| index::index_select_backward(out, rows, ids, dims))
        })
    }
}

/// This tensor cut down to the lengths of `ids` on all axes but one; `None` when they are equal.
fn cropped_to(x: &Tensor, ids: &Tensor, axis: usize) -> Result<Option<Tensor>> {
    let others = |x: &Tensor| (0..x.rank()).filter(|&a| a != axis).collect::<Dims>();
    let fits = x.rank() == ids.rank() && others(x).iter().all(|&a| ids.shape()[a] <= x.shape()[a]);
    if !fits {
        let (lhs, rhs) = (x.shape().to_vec(), ids.shape().to_vec());
        let rule = "the indices have the tensor's rank and are no longer on other axes";
        return Err(Error::ShapeMismatch {
            op: "gather",
            lhs,
            rhs,
            rule,
        });
    }
    let mut cropped = None;
    for a in others(x) {
        if ids.shape()[a] < x.shape()[a] {
            cropped = Some(cropped.as_ref().unwrap_or(x).narrow(a, 0, ids.shape()[a])?);
        }
    }
    Ok(cropped)
}

/// The indices in order, each checked to be within `0..bound`.
pub(crate) fn checked_ids(op: &'static str, ids: &Tensor, bound: usize) -> Result<Tensor> {
    if ids.dtype() != DType::I64 {
        return Err(Error::UnsupportedDType {
            op,
            got: ids.dtype(),
            expected: "i64 indices",
        });
    }
    let ids = ids.contiguous()?;
    let inside = |&id: &i64| usize::try_from(id).is_ok_and(|id| id < bound);
    let values = ids.as_slice::<i64>()?;
    match values.iter().position(|id| !inside(id)) {
        None => Ok(ids),
        Some(position) => Err(Error::IndexOutOfRange {
            op,
            index: values[position],
            bound,
            position,
        }),
    }
}

fn taken<T: Element>(
    x: &Tensor,
    ids: &Tensor,
    shape: &[usize],
    kernel: impl FnOnce(&mut [T], &[T], &[i64]),
) -> Result<Tensor> {
    let x = x.detach().contiguous()?;
    let (values, ids) = (x.as_slice::<T>()?, ids.as_slice::<i64>()?);
    Ok(Tensor::build(shape, |out| kernel(out, values, ids)))
}

fn scattered<T: Element + Real>(
    d_out: &Tensor,
    ids: &Tensor,
    shape: &[usize],
    kernel: impl FnOnce(&mut [T], &[T], &[i64]),
) -> Result<Tensor> {
    let (d, ids) = (d_out.as_slice::<T>()?, ids.as_slice::<i64>()?);
    Ok(Tensor::build(shape, |d_x| kernel(d_x, d, ids)))
}

/// Runs a backward that adds: half types add up in `f32` and are rounded once.
fn added_back(d_out: &Tensor, backward: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    let wide = if d_out.dtype().is_half() {
        d_out.to_dtype(DType::F32)?
    } else {
        d_out.clone()
    };
    backward(&wide.contiguous()?)?.to_dtype(d_out.dtype())
}
