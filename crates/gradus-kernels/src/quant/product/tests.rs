use super::*;
use crate::isa;
use crate::quant::{BlockType, quantize};
use crate::testing::{noise, same_for_every_thread_count};

/// Sums of a few thousand terms in f32, relative to the sum of magnitudes.
const TOLERANCE: f64 = 1e-6;

fn matrix(ty: BlockType, rows: usize, cols: usize) -> QuantizedMatrix {
    let mut blocks = vec![0; ty.row_bytes(rows * cols).expect("whole blocks")];
    quantize(&mut blocks, &noise(rows * cols, 1), ty);
    QuantizedMatrix::from_blocks(ty, &blocks, rows, cols).expect("fits")
}

/// Activations after rounding, from their definition.
fn rounded(x: &[f32]) -> Vec<f64> {
    x.chunks(STEP)
        .flat_map(|step| {
            let largest = step.iter().fold(0.0, |m: f32, x| m.max(x.abs()));
            let (scale, inverse) = (f64::from(largest / 127.0), 127.0 / largest);
            step.iter()
                .map(move |x| f64::from((x * inverse).round_ties_even()) * scale)
        })
        .collect()
}

/// The product in f64, and the sum of magnitudes that its rounding goes with.
fn reference(x: &[f32], weight: &QuantizedMatrix, bias: Option<&[f32]>) -> Vec<(f64, f64)> {
    let (n, k) = (weight.rows(), weight.cols());
    let mut w = vec![0.0; n * k];
    weight.dequantize_rows(&mut w, 0..n);
    let x = rounded(x);
    let mut out = Vec::new();
    for x in x.chunks(k) {
        for (j, w) in w.chunks(k).enumerate() {
            let start = bias.map_or(0.0, |bias| f64::from(bias[j]));
            let terms = x.iter().zip(w).map(|(x, &w)| x * f64::from(w));
            out.push((
                start + terms.clone().sum::<f64>(),
                start.abs() + terms.map(f64::abs).sum::<f64>(),
            ));
        }
    }
    out
}

#[track_caller]
fn check(ty: BlockType, rows: usize, n: usize, blocks: usize) {
    let k = blocks * ty.block_len();
    let (weight, x, biases) = (matrix(ty, n, k), noise(rows * k, 2), noise(n, 3));
    let bias = rows.is_multiple_of(2).then_some(&biases[..]);
    let want = reference(&x, &weight, bias);
    for isa in isa::available() {
        let mut out = vec![f32::NAN; rows * n];
        let product = Product {
            out: &mut out,
            weight: &weight,
            bias,
        };
        shared_for_isa(isa, &mut [product], &x, rows);
        for (i, (&got, (want, magnitude))) in out.iter().zip(&want).enumerate() {
            let error = (f64::from(got) - want).abs();
            assert!(
                error <= TOLERANCE * magnitude,
                "{ty} on {isa}, {rows} x {k} by {n}, element {i}: {got} for {want}"
            );
        }
    }
}

#[test]
fn every_format_and_height_equals_the_product_of_its_numbers() {
    for ty in BlockType::ALL {
        for rows in 1..=14 {
            check(ty, rows, 16 + rows, 1 + rows % 3);
        }
        check(ty, 25, 33, 9);
        check(ty, 1, 1, 1);
    }
}

#[test]
fn rows_beyond_a_block_of_them_are_multiplied_too() {
    check(BlockType::Q4_0, rows_block(10_240) + 7, 17, 320);
    check(BlockType::Q6K, rows_block(10_240) + 1, 5, 40);
}

