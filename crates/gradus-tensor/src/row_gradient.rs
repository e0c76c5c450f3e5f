//! Gradients of a table of which only some rows were used: added to those rows, in place where that is possible.

use gradus_kernels::index;
use gradus_kernels::real::Real;
use gradus_kernels::reduce::Axis;

use crate::dispatch::for_real;
use crate::dtype::Element;
use crate::error::Result;
use crate::layout::Dims;
use crate::tensor::Tensor;

/// Which rows of which table a gradient of rows belongs to.
pub(crate) struct RowPlace {
    /// `I64`, one row of the table for each row of the gradient, each within the table.
    pub(crate) ids: Tensor,
    /// Shape of the table; its first axis counts rows.
    pub(crate) table: Dims,
}

impl RowPlace {
    fn dims(&self) -> Axis {
        Axis::of(&self.table, 0..1)
    }

    /// `sum + rows` with the rows in their places; without a sum, zeros and the rows.
    pub(crate) fn add_to(&self, sum: Option<Tensor>, rows: &Tensor) -> Result<Tensor> {
        for_real!("add rows", rows.dtype(), T => self.add_to_real::<T>(sum, rows))
    }

    fn add_to_real<T: Element + Real>(&self, sum: Option<Tensor>, rows: &Tensor) -> Result<Tensor> {
        let rows = rows.contiguous()?;
        let (rows, ids) = (rows.as_slice::<T>()?, self.ids.as_slice::<i64>()?);
        let Some(mut sum) = sum else {
            return Ok(Tensor::build(&self.table, |out: &mut [T]| {
                index::index_select_backward(out, rows, ids, self.dims());
            }));
        };
        if let Some(total) = sum.unshared_mut::<T>() {
            index::add_rows(total, rows, ids, self.dims());
            return Ok(sum);
        }
        let old = sum.contiguous()?;
        let old = old.as_slice::<T>()?;
        Ok(Tensor::build(&self.table, |out: &mut [T]| {
            out.copy_from_slice(old);
            index::add_rows(out, rows, ids, self.dims());
        }))
    }
}
