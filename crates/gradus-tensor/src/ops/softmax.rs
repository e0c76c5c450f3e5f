//! Softmax and its logarithm along an axis.

use gradus_kernels::real::Real;
use gradus_kernels::softmax;
use smallvec::smallvec;

use crate::autograd::record;
use crate::dispatch::{for_real, through_f32};
use crate::dtype::Element;
use crate::error::Result;
use crate::tensor::Tensor;

/// One method per row: its documentation, its kernel and the kernel's backward, which starts from the output.
macro_rules! softmax_ops {
    ($($(#[$doc:meta])* $name:ident, $backward:ident;)*) => {
        impl Tensor {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// [`Error::InvalidAxis`](crate::Error::InvalidAxis);
            /// [`Error::UnsupportedDType`](crate::Error::UnsupportedDType) for integers.
            pub fn $name(&self, axis: usize) -> Result<Tensor> {
                self.layout().check_axis(stringify!($name), axis)?;
                if let Some(result) = through_f32(self, |x| x.$name(axis)) {
                    return result;
                }
                let last = self.rank() - 1;
                if axis != last {
                    return self.transpose(axis, last)?.$name(last)?.transpose(axis, last)?.contiguous();
                }
                let x = self.detach().contiguous()?;
                let y = for_real!(stringify!($name), self.dtype(), T => along_rows::<T>(&x, softmax::$name))?;
                let saved = y.clone();
                Ok(record(stringify!($name), y, &[self], move |d_out, _| {
                    let d_out = d_out.contiguous()?;
                    let d_x = for_real!(stringify!($backward), d_out.dtype(), T => {
                        let (y, d_y) = (saved.as_slice::<T>()?, d_out.as_slice::<T>()?);
                        along_rows::<T>(&d_out, |d_x, _, classes| softmax::$backward(d_x, y, d_y, classes))
                    })?;
                    Ok(smallvec![Some(d_x)])
                }))
            }
        )*}
    };
}

softmax_ops! {
    /// `eˣ / Σ eˣ` along `axis`, computed from `x − max x`, so large values do not overflow.
    softmax, softmax_backward;
    /// `x − log Σ eˣ` along `axis`: the logarithm of [`softmax`](Tensor::softmax) without its underflow.
    log_softmax, log_softmax_backward;
}

/// A tensor like `x`, filled by a kernel that works on rows of the last axis.
fn along_rows<T: Element + Real>(x: &Tensor, kernel: impl FnOnce(&mut [T], &[T], usize)) -> Result<Tensor> {
    let (values, row_len) = (x.as_slice::<T>()?, x.shape()[x.rank() - 1]);
    Ok(Tensor::build(x.shape(), |out| kernel(out, values, row_len)))
}
