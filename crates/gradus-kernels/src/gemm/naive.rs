//! The product as its definition reads: the reference that every faster kernel is tested against.

use super::Product;
use crate::real::Real;

/// Computes the whole product on one thread, each sum from first to last term.
pub fn gemm<T: Real>(out: &mut [T], product: &Product<T>) {
    let (_, n, k) = product.dims();
    let Product {
        a,
        b,
        accumulate,
        epilogue,
        ..
    } = *product;
    for (i, row) in out.chunks_exact_mut(n.max(1)).enumerate() {
        for (j, y) in row.iter_mut().enumerate() {
            let start = if accumulate { *y } else { T::default() };
            *y = (0..k).fold(start, |sum, p| {
                sum + a.data[i * a.row_stride + p * a.col_stride]
                    * b.data[p * b.row_stride + j * b.col_stride]
            });
        }
        epilogue.apply(row, 0);
    }
}
