//! Products through the `gemm` crate: f64 everywhere, and f32 where we have no kernel of our own.
//!
//! The crate is called on one thread for each chunk of the output; our pool runs the chunks. Chunks depend on the
//! size of the problem alone, because the crate's order of summation may depend on the shape it is given.

use std::ops::Range;

use super::Product;
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
        // SAFETY: `base` is an m×n row-major matrix, and no two chunks share an element of it.
        unsafe { gemm_chunk(base.get(), product, rows, cols) }
    });
}

/// # Safety
/// `out` must point to the whole m×n row-major output, and nothing else may use the elements of this chunk.
unsafe fn gemm_chunk<T: Real>(out: *mut T, product: &Product<T>, rows: Range<usize>, cols: Range<usize>) {
    let Product {
        a,
        b,
        accumulate,
        epilogue,
    } = *product;
    let ((_, n, k), (i, j)) = (product.dims(), (rows.start, cols.start));
    // SAFETY: the chunk lies in the output; `Product` has checked that both views lie in their data, and the
    // pointers are only offset by the start of a row or column that exists (or not at all when the view is empty).
    unsafe {
        ::gemm::gemm(
            rows.len(),
            cols.len(),
            k,
            out.add(i * n + j),
            1,
            n as isize,
            accumulate,
            at(a, i, 0),
            a.col_stride as isize,
            a.row_stride as isize,
            at(b, 0, j),
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
            for row in rows {
                let row = std::slice::from_raw_parts_mut(out.add(row * n + j), cols.len());
                epilogue.apply(row, j);
            }
        }
    }
}

fn at<T>(view: MatRef<T>, row: usize, col: usize) -> *const T {
    view.data
        .as_ptr()
        .wrapping_add(row * view.row_stride + col * view.col_stride)
}
