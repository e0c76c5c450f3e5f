//! Dropout.

use gradus_kernels::dropout::dropout;
use smallvec::smallvec;

use crate::autograd::record;
use crate::dispatch::{for_real, through_f32};
use crate::dtype::Element;
use crate::error::{Error, Result};
use crate::tensor::Tensor;
use gradus_kernels::real::Real;

impl Tensor {
    /// Each element 0 with probability `p`, else divided by `1 − p` (Srivastava et al., 2014). Which ones is a pure
    /// function of `seed` and the element's place; draw the seed from [`next_forward_seed`](crate::rng::next_forward_seed).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a `p` outside `0..=1`; [`Error::UnsupportedDType`] for integers.
    pub fn dropout(&self, p: f64, seed: u64) -> Result<Tensor> {
        if !(0.0..=1.0).contains(&p) {
            return Err(Error::InvalidArgument {
                op: "dropout",
                name: "p",
                value: p,
                rule: "within 0 and 1",
            });
        }
        if let Some(result) = through_f32(self, |x| x.dropout(p, seed)) {
            return result;
        }
        let masked = move |x: &Tensor| for_real!("dropout", x.dtype(), T => masked::<T>(x, p, seed));
        let out = masked(&self.detach().contiguous()?)?;
        Ok(record("dropout", out, &[self], move |d_out, _| {
            Ok(smallvec![Some(masked(&d_out.contiguous()?)?)])
        }))
    }
}

fn masked<T: Element + Real>(x: &Tensor, p: f64, seed: u64) -> Result<Tensor> {
    let values = x.as_slice::<T>()?;
    Ok(Tensor::build(x.shape(), |out| dropout(out, values, p, seed)))
}
