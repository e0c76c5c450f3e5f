//! Arithmetic of two tensors, with broadcasting, and comparisons.

use gradus_kernels::binary::{self, Comparison};
use gradus_kernels::strided::Strided;
use smallvec::smallvec;

use crate::autograd::record;
use crate::dispatch::{for_dtype, for_real, through_f32};
use crate::dtype::Element;
use crate::error::{Error, Result};
use crate::layout::broadcast_shapes;
use crate::tensor::Tensor;

/// One method per row: its documentation, its name, and the gradients of both operands from `d_out`, `a` and `b`
/// (before they are summed back over broadcast axes).
macro_rules! binary_ops {
    ($($(#[$doc:meta])* $name:ident: |$d_out:ident, $a:ident, $b:ident| $d_a:expr, $d_b:expr;)*) => {
        impl Tensor {$(
            $(#[$doc])*
            /// Shapes broadcast.
            ///
            /// # Errors
            /// [`Error::ShapeMismatch`]; [`Error::DTypeMismatch`]; [`Error::UnsupportedDType`] for integers.
            pub fn $name(&self, rhs: &Tensor) -> Result<Tensor> {
                same_dtype(stringify!($name), self, rhs)?;
                if let Some(result) = through_f32(self, |lhs| lhs.$name(&rhs.to_dtype(lhs.dtype())?)) {
                    return result;
                }
                let out = for_real!(stringify!($name), self.dtype(), T => {
                    zip::<T, T>(stringify!($name), self, rhs, |out, shape, a, b| binary::$name(out, shape, a, b))
                })?;
                let ($a, $b) = (self.detach(), rhs.detach());
                Ok(record(stringify!($name), out, &[self, rhs], move |$d_out, needs| {
                    let d_a = needs[0].then(|| -> Result<Tensor> {
                        let d_a: Result<Tensor> = $d_a;
                        d_a?.sum_to($a.shape())
                    });
                    let d_b = needs[1].then(|| -> Result<Tensor> {
                        let d_b: Result<Tensor> = $d_b;
                        d_b?.sum_to($b.shape())
                    });
                    Ok(smallvec![d_a.transpose()?, d_b.transpose()?])
                }))
            }
        )*}
    };
}

binary_ops! {
    /// `a + b`.
    add: |d_out, a, b| Ok(d_out.clone()), Ok(d_out.clone());
    /// `a − b`.
    sub: |d_out, a, b| Ok(d_out.clone()), d_out.neg();
    /// `a · b`, element by element.
    mul: |d_out, a, b| d_out.mul(&b), d_out.mul(&a);
    /// `a / b`, element by element.
    div: |d_out, a, b| d_out.div(&b), d_out.mul(&a).and_then(|d| d.div(&b)?.div(&b)?.neg());
}

/// One method per comparison.
macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident, $comparison:ident;)*) => {
        impl Tensor {$(
            $(#[$doc])*
            /// 1 where it holds and 0 elsewhere, as `U8`. Shapes broadcast; NaN equals nothing. Not tracked.
            ///
            /// # Errors
            /// [`Error::ShapeMismatch`]; [`Error::DTypeMismatch`].
            pub fn $name(&self, rhs: &Tensor) -> Result<Tensor> {
                compare(stringify!($name), self, rhs, Comparison::$comparison)
            }
        )*}
    };
}

comparisons! {
    /// `a = b`:
    eq, Equal;
    /// `a ≠ b`:
    ne, NotEqual;
    /// `a < b`:
    lt, Less;
    /// `a ≤ b`:
    le, LessEqual;
    /// `a > b`:
    gt, Greater;
    /// `a ≥ b`:
    ge, GreaterEqual;
}

fn compare(op: &'static str, lhs: &Tensor, rhs: &Tensor, comparison: Comparison) -> Result<Tensor> {
    same_dtype(op, lhs, rhs)?;
    for_dtype!(lhs.dtype(), T => {
        zip::<T, u8>(op, lhs, rhs, |out, shape, a, b| binary::compare(out, shape, a, b, comparison))
    })
}

/// A tensor of the broadcast shape, filled by a strided kernel.
fn zip<T: Element, U: Element>(
    op: &'static str,
    lhs: &Tensor,
    rhs: &Tensor,
    kernel: impl FnOnce(&mut [U], &[usize], Strided<'_, T>, Strided<'_, T>),
) -> Result<Tensor> {
    let shape = broadcast_shapes(op, lhs.shape(), rhs.shape())?;
    let (lhs, rhs) = (
        lhs.detach().broadcast_to(&shape)?,
        rhs.detach().broadcast_to(&shape)?,
    );
    let a = Strided {
        data: lhs.storage_from_offset::<T>(op)?,
        strides: lhs.strides(),
    };
    let b = Strided {
        data: rhs.storage_from_offset::<T>(op)?,
        strides: rhs.strides(),
    };
    Ok(Tensor::build(&shape, |out| kernel(out, &shape, a, b)))
}

pub(crate) fn same_dtype(op: &'static str, lhs: &Tensor, rhs: &Tensor) -> Result<()> {
    if lhs.dtype() == rhs.dtype() {
        return Ok(());
    }
    Err(Error::DTypeMismatch {
        op,
        lhs: lhs.dtype(),
        rhs: rhs.dtype(),
    })
}
