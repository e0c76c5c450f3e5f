//! Weights packed once for many products, as in inference.

use super::{Epilogue, MatRef, gemm_f32};

/// A right-hand operand `[k, n]` copied once into the layout that the product reads fastest.
#[derive(Clone, Debug)]
pub struct PackedF32 {
    data: Vec<f32>,
    rows: usize,
    cols: usize,
}

impl PackedF32 {
    /// Packs `b` `[k, n]`, of any strides.
    ///
    /// # Panics
    /// If the view reaches out of its data.
    pub fn new(b: MatRef<f32>) -> Self {
        assert!(b.fits(), "gemm: an operand reaches out of its data");
        let element = |i: usize| b.data[i / b.cols * b.row_stride + i % b.cols * b.col_stride];
        PackedF32 {
            data: (0..b.rows * b.cols).map(element).collect(),
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

/// As [`gemm_f32`](super::gemm_f32), with the right-hand operand packed before.
///
/// # Panics
/// As [`gemm_f32`](super::gemm_f32).
pub fn gemm_packed_f32(
    out: &mut [f32],
    a: MatRef<f32>,
    b: &PackedF32,
    accumulate: bool,
    epilogue: Epilogue<f32>,
) {
    gemm_f32(
        out,
        a,
        MatRef::row_major(&b.data, b.rows, b.cols),
        accumulate,
        epilogue,
    );
}
