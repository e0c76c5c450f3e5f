//! Weights packed once as bf16 for many products, as in inference.

use half::bf16;

#[cfg(target_arch = "x86_64")]
use super::avx512::{self, Bf16Words, PackedPanels};
use super::{Epilogue, MatRef, Operand, Product, checked, rounded};
use crate::isa::{Isa, isa};

/// A right-hand operand `[k, n]` kept as bf16 in the layout that the product of this machine reads fastest.
#[derive(Clone, Debug)]
pub struct PackedBf16 {
    layout: Layout,
    rows: usize,
    cols: usize,
}

#[derive(Clone, Debug)]
enum Layout {
    /// Column after column, for kernels that pack for themselves.
    ColMajor(Vec<bf16>),
    #[cfg(target_arch = "x86_64")]
    Avx512(PackedPanels<Bf16Words>),
}

impl PackedBf16 {
    /// Packs `b` `[k, n]`, of any strides; f32 is rounded to nearest, ties to even.
    ///
    /// # Panics
    /// If the view reaches out of its data.
    pub fn new(b: Operand) -> Self {
        PackedBf16::for_isa(isa(), b)
    }

    pub(super) fn for_isa(isa: Isa, b: Operand) -> Self {
        assert!(b.fits(), "gemm: an operand reaches out of its data");
        let (rows, cols) = b.shape();
        let layout = match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 { bf16: true, .. } => {
                // SAFETY: the instruction set is available.
                Layout::Avx512(unsafe { PackedPanels::new(b.t(), (cols, rows)) })
            }
            Isa::Avx512 { .. } | Isa::Avx2 | Isa::Neon | Isa::Portable => Layout::ColMajor(col_major(b)),
        };
        PackedBf16 { layout, rows, cols }
    }

    /// Rows of the operand: the dimension summed over.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of the operand and of the output.
    pub fn cols(&self) -> usize {
        self.cols
    }
}

fn col_major(b: Operand) -> Vec<bf16> {
    fn copy<T: Copy>(b: MatRef<T>, round: impl Fn(T) -> bf16) -> Vec<bf16> {
        let at = |i: usize| b.data[i % b.rows * b.row_stride + i / b.rows * b.col_stride];
        (0..b.rows * b.cols).map(|i| round(at(i))).collect()
    }
    match b {
        Operand::F32(view) => copy(view, bf16::from_f32),
        Operand::Bf16(view) => copy(view, |x| x),
    }
}

/// As [`gemm_bf16`](super::gemm_bf16), with the right-hand operand packed before.
///
/// # Panics
/// As [`gemm_f32`](super::gemm_f32).
///
/// ```
/// use gradus_kernels::gemm::{Epilogue, MatRef, PackedBf16, gemm_packed_bf16};
/// let weight = PackedBf16::new(MatRef::row_major(&[3.0f32, 4.0, -5.0, 0.0], 2, 2).t().into());
/// let mut out = [0.0; 2];
/// let x = MatRef::row_major(&[1.0f32, 2.0], 1, 2);
/// gemm_packed_bf16(&mut out, x.into(), &weight, false, Epilogue::default());
/// assert_eq!(out, [11.0, -5.0]);
/// ```
pub fn gemm_packed_bf16(
    out: &mut [f32],
    a: Operand,
    b: &PackedBf16,
    accumulate: bool,
    epilogue: Epilogue<f32>,
) {
    match &b.layout {
        Layout::ColMajor(data) => {
            let view = MatRef::row_major(data, b.cols, b.rows).t();
            let product = Product::of_operands(a, view.into(), accumulate, epilogue);
            checked(out, &product, |out| rounded::gemm(out, &product));
        }
        #[cfg(target_arch = "x86_64")]
        Layout::Avx512(panels) => {
            assert!(a.fits(), "gemm: an operand reaches out of its data");
            let right = (panels, (b.rows, b.cols));
            let product = Product::of_shapes((a, a.shape()), right, accumulate, epilogue);
            // SAFETY: this layout is only made where the instruction set is available.
            checked(out, &product, |out| unsafe { avx512::gemm_packed(out, &product) });
        }
    }
}
