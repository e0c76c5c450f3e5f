//! Products through the `gemm` crate: f64 everywhere, and f32 where we have no kernel of our own.
//!
//! The crate is called on one thread for each chunk of the output; our pool runs the chunks. Chunks depend on the
//! size of the problem alone, because the crate's order of summation may depend on the shape it is given.

use std::ops::Range;

use super::{Epilogue, Product};
use crate::matrix::MatRef;
use crate::pool::{SharedMut, parallel_for};
use crate::real::Real;

/// Chunks a large output is cut into: enough to keep 16 threads busy, few enough that packing is not repeated much.
const CHUNKS: usize = 16;

/// A chunk with fewer multiply-adds is not worth a hand-off to another thread (about a microsecond).
const MIN_CHUNK_WORK: usize = 128 * 1024;

/// Computes the whole product, chunk by chunk over the longer side of the output.
pub(super) fn gemm<T: Real>(out: &mut [T], product: &Product<T>) {
    let (m, n, k) = product.dims();
    let chunks = (m * n * k / MIN_CHUNK_WORK).clamp(1, CHUNKS);
    let by_rows = m >= n;
    // Multiples of 16 keep vectors whole.
    let step = (if by_rows { m } else { n })
        .div_ceil(chunks)
        .next_multiple_of(16);
    let base = SharedMut(out.as_mut_ptr());
    parallel_for((if by_rows { m } else { n }).div_ceil(step), |chunk| {
        let (start, end) = (chunk * step, chunk * step + step);
        let (rows, cols) = if by_rows {
            (start..end.min(m), 0..n)
        } else {
            (0..m, start..end.min(n))
        };
        let Product { a, b, .. } = product;
        let bias = product.epilogue.bias.map(|bias| &bias[cols.clone()]);
        let epilogue = Epilogue {
            bias,
            relu: product.epilogue.relu,
        };
        let corner = rows.start * n + cols.start;
        let (a, b) = (rows_of(a, rows), rows_of(&b.t(), cols).t());
        let block = Product::new(a, b, product.accumulate, epilogue);
        // SAFETY: `base` is an m×n row-major matrix, and no two chunks share an element of it.
        unsafe { gemm_block(base.get().add(corner), n, &block) }
    });
}

/// Some rows of a view.
fn rows_of<'a, T>(view: &MatRef<'a, T>, rows: Range<usize>) -> MatRef<'a, T> {
    MatRef {
        data: &view.data[rows.start * view.row_stride..],
        rows: rows.len(),
        ..*view
    }
}

/// Computes a product on this thread, into rows `out_row_stride` apart.
///
/// # Safety
/// The rows of the output can be written at `out`, and nothing else uses them.
pub(super) unsafe fn gemm_block<T: Real>(out: *mut T, out_row_stride: usize, product: &Product<T>) {
    let Product {
        a,
        b,
        accumulate,
        epilogue,
        dims: (m, n, k),
    } = *product;
    // SAFETY: the caller's promise for the output; `Product` has checked that both views lie in their data.
    unsafe {
        ::gemm::gemm(
            m,
            n,
            k,
            out,
            1,
            out_row_stride as isize,
            accumulate,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            ::gemm::Parallelism::None,
        );
        if !epilogue.is_identity() {
            for row in 0..m {
                epilogue.apply(
                    std::slice::from_raw_parts_mut(out.add(row * out_row_stride), n),
                    0,
                );
            }
        }
    }
}
