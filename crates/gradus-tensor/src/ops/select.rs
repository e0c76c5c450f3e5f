//! Choosing between two tensors, element by element.

use gradus_kernels::select;
use gradus_kernels::strided::Strided;
use smallvec::smallvec;

use super::binary::same_dtype;
use crate::autograd::record;
use crate::dispatch::for_dtype;
use crate::dtype::{DType, Element};
use crate::error::{Error, Result};
use crate::layout::{Dims, broadcast_shapes};
use crate::tensor::Tensor;

impl Tensor {
    /// `a` where this condition (`U8`, true when not 0) holds and `b` elsewhere; all three broadcast together. The
    /// gradient of each operand is that of the places it was chosen for.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let x = Tensor::from_vec(vec![-1.0f32, 2.0], [2])?;
    /// let zero = Tensor::scalar(0.0f32);
    /// assert_eq!(x.gt(&zero)?.where_cond(&x, &zero)?.to_vec::<f32>()?, [0.0, 2.0]);
    /// # Ok::<(), gradus_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::UnsupportedDType`] for a condition that is not `U8`; [`Error::DTypeMismatch`] when `a` and `b` differ;
    /// [`Error::ShapeMismatch`].
    pub fn where_cond(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        let op = "where_cond";
        if self.dtype() != DType::U8 {
            return Err(Error::UnsupportedDType {
                op,
                got: self.dtype(),
                expected: "a u8 condition",
            });
        }
        same_dtype(op, a, b)?;
        let shape = broadcast_shapes(op, a.shape(), b.shape())?;
        let shape = broadcast_shapes(op, self.shape(), &shape)?;
        let out = for_dtype!(a.dtype(), T => chosen::<T>(self, [a, b], &shape))?;
        let condition = self.clone();
        let (a_shape, b_shape) = (Dims::from_slice(a.shape()), Dims::from_slice(b.shape()));
        Ok(record(op, out, &[a, b], move |d_out, needs| {
            let zero = Tensor::zeros([], d_out.dtype());
            let d_a = needs[0].then(|| condition.where_cond(d_out, &zero)?.sum_to(&a_shape));
            let d_b = needs[1].then(|| condition.where_cond(&zero, d_out)?.sum_to(&b_shape));
            Ok(smallvec![d_a.transpose()?, d_b.transpose()?])
        }))
    }
}

fn chosen<T: Element>(condition: &Tensor, operands: [&Tensor; 2], shape: &[usize]) -> Result<Tensor> {
    let condition = condition.broadcast_to(shape)?;
    let [a, b] = operands.map(|x| x.detach().broadcast_to(shape));
    let (a, b) = (a?, b?);
    let condition = view::<u8>(&condition)?;
    let (a, b) = (view::<T>(&a)?, view::<T>(&b)?);
    Ok(Tensor::build(shape, |out| {
        select::where_cond(out, shape, condition, a, b)
    }))
}

fn view<T: Element>(x: &Tensor) -> Result<Strided<'_, T>> {
    Ok(Strided {
        data: x.storage_from_offset::<T>("where_cond")?,
        strides: x.strides(),
    })
}
