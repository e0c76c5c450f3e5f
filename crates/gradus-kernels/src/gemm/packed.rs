//! Weights packed once for many products, as in inference.

#[cfg(target_arch = "x86_64")]
use super::avx512::{self, F32Words, PackedPanels};
use super::{Epilogue, MatRef, Product, checked, library};
use crate::isa::{Isa, isa};

/// A right-hand operand `[k, n]` copied once into the layout that the product of this machine reads fastest.
#[derive(Clone, Debug)]
pub struct PackedF32 {
    layout: Layout,
    rows: usize,
    cols: usize,
}

#[derive(Clone, Debug)]
enum Layout {
    /// Dense and row-major, for kernels that pack for themselves.
    RowMajor(Vec<f32>),
    #[cfg(target_arch = "x86_64")]
    Avx512(PackedPanels<F32Words>),
}

impl PackedF32 {
    /// Packs `b` `[k, n]`, of any strides.
    ///
    /// # Panics
    /// If the view reaches out of its data.
    pub fn new(b: MatRef<f32>) -> Self {
        PackedF32::for_isa(isa(), b)
    }

    pub(super) fn for_isa(isa: Isa, b: MatRef<f32>) -> Self {
        assert!(b.fits(), "gemm: an operand reaches out of its data");
        let layout = match isa {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the instruction set is available.
            Isa::Avx512 { .. } => Layout::Avx512(unsafe { PackedPanels::new(b.t(), (b.cols, b.rows)) }),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx512 { .. } => Layout::RowMajor(row_major(b)),
            Isa::Avx2 | Isa::Neon | Isa::Portable => Layout::RowMajor(row_major(b)),
        };
        PackedF32 {
            layout,
            rows: b.rows,
            cols: b.cols,
        }
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

fn row_major(b: MatRef<f32>) -> Vec<f32> {
    (0..b.rows * b.cols)
        .map(|i| b.data[i / b.cols * b.row_stride + i % b.cols * b.col_stride])
        .collect()
}

/// As [`gemm_f32`](super::gemm_f32), with the right-hand operand packed before.
///
/// # Panics
/// As [`gemm_f32`](super::gemm_f32).
///
/// ```
/// use gradus_kernels::gemm::{Epilogue, MatRef, PackedF32, gemm_packed_f32};
/// let weight = PackedF32::new(MatRef::row_major(&[3.0, 4.0, -5.0, 0.0], 2, 2).t());
/// let mut out = [0.0; 2];
/// gemm_packed_f32(&mut out, MatRef::row_major(&[1.0, 2.0], 1, 2), &weight, false, Epilogue::default());
/// assert_eq!(out, [11.0, -5.0]);
/// ```
pub fn gemm_packed_f32(
    out: &mut [f32],
    a: MatRef<f32>,
    b: &PackedF32,
    accumulate: bool,
    epilogue: Epilogue<f32>,
) {
    match &b.layout {
        Layout::RowMajor(data) => {
            let view = MatRef::row_major(data, b.rows, b.cols);
            let product = Product::new(a, view, accumulate, epilogue);
            checked(out, &product, |out| library::gemm(out, &product));
        }
        #[cfg(target_arch = "x86_64")]
        Layout::Avx512(panels) => {
            assert!(a.fits(), "gemm: an operand reaches out of its data");
            let (left, right) = ((a, (a.rows, a.cols)), (panels, (b.rows, b.cols)));
            let product = Product::of_shapes(left, right, accumulate, epilogue);
            // SAFETY: this layout is only made where the instruction set is available.
            checked(out, &product, |out| unsafe { avx512::gemm_packed(out, &product) });
        }
    }
}
