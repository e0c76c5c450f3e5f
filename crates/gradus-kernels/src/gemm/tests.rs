use super::*;
use crate::isa;
use crate::pool;
use proptest::prelude::*;

mod bf16;

/// Values that are not round in binary, of both signs, the same for the same seed.
fn values(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u64 << 24) as f32 * 2.0 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// How an operand lies in its data.
#[derive(Clone, Copy, Debug)]
enum Layout {
    RowMajor,
    Transposed,
    /// Rows with a gap between them.
    Padded,
    /// Neither rows nor columns are contiguous.
    Spread,
    /// All rows are the same row, as a broadcast makes them.
    Repeated,
}

const LAYOUTS: [Layout; 5] = [
    Layout::RowMajor,
    Layout::Transposed,
    Layout::Padded,
    Layout::Spread,
    Layout::Repeated,
];

fn view<T>(data: &[T], rows: usize, cols: usize, layout: Layout) -> MatRef<'_, T> {
    let (row_stride, col_stride) = match layout {
        Layout::RowMajor => (cols, 1),
        Layout::Transposed => (1, rows),
        Layout::Padded => (cols + 5, 1),
        Layout::Spread => (2 * cols + 3, 2),
        Layout::Repeated => (0, 1),
    };
    MatRef {
        data,
        rows,
        cols,
        row_stride,
        col_stride,
    }
}

/// Room for `rows * cols` elements in any layout.
fn room(rows: usize, cols: usize) -> usize {
    rows * (2 * cols + 5) + 2 * cols
}

fn at(m: MatRef<f32>, row: usize, col: usize) -> f64 {
    f64::from(m.data[row * m.row_stride + col * m.col_stride])
}

/// A product with sums in f64, and for each element the sum of magnitudes that rounding errors scale with.
fn reference(before: &[f32], product: &Product<f32>) -> Vec<(f64, f64)> {
    let (m, n, k) = product.dims();
    let Product {
        a,
        b,
        accumulate,
        epilogue,
        ..
    } = *product;
    let element = |i: usize, j: usize| {
        let start = if accumulate {
            f64::from(before[i * n + j])
        } else {
            0.0
        };
        let bias = epilogue.bias.map_or(0.0, |bias| f64::from(bias[j]));
        let terms = (0..k).map(|p| at(a, i, p) * at(b, p, j));
        let sum = terms.clone().sum::<f64>() + start + bias;
        let scale = terms.map(f64::abs).sum::<f64>() + start.abs() + bias.abs();
        (if epilogue.relu && sum < 0.0 { 0.0 } else { sum }, scale)
    };
    (0..m * n).map(|index| element(index / n, index % n)).collect()
}

/// A rounding error of half an ulp a term, in the worst case all in one direction.
fn assert_close(got: &[f32], want: &[(f64, f64)], k: usize, what: &str) {
    for (index, (&got, &(want, scale))) in got.iter().zip(want).enumerate() {
        let tolerance = (k + 3) as f64 * f64::from(f32::EPSILON) / 2.0 * scale + 1e-30;
        let error = (f64::from(got) - want).abs();
        assert!(
            error <= tolerance,
            "{what}: element {index}: got {got}, want {want}, error {error:e} > {tolerance:e}"
        );
    }
}

/// Runs a product on every instruction set, from strided and from packed B, and checks each.
fn check(dims: (usize, usize, usize), layouts: (Layout, Layout), accumulate: bool, bias: bool, relu: bool) {
    let (m, n, k) = dims;
    let (a, b) = (values(room(m, k), 1), values(room(k, n), 2));
    let (before, biases) = (values(m * n, 3), values(n, 4));
    let (a, b) = (view(&a, m, k, layouts.0), view(&b, k, n, layouts.1));
    let epilogue = Epilogue {
        bias: bias.then_some(&biases[..]),
        relu,
    };
    let product = Product::new(a, b, accumulate, epilogue);
    let want = reference(&before, &product);
    for isa in isa::available() {
        let what = format!("{isa} {dims:?} {layouts:?} accumulate {accumulate} bias {bias} relu {relu}");
        let mut out = before.clone();
        checked(&mut out, &product, |out| f32_on(isa, out, &product));
        assert_close(&out, &want, k, &what);
        let mut out = before.clone();
        gemm_packed_f32(&mut out, a, &PackedF32::for_isa(isa, b), accumulate, epilogue);
        assert_close(&out, &want, k, &format!("packed, {what}"));
    }
}

#[test]
fn every_tile_height_and_width_agrees_with_the_definition() {
    for m in 1..=30 {
        for n in [1, 2, 15, 16, 17, 31, 32, 33, 50] {
            check(
                (m, n, 19),
                (Layout::RowMajor, Layout::Transposed),
                m % 2 == 0,
                m % 3 == 0,
                n % 2 == 0,
            );
        }
    }
}

#[test]
fn every_pair_of_layouts_agrees_with_the_definition() {
    for a in LAYOUTS {
        for b in LAYOUTS {
            for dims in [
                (37, 45, 29),
                (64, 10, 128),
                (5, 200, 7),
                (14, 32, 16),
                (33, 65, 130),
                (1, 40, 33),
            ] {
                check(dims, (a, b), false, true, false);
            }
        }
    }
}

