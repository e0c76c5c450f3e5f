use super::*;
use crate::isa;
use proptest::prelude::*;

/// Values between -2 and 2, the same for the same seed.
fn values(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 22) as f32 - 2.0
    };
    (0..len).map(|_| next()).collect()
}

/// Codes over the whole range, extremes included.
fn codes(len: usize, seed: u32) -> Vec<i8> {
    values(len, seed)
        .into_iter()
        .map(|v| (v * 64.0).clamp(-127.0, 127.0) as i8)
        .collect()
}

/// The layer from its definition, with its own rounding and i64 sums.
fn reference(x: &[f32], rows: usize, weight: &[i8], scales: &[f32], epilogue: Epilogue<f32>) -> Vec<f32> {
    let (n, k) = (scales.len(), x.len() / rows.max(1));
    let mut out = Vec::new();
    for row in 0..rows {
        let row = &x[row * k..][..k];
        let largest = row.iter().fold(0.0, |m: f32, x| m.max(x.abs()));
        let codes: Vec<i64> = row
            .iter()
            .map(|x| (x * (127.0 / largest)).round_ties_even() as i64)
            .collect();
        let start = out.len();
        for (j, scale) in scales.iter().enumerate() {
            let sum: i64 = (0..k).map(|i| codes[i] * i64::from(weight[j * k + i])).sum();
            out.push(sum as f32 * (largest / 127.0 * scale));
        }
        epilogue.apply(&mut out[start..start + n], 0);
    }
    out
}

fn check(rows: usize, n: usize, k: usize, bias: bool, relu: bool) {
    let (x, weight, scales, biases) = (values(rows * k, 1), codes(n * k, 2), values(n, 3), values(n, 4));
    let epilogue = Epilogue {
        bias: bias.then_some(&biases[..]),
        relu,
    };
    let want = reference(&x, rows, &weight, &scales, epilogue);
    for isa in isa::available() {
        let packed = PackedI8::for_isa(isa, &weight, &scales, (n, k));
        let mut out = vec![f32::NAN; rows * n];
        linear_i8(&mut out, &x, rows, &packed, epilogue);
        assert!(
            out == want,
            "{isa}: {rows} x {k} by {n}: other bits than the definition"
        );
    }
}

#[test]
fn every_tile_gives_the_bits_of_the_definition_on_every_instruction_set() {
    for rows in 1..=30 {
        for n in [1, 3, 10, 16, 17, 32, 33, 70] {
            check(rows, n, 13, rows % 2 == 0, n % 2 == 0);
        }
    }
    check(64, 128, 784, true, true);
    check(130, 100, 1024, true, false);
}

#[test]
fn extreme_codes_do_not_saturate() {
    // All 127s: pairs of products exceed what a saturating 16-bit sum can hold.
    let k = 1000;
    for sign in [1, -1] {
        for isa in isa::available() {
            let weight = PackedI8::for_isa(isa, &vec![127 * sign; k], &[1.0], (1, k));
            let mut out = [0.0];
            linear_i8(&mut out, &vec![-127.0; k], 1, &weight, Epilogue::default());
            assert_eq!(out[0], -f32::from(sign) * 127.0 * 127.0 * k as f32, "{isa}");
        }
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    for (rows, n, k) in [(64, 128, 784), (3, 2048, 1024)] {
        let (x, weight, scales) = (values(rows * k, 1), codes(n * k, 2), values(n, 3));
        let packed = PackedI8::new(&weight, &scales, n, k);
        let run = |threads| {
            pool::set_threads(threads);
            let mut out = vec![0.0; rows * n];
            linear_i8(&mut out, &x, rows, &packed, Epilogue::default());
            out
        };
        let one = run(1);
        assert!([2, 3, 4, 7].into_iter().all(|threads| run(threads) == one));
    }
    pool::set_threads(2);
}

#[test]
fn rows_that_are_not_finite_give_nan_and_leave_their_neighbours_alone() {
    for isa in isa::available() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let weight = PackedI8::for_isa(isa, &[1, 0, 0, 1], &[1.0, 1.0], (2, 2));
            let mut out = [0.0; 6];
            linear_i8(
                &mut out,
                &[1.0, 1.0, bad, 1.0, 2.0, 2.0],
                3,
                &weight,
                Epilogue {
                    bias: None,
                    relu: true,
                },
            );
            assert!(out[2].is_nan() && out[3].is_nan(), "{isa}: {out:?}");
            assert_eq!(
                (out[0], out[5]),
                (127.0 * (1.0 / 127.0), 127.0 * (2.0 / 127.0)),
                "{isa}"
            );
        }
    }
}

#[test]
fn empty_and_zero_inputs_give_the_epilogue_of_zero() {
    for isa in isa::available() {
        let weight = PackedI8::for_isa(isa, &[5, -5, 3], &[1.0; 3], (3, 1));
        let mut out = [9.0; 6];
        let epilogue = Epilogue {
            bias: Some(&[1.0, -1.0, 0.5]),
            relu: true,
        };
        linear_i8(&mut out, &[0.0, 1e-38], 2, &weight, epilogue);
        assert_eq!(out, [1.0, 0.0, 0.5, 1.0, 0.0, 0.5], "{isa}");
        linear_i8(&mut [], &[], 0, &weight, epilogue);
        let no_inputs = PackedI8::for_isa(isa, &[], &[1.0; 3], (3, 0));
        linear_i8(&mut out, &[], 2, &no_inputs, epilogue);
        assert_eq!(out, [1.0, 0.0, 0.5, 1.0, 0.0, 0.5], "{isa}");
    }
}

#[test]
fn quantiser_rounds_half_to_even_and_keeps_within_half_a_step() {
    let x = [127.0, 0.5, 1.5, 2.5, -0.5, -1.5, -126.5, -127.0];
    let (mut codes, mut scales) = ([0; 8], [0.0; 1]);
    quantize_rows_i8(&mut codes, &mut scales, &x, 8);
    assert_eq!((codes, scales[0]), ([127, 0, 2, 2, 0, -2, -126, -127], 1.0));

    let (rows, cols) = (300, 301);
    let x = values(rows * cols, 7);
    let (mut codes, mut scales) = (vec![0; x.len()], vec![0.0; rows]);
    quantize_rows_i8(&mut codes, &mut scales, &x, cols);
    for (i, (&x, &code)) in x.iter().zip(&codes).enumerate() {
        let scale = scales[i / cols];
        assert!(
            (x - f32::from(code) * scale).abs() <= scale * 0.500_1,
            "element {i}: {x} became {code} * {scale}"
        );
    }
}

proptest! {
    #[test]
    fn any_layer_gives_the_bits_of_the_definition(
        (rows, n, k) in (1..70_usize, 1..80_usize, 1..300_usize),
        (bias, relu) in any::<(bool, bool)>(),
    ) {
        check(rows, n, k, bias, relu);
    }
}

#[test]
#[should_panic(expected = "-128 is not one")]
fn rejects_a_weight_of_minus_128() {
    PackedI8::new(&[-128], &[1.0], 1, 1);
}
