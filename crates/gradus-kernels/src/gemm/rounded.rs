//! bf16 products where the machine has no bf16 instructions: operands rounded block by block, then multiplied in f32.
//!
//! A product of two bf16 numbers is exact in f32, so this differs from the bf16 instructions in the order of the sums
//! alone (and keeps subnormal numbers, which those instructions take for zero).

use std::ops::Range;

use super::library::gemm_block;
use super::{Epilogue, Operand, Product};
use crate::convert::Number;
use crate::matrix::MatRef;
use crate::pool::{SharedMut, parallel_for};
use crate::scratch::with_scratch;

/// Rows and columns of an output block: each rounded element is used 256 times, which pays for its rounding.
const SIDE: usize = 256;

/// Terms of a block: both rounded blocks together take 2 MB.
const DEPTH: usize = 1024;

/// Computes the whole product, a task for each block of the output.
pub(super) fn gemm(out: &mut [f32], product: &Product<f32, Operand>) {
    let (m, n, _) = product.dims();
    let (down, across) = (m.div_ceil(SIDE), n.div_ceil(SIDE));
    let base = SharedMut(out.as_mut_ptr());
    parallel_for(down * across, |task| {
        let block = |index: usize, end: usize| index * SIDE..end.min((index + 1) * SIDE);
        let (rows, cols) = (block(task / across, m), block(task % across, n));
        // SAFETY: `out` is an m×n row-major matrix, and no two blocks share an element of it.
        unsafe { output_block(base.get(), product, rows, cols) }
    });
}

/// # Safety
/// `out` points to the whole row-major output, and nobody else uses the elements of this block.
unsafe fn output_block(
    out: *mut f32,
    product: &Product<f32, Operand>,
    rows: Range<usize>,
    cols: Range<usize>,
) {
    let (_, n, k) = product.dims();
    let (a_len, b_len) = (SIDE * DEPTH.min(k), SIDE * DEPTH.min(k));
    with_scratch(a_len + b_len, |scratch: &mut [f32]| {
        let (a_scratch, b_scratch) = scratch.split_at_mut(a_len);
        for start in (0..k).step_by(DEPTH) {
            let terms = start..k.min(start + DEPTH);
            let a = rounded(a_scratch, &product.a, rows.clone(), terms.clone());
            // Columns of B become rows: both blocks are contiguous along the sum.
            let b = rounded(b_scratch, &product.b.t(), cols.clone(), terms.clone()).t();
            let epilogue = if terms.end == k {
                Epilogue {
                    bias: product.epilogue.bias.map(|bias| &bias[cols.clone()]),
                    relu: product.epilogue.relu,
                }
            } else {
                Epilogue::default()
            };
            let block = Product::new(a, b, product.accumulate || start > 0, epilogue);
            // SAFETY: the block lies in the output.
            unsafe { gemm_block(out.add(rows.start * n + cols.start), n, &block) }
        }
    });
}

/// A block of an operand, rounded to bf16, as dense rows.
fn rounded<'a>(
    scratch: &'a mut [f32],
    from: &Operand,
    rows: Range<usize>,
    cols: Range<usize>,
) -> MatRef<'a, f32> {
    let shape = (rows.len(), cols.len());
    match from {
        Operand::F32(view) => copy(scratch, view, rows, cols, |x| half::bf16::from_f32(x).to_hub()),
        Operand::Bf16(view) => copy(scratch, view, rows, cols, Number::to_hub),
    }
    MatRef::row_major(scratch, shape.0, shape.1)
}

fn copy<T: Copy>(
    to: &mut [f32],
    from: &MatRef<T>,
    rows: Range<usize>,
    cols: Range<usize>,
    widen: impl Fn(T) -> f32,
) {
    for (to, row) in to.chunks_exact_mut(cols.len()).zip(rows) {
        let start = row * from.row_stride;
        for (to, col) in to.iter_mut().zip(cols.clone()) {
            *to = widen(from.data[start + col * from.col_stride]);
        }
    }
}
