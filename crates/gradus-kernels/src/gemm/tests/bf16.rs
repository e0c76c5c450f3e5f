//! The product in bf16 against sums in f64 over rounded operands.

use half::bf16;

use super::super::bf16::bf16_on;
use super::*;

/// The same numbers as both kinds of operand, and what they round to.
struct Numbers {
    wide: Vec<f32>,
    narrow: Vec<bf16>,
    rounded: Vec<f32>,
}

impl Numbers {
    fn new(len: usize, seed: u64) -> Self {
        let wide = values(len, seed);
        let narrow: Vec<bf16> = wide.iter().copied().map(bf16::from_f32).collect();
        let rounded = narrow.iter().copied().map(bf16::to_f32).collect();
        Numbers {
            wide,
            narrow,
            rounded,
        }
    }

    fn operands(&self, rows: usize, cols: usize, layout: Layout) -> [Operand<'_>; 2] {
        [
            Operand::F32(view(&self.wide, rows, cols, layout)),
            Operand::Bf16(view(&self.narrow, rows, cols, layout)),
        ]
    }
}

/// Runs a product on every instruction set, from every pair of element types, and from packed B.
fn check_bf16(
    dims: (usize, usize, usize),
    layouts: (Layout, Layout),
    accumulate: bool,
    bias: bool,
    relu: bool,
) {
    let (m, n, k) = dims;
    let (a, b) = (Numbers::new(room(m, k), 1), Numbers::new(room(k, n), 2));
    let (before, biases) = (values(m * n, 3), values(n, 4));
    let epilogue = Epilogue {
        bias: bias.then_some(&biases[..]),
        relu,
    };
    let exact = Product::new(
        view(&a.rounded, m, k, layouts.0),
        view(&b.rounded, k, n, layouts.1),
        accumulate,
        epilogue,
    );
    let want = reference(&before, &exact);
    for isa in isa::available() {
        for (x, a) in a.operands(m, k, layouts.0).into_iter().enumerate() {
            for (y, b) in b.operands(k, n, layouts.1).into_iter().enumerate() {
                let what = format!(
                    "{isa} {dims:?} {layouts:?} types {x} {y} accumulate {accumulate} bias {bias} relu {relu}"
                );
                let mut out = before.clone();
                let product = Product::of_operands(a, b, accumulate, epilogue);
                checked(&mut out, &product, |out| bf16_on(isa, out, &product));
                assert_close(&out, &want, k, &what);
                let mut out = before.clone();
                gemm_packed_bf16(&mut out, a, &PackedBf16::for_isa(isa, b), accumulate, epilogue);
                assert_close(&out, &want, k, &format!("packed, {what}"));
            }
        }
    }
}

#[test]
fn every_tile_height_and_width_agrees_with_the_definition_in_bf16() {
    for m in 1..=30 {
        for n in [1, 2, 15, 16, 17, 31, 32, 33, 50] {
            let layouts = (Layout::RowMajor, Layout::Transposed);
            check_bf16((m, n, 19), layouts, m % 2 == 0, m % 3 == 0, n % 2 == 0);
        }
    }
}

#[test]
fn every_pair_of_layouts_agrees_with_the_definition_in_bf16() {
    for a in LAYOUTS {
        for b in LAYOUTS {
            for dims in [
                (37, 45, 29),
                (64, 10, 128),
                (5, 200, 7),
                (14, 32, 16),
                (33, 65, 131),
                (1, 40, 33),
                (2, 70, 1),
            ] {
                check_bf16(dims, (a, b), false, true, false);
            }
        }
    }
}

#[test]
fn blocks_of_every_dimension_agree_with_the_definition_in_bf16() {
    for dims in [
        (400, 70, 601),
        (180, 40, 2201),
        (3, 3200, 520),
        (129, 129, 1025),
        (64, 128, 784),
        (270, 300, 33),
    ] {
        check_bf16(dims, (Layout::RowMajor, Layout::Transposed), true, true, true);
        check_bf16(dims, (Layout::Transposed, Layout::RowMajor), false, true, false);
    }
}

#[test]
fn few_rows_agree_with_the_definition_in_bf16() {
    for m in 1..=6 {
        for (n, k) in [(1, 1), (33, 7), (64, 513), (257, 96), (1000, 40)] {
            check_bf16(
                (m, n, k),
                (Layout::RowMajor, Layout::Transposed),
                m == 2,
                m == 3,
                true,
            );
        }
    }
}

#[test]
fn empty_dimensions_give_empty_outputs_or_the_epilogue_of_zero_in_bf16() {
    for dims in [(0, 3, 2), (3, 0, 2), (0, 0, 0), (2, 3, 0)] {
        check_bf16(dims, (Layout::RowMajor, Layout::RowMajor), false, true, true);
        check_bf16(dims, (Layout::RowMajor, Layout::RowMajor), true, true, false);
    }
}

#[test]
fn nan_and_infinity_reach_exactly_their_rows_and_columns_in_bf16() {
    // Odd k: the last pair has one term only, whose partner must not turn infinity into NaN.
    let (m, n, k) = (20, 36, 41);
    for last in [9, k - 1] {
        for isa in isa::available() {
            let (mut a, mut b) = (values(m * k, 1), values(k * n, 2));
            // The payload lies in the half that rounding cuts off.
            a[3 * k + 7] = f32::from_bits(0x7f80_0001);
            b[last * n + 35] = f32::INFINITY;
            let product = Product::of_operands(
                MatRef::row_major(&a, m, k).into(),
                MatRef::row_major(&b, k, n).into(),
                false,
                Epilogue::default(),
            );
            let mut out = vec![0.0; m * n];
            bf16_on(isa, &mut out, &product);
            for (index, y) in out.iter().enumerate() {
                let (row, col) = (index / n, index % n);
                assert_eq!(y.is_nan(), row == 3, "{isa}: [{row}, {col}] is {y}");
                assert_eq!(
                    y.is_infinite(),
                    row != 3 && col == 35,
                    "{isa}: [{row}, {col}] is {y}"
                );
            }
        }
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads_in_bf16() {
    let (a, b) = (values(150 * 1301, 1), values(1301 * 610, 2));
    for isa in isa::available() {
        for (m, n, k) in [(150, 210, 1301), (1, 610, 1301), (3, 610, 700), (70, 40, 90)] {
            let (a, b) = (MatRef::row_major(&a, m, k), MatRef::row_major(&b, n, k).t());
            let run = |threads| {
                pool::set_threads(threads);
                let mut out = vec![0.0; m * n];
                let product = Product::of_operands(a.into(), b.into(), false, Epilogue::default());
                bf16_on(isa, &mut out, &product);
                let mut packed = vec![0.0; m * n];
                let weight = PackedBf16::for_isa(isa, b.into());
                gemm_packed_bf16(&mut packed, a.into(), &weight, false, Epilogue::default());
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

proptest! {
    #[test]
    fn any_bf16_product_agrees_with_the_definition(
        dims in (0..70_usize, 0..100_usize, 0..300_usize),
        a in 0..LAYOUTS.len(),
        b in 0..LAYOUTS.len(),
        (accumulate, bias, relu) in any::<(bool, bool, bool)>(),
    ) {
        check_bf16(dims, (LAYOUTS[a], LAYOUTS[b]), accumulate, bias, relu);
    }
}
