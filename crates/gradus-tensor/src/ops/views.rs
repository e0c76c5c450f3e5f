//! Ops that give another view of the same memory: no element is copied, except where `reshape` has to.

use smallvec::smallvec;

use crate::autograd::record;
use crate::error::{Error, Result};
use crate::layout::{Dims, Layout};
use crate::tensor::{Tensor, check_count};

impl Tensor {
    /// The same elements in row-major order under another shape. Copies only when the strides allow no view.
    ///
    /// # Errors
    /// [`Error::ElementCount`] when the shapes hold different numbers of elements.
    pub fn reshape(&self, shape: impl AsRef<[usize]>) -> Result<Tensor> {
        let shape = shape.as_ref();
        check_count("reshape", shape, self.numel())?;
        let out = match self.layout().reshape(shape) {
            Some(layout) => self.view_as(layout),
            None => self.detach().contiguous()?.view_as(Layout::contiguous(shape)),
        };
        let from = Dims::from_slice(self.shape());
        Ok(record("reshape", out, &[self], move |d_out, _| {
            Ok(smallvec![Some(d_out.reshape(&from)?)])
        }))
    }

    /// Axes `start..=end` merged into one.
    ///
    /// # Errors
    /// [`Error::InvalidAxis`] when `end` does not exist or lies before `start`.
    pub fn flatten(&self, start: usize, end: usize) -> Result<Tensor> {
        self.layout().check_axis("flatten", end)?;
        if start > end {
            return Err(Error::InvalidAxis {
                op: "flatten",
                axis: start,
                rank: self.rank(),
            });
        }
        let mut shape = Dims::from_slice(&self.shape()[..start]);
        shape.push(self.shape()[start..=end].iter().product());
        shape.extend_from_slice(&self.shape()[end + 1..]);
        self.reshape(&shape)
    }

    /// Axes reordered: axis `i` of the result is axis `order[i]` of this tensor.
    ///
    /// # Errors
    /// [`Error::InvalidAxis`] or [`Error::InvalidShape`] when `order` does not name every axis once.
    pub fn permute(&self, order: impl AsRef<[usize]>) -> Result<Tensor> {
        let order = Dims::from_slice(order.as_ref());
        let out = self.view_as(self.layout().permute(&order)?);
        Ok(record("permute", out, &[self], move |d_out, _| {
            let mut inverse = Dims::from_elem(0, order.len());
            for (to, &from) in order.iter().enumerate() {
                inverse[from] = to;
            }
            Ok(smallvec![Some(d_out.permute(&inverse)?)])
        }))
    }

    /// Two axes exchanged.
    ///
    /// # Errors
    /// [`Error::InvalidAxis`] when one does not exist.
    pub fn transpose(&self, first: usize, second: usize) -> Result<Tensor> {
        self.layout().check_axis("transpose", first)?;
        self.layout().check_axis("transpose", second)?;
        let mut order: Dims = (0..self.rank()).collect();
        order.swap(first, second);
        self.permute(&order)
    }

    /// The last two axes exchanged: a matrix's transpose, for each matrix of a batch.
    ///
    /// # Errors
    /// [`Error::InvalidShape`] for fewer than two axes.
    pub fn t(&self) -> Result<Tensor> {
        let rank = self.rank();
        if rank < 2 {
            let rule = "a transpose needs two axes";
            return Err(Error::InvalidShape {
                op: "t",
                shape: self.shape().to_vec(),
                rule,
            });
        }
        self.transpose(rank - 2, rank - 1)
    }

    /// Elements `start`, `start + step`, … before `end` along one axis.
    ///
    /// # Errors
    /// [`Error::InvalidAxis`]; [`Error::InvalidRange`] when the range leaves the axis or `step` is 0.
    pub fn slice(&self, axis: usize, start: usize, end: usize, step: usize) -> Result<Tensor> {
        let out = self.view_as(self.layout().slice(axis, start, end, step)?);
        let from = Dims::from_slice(self.shape());
        Ok(record("slice", out, &[self], move |d_out, _| {
            let window = Layout::contiguous(&from).slice(axis, start, end, step)?;
            Ok(smallvec![Some(d_out.scatter_into_zeros(&from, &window)?)])
        }))
    }

