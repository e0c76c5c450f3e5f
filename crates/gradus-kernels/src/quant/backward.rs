//! The gradient of a product with quantised weights with respect to its activations.

use super::QuantizedMatrix;
use crate::gemm::gemm_f32;
use crate::matrix::{Epilogue, MatRef};
use crate::scratch::with_scratch;

/// Weights that are dequantised at a time: 1 MiB of f32, so that they are still in the second-level cache for the product.
const BLOCK_WEIGHTS: usize = 256 * 1024;

/// The fewest rows of weights at a time, so that the product has work for each pass over its result.
const MIN_BLOCK_ROWS: usize = 64;

/// `d_x[rows, k] = d_out[rows, n] · weight` for weights `[n, k]`; overwrites `d_x`. Products and sums are f32.
///
/// This is the gradient of [`linear_quantized`](super::linear_quantized) with the rounding of activations taken for the
/// identity ("straight through"), as in training adapters on top of a quantised model.
///
/// # Panics
/// If the lengths do not fit together.
pub fn linear_quantized_backward(d_x: &mut [f32], d_out: &[f32], rows: usize, weight: &QuantizedMatrix) {
    let (n, k) = (weight.rows(), weight.cols());
    assert_eq!(
        Some(d_x.len()),
        rows.checked_mul(k),
        "quant: d_x must hold {rows} x {k} elements"
    );
    assert_eq!(
        Some(d_out.len()),
        rows.checked_mul(n),
        "quant: d_out must hold {rows} x {n} elements"
    );
    d_x.fill(0.0);
    if d_x.is_empty() || n == 0 {
        return;
    }
    let block = (BLOCK_WEIGHTS / k).max(MIN_BLOCK_ROWS).min(n);
    with_scratch(block * k, |weights: &mut [f32]| {
        for start in (0..n).step_by(block) {
            let len = block.min(n - start);
            let weights = &mut weights[..len * k];
            weight.dequantize_rows(weights, start..start + len);
            let d_out = MatRef {
                data: &d_out[start..],
                rows,
                cols: len,
                row_stride: n,
                col_stride: 1,
            };
            let weights = MatRef::row_major(weights, len, k);
            gemm_f32(d_x, d_out, weights, true, Epilogue::default());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::{BlockType, quantize};
    use crate::testing::{assert_close, noise};

    #[test]
    fn equals_the_product_with_the_dequantised_weights() {
        for (rows, n, k) in [(3, 70, 256), (1, 5, 8192), (2, 130, 4096)] {
            let mut blocks = vec![0; BlockType::Q4K.row_bytes(n * k).expect("whole blocks")];
            quantize(&mut blocks, &noise(n * k, 1), BlockType::Q4K);
            let weight = QuantizedMatrix::from_blocks(BlockType::Q4K, &blocks, n, k).expect("fits");
            let d_out: Vec<f32> = noise(rows * n, 2);
            let (mut d_x, mut w) = (vec![f32::NAN; rows * k], vec![0.0; n * k]);
            linear_quantized_backward(&mut d_x, &d_out, rows, &weight);
            weight.dequantize_rows(&mut w, 0..n);
            let want = |i: usize| {
                let (row, col) = (i / k, i % k);
                (0..n)
                    .map(|j| f64::from(d_out[row * n + j]) * f64::from(w[j * k + col]))
                    .sum::<f64>()
            };
            assert_close(&d_x, &(0..rows * k).map(want).collect::<Vec<_>>(), 1e-4);
        }
    }
}