#[test]
fn extreme_codes_do_not_saturate() {
    // Codes of -128 and 127 times activations of ±127: more than pairs of 16 bits can hold.
    for (codes, want) in [(0x80_u8, 128.0), (0x7f, -127.0)] {
        let mut blocks = half::f16::ONE.to_le_bytes().to_vec();
        blocks.resize(34, codes);
        let weight = QuantizedMatrix::from_blocks(BlockType::Q8_0, &blocks, 1, 32).expect("fits");
        for isa in isa::available() {
            let mut out = [0.0];
            let product = Product {
                out: &mut out,
                weight: &weight,
                bias: None,
            };
            shared_for_isa(isa, &mut [product], &[-127.0; 32], 1);
            assert_eq!(out[0], want * 127.0 * 32.0, "{isa}");
        }
    }
}

#[test]
fn bits_depend_neither_on_threads_nor_on_neighbours() {
    for ty in BlockType::ALL {
        let (n, k) = (530, 512);
        let (weight, x) = (matrix(ty, n, k), noise(15 * k, 4));
        let run = |rows: usize| {
            let mut out = vec![0.0; rows * n];
            linear_quantized(&mut out, &x[..rows * k], rows, &weight, None);
            out
        };
        same_for_every_thread_count(|| run(15));
        let together = run(15);
        for rows in 1..15 {
            assert!(
                run(rows) == together[..rows * n],
                "{ty}: a row depends on how many there are"
            );
        }
    }
}

#[test]
fn shared_products_equal_single_ones() {
    let k = 512;
    let x = noise(3 * k, 5);
    let weights: Vec<_> = BlockType::ALL
        .into_iter()
        .enumerate()
        .map(|(i, ty)| matrix(ty, 7 + 9 * i, k))
        .collect();
    let biases: Vec<Vec<f32>> = weights.iter().map(|w| noise(w.rows(), 6)).collect();
    let bias = |i: usize| i.is_multiple_of(2).then_some(&biases[i][..]);
    let mut outs: Vec<Vec<f32>> = weights.iter().map(|w| vec![0.0; 3 * w.rows()]).collect();
    let mut products: Vec<_> = outs
        .iter_mut()
        .zip(&weights)
        .enumerate()
        .map(|(i, (out, weight))| Product {
            out,
            weight,
            bias: bias(i),
        })
        .collect();
    linear_quantized_shared(&mut products, &x, 3);
    for (i, (got, weight)) in outs.iter().zip(&weights).enumerate() {
        let mut want = vec![0.0; got.len()];
        linear_quantized(&mut want, &x, 3, weight, bias(i));
        assert_eq!(got, &want, "{weight:?}");
    }
}

#[test]
fn rows_that_are_not_finite_give_nan_and_leave_their_neighbours_alone() {
    for ty in BlockType::ALL {
        let (k, n) = (2 * ty.block_len(), 3);
        let weight = matrix(ty, n, k);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for isa in isa::available() {
                let mut x = noise(3 * k, 7);
                x[k + 5] = bad;
                let mut out = vec![0.0; 3 * n];
                let product = Product {
                    out: &mut out,
                    weight: &weight,
                    bias: None,
                };
                shared_for_isa(isa, &mut [product], &x, 3);
                let is_nan: Vec<_> = out.iter().map(|y| y.is_nan()).collect();
                assert_eq!(
                    is_nan,
                    (0..9).map(|i| i / 3 == 1).collect::<Vec<_>>(),
                    "{ty} on {isa}"
                );
            }
        }
    }
}

#[test]
fn nothing_times_something_is_nothing() {
    let weight = matrix(BlockType::Q4_0, 4, 32);
    linear_quantized(&mut [], &[], 0, &weight, None);
    let empty = QuantizedMatrix::from_blocks(BlockType::Q4_0, &[], 0, 64).expect("fits");
    linear_quantized(&mut [], &[0.0; 128], 2, &empty, None);
    let no_inputs = QuantizedMatrix::from_blocks(BlockType::Q4_0, &[], 2, 0).expect("fits");
    let mut out = [9.0; 4];
    linear_quantized(&mut out, &[], 2, &no_inputs, Some(&[1.0, 2.0]));
    assert_eq!(out, [1.0, 2.0, 1.0, 2.0]);
    linear_quantized_shared(&mut [], &[], 0);
}