    /// `len` neighbouring elements along one axis, from `start` on.
    ///
    /// # Errors
    /// As [`slice`](Tensor::slice).
    pub fn narrow(&self, axis: usize, start: usize, len: usize) -> Result<Tensor> {
        self.slice(axis, start, start.saturating_add(len), 1)
    }

    /// The tensor repeated, without copying, along axes of length one and along new leading axes.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] when an axis has another length than 1 and the one asked for.
    pub fn broadcast_to(&self, shape: impl AsRef<[usize]>) -> Result<Tensor> {
        let out = self.view_as(self.layout().broadcast_to(shape.as_ref())?);
        let from = Dims::from_slice(self.shape());
        Ok(record("broadcast_to", out, &[self], move |d_out, _| {
            Ok(smallvec![Some(d_out.sum_to(&from)?)])
        }))
    }

    /// Without an axis of length one.
    ///
    /// # Errors
    /// [`Error::InvalidAxis`]; [`Error::InvalidShape`] when the axis is longer.
    pub fn squeeze(&self, axis: usize) -> Result<Tensor> {
        self.layout().check_axis("squeeze", axis)?;
        let mut shape = Dims::from_slice(self.shape());
        if shape.remove(axis) != 1 {
            let rule = "only an axis of length 1 can be squeezed";
            return Err(Error::InvalidShape {
                op: "squeeze",
                shape: self.shape().to_vec(),
                rule,
            });
        }
        self.reshape(&shape)
    }

    /// With a new axis of length one before `axis`.
    ///
    /// # Errors
    /// [`Error::InvalidAxis`] when `axis` is larger than the rank.
    pub fn unsqueeze(&self, axis: usize) -> Result<Tensor> {
        if axis > self.rank() {
            return Err(Error::InvalidAxis {
                op: "unsqueeze",
                axis,
                rank: self.rank(),
            });
        }
        let mut shape = Dims::from_slice(self.shape());
        shape.insert(axis, 1);
        self.reshape(&shape)
    }

    /// This gradient summed over the axes along which a tensor of shape `shape` was broadcast.
    pub(crate) fn sum_to(&self, shape: &[usize]) -> Result<Tensor> {
        if self.shape() == shape {
            return Ok(self.clone());
        }
        let lead = self.rank() - shape.len();
        let repeated = |axis: usize| axis < lead || (shape[axis - lead] == 1 && self.shape()[axis] != 1);
        let axes: Dims = (0..self.rank()).filter(|&axis| repeated(axis)).collect();
        self.sum(&axes, true)?.reshape(shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(shape: &[usize]) -> Tensor {
        let n = shape.iter().product::<usize>();
        Tensor::from_vec((0..n).map(|i| i as f32).collect(), shape).unwrap()
    }

    #[test]
    fn transposing_views_the_same_elements() {
        let x = counted(&[2, 3]);
        assert_eq!(
            x.t().unwrap().to_vec::<f32>().unwrap(),
            [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]
        );
        assert_eq!(x.t().unwrap().strides(), &[1, 3]);
    }

    #[test]
    fn a_stepped_slice_of_a_transpose_reshapes_by_copying() {
        let x = counted(&[4, 3]).t().unwrap().slice(1, 1, 4, 2).unwrap();
        assert_eq!(x.shape(), &[3, 2]);
        let flat = x.reshape([6]).unwrap();
        assert_eq!(flat.to_vec::<f32>().unwrap(), [3.0, 9.0, 4.0, 10.0, 5.0, 11.0]);
    }

    #[test]
    fn out_of_range_views_are_errors() {
        let x = counted(&[2, 3]);
        assert!(matches!(
            x.slice(1, 2, 5, 1),
            Err(Error::InvalidRange { end: 5, len: 3, .. })
        ));
        assert!(matches!(
            x.narrow(0, usize::MAX, 2),
            Err(Error::InvalidRange { .. })
        ));
        assert!(matches!(
            x.permute([0, 0]),
            Err(Error::InvalidAxis { axis: 0, .. })
        ));
        assert!(matches!(
            x.reshape([7]),
            Err(Error::ElementCount {
                expected: 7,
                got: 6,
                ..
            })
        ));
        assert!(matches!(x.squeeze(1), Err(Error::InvalidShape { .. })));
    }
}
