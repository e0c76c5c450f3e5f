//! Conversion between element types.

use gradus_kernels::convert::{self, Number};
use smallvec::smallvec;

use crate::autograd::record;
use crate::dispatch::for_dtype;
use crate::dtype::{DType, Element};
use crate::error::Result;
use crate::tensor::Tensor;

impl Tensor {
    /// The elements as another type: rounded once to the nearest float; a float becomes an integer by truncation that
    /// saturates (NaN becomes 0), an integer becomes a narrower one by wrapping. Gradients pass between float types; a conversion to integers ends the graph.
    ///
    /// # Errors
    /// None at present; the signature is that of every op.
    pub fn to_dtype(&self, dtype: DType) -> Result<Tensor> {
        let from = self.dtype();
        if dtype == from {
            return Ok(self.clone());
        }
        let input = self.detach().contiguous()?;
        let out = for_dtype!(from, S => for_dtype!(dtype, D => cast::<S, D>(&input)))?;
        if !dtype.is_float() {
            return Ok(out);
        }
        Ok(record("to_dtype", out, &[self], move |d_out, _| {
            Ok(smallvec![Some(d_out.to_dtype(from)?)])
        }))
    }
}

fn cast<S: Element + Number, D: Element + Number>(x: &Tensor) -> Result<Tensor> {
    let values = x.as_slice::<S>()?;
    Ok(Tensor::build(x.shape(), |out: &mut [D]| {
        convert::cast(out, values)
    }))
}