#[test]
fn blocks_of_every_dimension_agree_with_the_definition() {
    // Past the limits of a block of rows, of k and of panels.
    for dims in [
        (400, 70, 300),
        (180, 40, 1100),
        (3, 3200, 260),
        (129, 129, 513),
        (64, 128, 784),
    ] {
        check(dims, (Layout::RowMajor, Layout::Transposed), true, true, true);
        check(dims, (Layout::Transposed, Layout::RowMajor), false, true, false);
    }
    // Rows a multiple of 4 KB apart must not be read in place.
    check(
        (40, 64, 1024),
        (Layout::RowMajor, Layout::Transposed),
        false,
        false,
        false,
    );
    check(
        (64, 1024, 64),
        (Layout::Transposed, Layout::RowMajor),
        false,
        false,
        false,
    );
}

#[test]
fn empty_dimensions_give_empty_outputs_or_the_epilogue_of_zero() {
    for dims in [(0, 3, 2), (3, 0, 2), (0, 0, 0)] {
        check(dims, (Layout::RowMajor, Layout::RowMajor), false, true, true);
    }
    let mut out = [5.0, -6.0];
    let none = MatRef::row_major(&[], 1, 0);
    gemm_f32(
        &mut out,
        none,
        MatRef::row_major(&[], 0, 2),
        true,
        Epilogue {
            bias: Some(&[1.0, 1.0]),
            relu: true,
        },
    );
    assert_eq!(out, [6.0, 0.0]);
    gemm_f32(
        &mut out,
        none,
        MatRef::row_major(&[], 0, 2),
        false,
        Epilogue::default(),
    );
    assert_eq!(out, [0.0, 0.0]);
}

#[test]
fn nan_and_infinity_reach_exactly_their_rows_and_columns() {
    for isa in isa::available() {
        let (mut a, mut b) = (values(20 * 40, 1), values(40 * 36, 2));
        a[3 * 40 + 7] = f32::NAN;
        b[9 * 36 + 35] = f32::INFINITY;
        let epilogue = Epilogue {
            bias: None,
            relu: true,
        };
        let product = Product::new(
            MatRef::row_major(&a, 20, 40),
            MatRef::row_major(&b, 40, 36),
            false,
            epilogue,
        );
        let mut out = vec![0.0; 20 * 36];
        f32_on(isa, &mut out, &product);
        for (index, y) in out.iter().enumerate() {
            let (row, col) = (index / 36, index % 36);
            assert_eq!(y.is_nan(), row == 3, "{isa}: [{row}, {col}] is {y}");
            if row != 3 {
                let negative = a[row * 40 + 9] < 0.0;
                assert_eq!(
                    y.is_infinite(),
                    col == 35 && !negative,
                    "{isa}: [{row}, {col}] is {y}"
                );
            }
        }
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let (m, n, k) = (150, 210, 600);
    let (a, b) = (values(m * k, 1), values(k * n, 2));
    for isa in isa::available() {
        for transposed in [false, true] {
            let b = if transposed {
                MatRef::row_major(&b, n, k).t()
            } else {
                MatRef::row_major(&b, k, n)
            };
            let run = |threads| {
                pool::set_threads(threads);
                let mut out = vec![0.0; m * n];
                let product = Product::new(MatRef::row_major(&a, m, k), b, false, Epilogue::default());
                f32_on(isa, &mut out, &product);
                let mut packed = vec![0.0; m * n];
                let weight = PackedF32::for_isa(isa, b);
                gemm_packed_f32(&mut packed, product.a, &weight, false, Epilogue::default());
                out.into_iter()
                    .chain(packed)
                    .map(f32::to_bits)
                    .collect::<Vec<_>>()
            };
            let one = run(1);
            for threads in [2, 3, 4, 7] {
                assert!(
                    run(threads) == one,
                    "{isa}: {threads} threads give other bits than one"
                );
            }
        }
    }
    pool::set_threads(2);
}

#[test]
fn f64_agrees_with_the_definition_to_its_own_precision() {
    let (m, n, k) = (33, 47, 65);
    let wide = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<_>>();
    let (a, b, bias) = (wide(values(m * k, 1)), wide(values(k * n, 2)), wide(values(n, 3)));
    let epilogue = Epilogue {
        bias: Some(&bias),
        relu: true,
    };
    let (a, b) = (MatRef::row_major(&a, k, m).t(), MatRef::row_major(&b, k, n));
    let (mut out, mut want) = (vec![0.5; m * n], vec![0.5; m * n]);
    gemm_f64(&mut out, a, b, true, epilogue);
    naive::gemm(&mut want, &Product::new(a, b, true, epilogue));
    assert!(out.iter().zip(&want).all(|(x, y)| (x - y).abs() < 1e-13));
}

proptest! {
    #[test]
    fn any_product_agrees_with_the_definition(
        dims in (0..70_usize, 0..100_usize, 0..300_usize),
        a in 0..LAYOUTS.len(),
        b in 0..LAYOUTS.len(),
        (accumulate, bias, relu) in any::<(bool, bool, bool)>(),
    ) {
        check(dims, (LAYOUTS[a], LAYOUTS[b]), accumulate, bias, relu);
    }
}

#[test]
#[should_panic(expected = "reaches out of its data")]
fn rejects_a_view_that_reaches_out_of_its_data() {
    gemm_f32(
        &mut [0.0; 4],
        MatRef::row_major(&[0.0; 3], 2, 2),
        MatRef::row_major(&[0.0; 4], 2, 2),
        false,
        Epilogue::default(),
    );
}
