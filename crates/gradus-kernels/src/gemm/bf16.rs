//! Products in bf16 with sums in f32.

#[cfg(target_arch = "x86_64")]
use super::avx512;
use super::{Epilogue, Operand, Product, checked, rounded};
use crate::isa::{Isa, isa};

impl<'a> Product<'a, f32, Operand<'a>> {
    /// As [`Product::new`], for operands of f32 or bf16.
    ///
    /// # Panics
    /// As [`Product::new`].
    pub fn of_operands(
        a: Operand<'a>,
        b: Operand<'a>,
        accumulate: bool,
        epilogue: Epilogue<'a, f32>,
    ) -> Self {
        assert!(a.fits() && b.fits(), "gemm: an operand reaches out of its data");
        Product::of_shapes((a, a.shape()), (b, b.shape()), accumulate, epilogue)
    }
}

/// As [`gemm_f32`](super::gemm_f32), with both operands rounded to bf16 and every sum kept in f32.
///
/// The products of two rounded operands are exact in f32; they are summed with one rounding for each one or two of
/// them, so results lie within f32's accumulation error of the exact product of the rounded operands. bf16 has f32's
/// range: nothing overflows that would not in f32. Operands below 2^-126 in magnitude may count as zero.
///
/// # Panics
/// As [`gemm_f32`](super::gemm_f32).
///
/// ```
/// use gradus_kernels::gemm::{Epilogue, MatRef, gemm_bf16};
/// let mut out = [0.0; 2];
/// let (x, w) = ([1.0f32, 2.0], [3.0f32, 4.0, -5.0, 0.001]);
/// let (x, w) = (MatRef::row_major(&x, 1, 2), MatRef::row_major(&w, 2, 2).t());
/// gemm_bf16(&mut out, x.into(), w.into(), false, Epilogue::default());
/// // 0.001 became 0.00099945068359375.
/// assert_eq!(out, [11.0, -4.9980011]);
/// ```
pub fn gemm_bf16(out: &mut [f32], a: Operand, b: Operand, accumulate: bool, epilogue: Epilogue<f32>) {
    let product = Product::of_operands(a, b, accumulate, epilogue);
    checked(out, &product, |out| bf16_on(isa(), out, &product));
}

/// The product by the kernels of one instruction set, which must be one of those available.
pub(super) fn bf16_on(isa: Isa, out: &mut [f32], product: &Product<f32, Operand>) {
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the instruction set is available; `checked` has seen to the sizes.
        Isa::Avx512 { bf16: true, .. } => unsafe { avx512::gemm_bf16(out, product) },
        Isa::Avx512 { .. } | Isa::Avx2 | Isa::Neon | Isa::Portable => rounded::gemm(out, product),
    }
}
