//! Matrix products of f32 and f64, and of bf16 with f32 sums: `out = epilogue(a · b)`, or `epilogue(out + a · b)`.
//!
//! Operands are strided views ([`MatRef`], [`Operand`]), so a transposition costs nothing before the call. Sums are
//! accumulated in the operands' own type, those of bf16 in f32. NaN and infinities propagate: zero times NaN is NaN.
//!
//! The bits of a result do not depend on the number of threads.
//!
//! Measured on two Zen 4 cores whose multiply-adds peak at 232 GFLOP/s in f32 and 464 in bf16, on the products of transformer
//! layers in training (widths 384 and 768, forward, d_input and d_weight): 83-91 % of the peak in f32, 79-91 % in bf16 from
//! strided f32 operands, 82-93 % with the weight packed before. With 1 to 4 rows a weight is streamed at the speed of a plain
//! read of memory. `cargo run --release --example gemm_speed` prints the table.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod bf16;
mod library;
pub mod naive;
mod operand;
mod packed;
mod packed_bf16;
mod precision;
mod rounded;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::{tile, words};
pub use bf16::gemm_bf16;
pub use operand::Operand;
pub use packed::{PackedF32, gemm_packed_f32};
pub use packed_bf16::{PackedBf16, gemm_packed_bf16};
pub use precision::Precision;

use crate::isa::{Isa, isa};
pub use crate::matrix::{Epilogue, MatRef};
use crate::real::Real;

/// A product whose operands, `A` and `B`, have been checked against each other and against their data.
#[derive(Clone, Copy, Debug)]
pub struct Product<'a, T, A = MatRef<'a, T>, B = A> {
    pub(crate) a: A,
    pub(crate) b: B,
    dims: (usize, usize, usize),
    pub(crate) accumulate: bool,
    pub(crate) epilogue: Epilogue<'a, T>,
}

impl<'a, T> Product<'a, T> {
    /// `a` `[m, k]` times `b` `[k, n]`; `accumulate` adds to what the output holds before the epilogue.
    ///
    /// # Panics
    /// If the inner dimensions differ, a view reaches out of its data, or the bias has not one value a column.
    pub fn new(a: MatRef<'a, T>, b: MatRef<'a, T>, accumulate: bool, epilogue: Epilogue<'a, T>) -> Self {
        assert!(a.fits() && b.fits(), "gemm: an operand reaches out of its data");
        let shapes = ((a.rows, a.cols), (b.rows, b.cols));
        Product::of_shapes((a, shapes.0), (b, shapes.1), accumulate, epilogue)
    }
}

impl<'a, T, A, B> Product<'a, T, A, B> {
    /// Of operands that are known to lie in their data, each with its rows and columns.
    fn of_shapes(
        (a, (m, a_cols)): (A, (usize, usize)),
        (b, (k, n)): (B, (usize, usize)),
        accumulate: bool,
        epilogue: Epilogue<'a, T>,
    ) -> Self {
        assert_eq!(a_cols, k, "gemm: columns of a and rows of b differ");
        assert!(
            epilogue.bias.is_none_or(|bias| bias.len() == n),
            "gemm: bias must have a value a column"
        );
        Product {
            a,
            b,
            dims: (m, n, k),
            accumulate,
            epilogue,
        }
    }

    /// Rows of `a`, columns of `b`, and the dimension summed over.
    pub fn dims(&self) -> (usize, usize, usize) {
        self.dims
    }
}

/// `out[m, n] = epilogue(a[m, k] · b[k, n])` in f32; with `accumulate`, `epilogue(out + a · b)`.
///
/// `out` is dense and row-major. Any strides, any size, zero included (an empty sum is zero).
///
/// # Panics
/// If the sizes do not fit together, as [`Product::new`], or `out` is not `m * n` long.
///
/// ```
/// use gradus_kernels::gemm::{Epilogue, MatRef, gemm_f32};
/// let mut out = [0.0; 2];
/// let (x, w) = ([1.0, 2.0], [3.0, 4.0, -5.0, 0.0]);
/// // A linear layer: the weight is stored [out_features, in_features] and used transposed.
/// let epilogue = Epilogue { bias: Some(&[0.5, 0.5]), relu: true };
/// gemm_f32(&mut out, MatRef::row_major(&x, 1, 2), MatRef::row_major(&w, 2, 2).t(), false, epilogue);
/// assert_eq!(out, [11.5, 0.0]);
/// ```
pub fn gemm_f32(out: &mut [f32], a: MatRef<f32>, b: MatRef<f32>, accumulate: bool, epilogue: Epilogue<f32>) {
    let product = Product::new(a, b, accumulate, epilogue);
    checked(out, &product, |out| f32_on(isa(), out, &product));
}

/// The f32 product by the kernels of one instruction set, which must be one of those available.
fn f32_on(isa: Isa, out: &mut [f32], product: &Product<f32>) {
    let (m, n, _) = product.dims();
    match isa {
        // Each element of a matrix meets one vector or two: packing it costs more than using it. The crate does
        // not pack and is 2 to 3 times as fast as our kernel here; from 4 rows on ours is, and for any few rows if
        // the columns of B are contiguous, as those of a transposed weight are.
        Isa::Avx512 { .. } if m <= 2 && product.b.row_stride != 1 || n == 1 => library::gemm(out, product),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the instruction set is available; `checked` has seen to the sizes.
        Isa::Avx512 { .. } => unsafe { avx512::gemm(out, product) },
        #[cfg(not(target_arch = "x86_64"))]
        Isa::Avx512 { .. } => library::gemm(out, product),
        Isa::Avx2 | Isa::Neon | Isa::Portable => library::gemm(out, product),
    }
}

/// As [`gemm_f32`], in f64.
///
/// # Panics
/// As [`gemm_f32`].
pub fn gemm_f64(out: &mut [f64], a: MatRef<f64>, b: MatRef<f64>, accumulate: bool, epilogue: Epilogue<f64>) {
    let product = Product::new(a, b, accumulate, epilogue);
    checked(out, &product, |out| library::gemm(out, &product));
}

/// Runs `kernel` unless one of the dimensions is zero.
fn checked<T: Real, A, B>(out: &mut [T], product: &Product<T, A, B>, kernel: impl FnOnce(&mut [T])) {
    let (m, n, k) = product.dims();
    assert_eq!(
        Some(out.len()),
        m.checked_mul(n),
        "gemm: out must hold {m} x {n} elements"
    );
    if out.is_empty() {
        return;
    }
    if k > 0 {
        return kernel(out);
    }
    if !product.accumulate {
        out.fill(T::default());
    }
    out.chunks_exact_mut(n)
        .for_each(|row| product.epilogue.apply(row, 0));
}

#[cfg(test)]
mod tests;
