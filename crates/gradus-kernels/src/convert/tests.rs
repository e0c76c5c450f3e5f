use super::*;
use crate::testing::same_for_every_thread_count;

fn one<S: Number, D: Number>(x: S) -> D {
    let mut out = [D::from_i64(99)];
    cast(&mut out, &[x]);
    out[0]
}

#[test]
fn bf16_rounds_every_f32_as_the_half_crate_does() {
    for bits in (0..u32::MAX).step_by(257) {
        let x = f32::from_bits(bits);
        assert_eq!(bf16_from_f32(x).to_bits(), bf16::from_f32(x).to_bits(), "{x:e}");
    }
}

#[test]
fn halves_survive_a_round_trip_through_every_float() {
    for bits in 0..=u16::MAX {
        let (b, h) = (bf16::from_bits(bits), f16::from_bits(bits));
        if !b.is_nan() {
            assert_eq!(one::<f32, bf16>(one(b)).to_bits(), bits);
            assert_eq!(one::<f64, bf16>(one(b)).to_bits(), bits);
        }
        if !h.is_nan() {
            assert_eq!(one::<f32, f16>(one(h)).to_bits(), bits);
            assert_eq!(one::<f64, f16>(one(h)).to_bits(), bits);
        }
    }
}

#[test]
fn integers_round_once_to_each_float() {
    // 2^24 + 1 and 2^53 + 1 are ties that a detour through a narrower hub would break.
    assert_eq!(one::<i64, f32>(16_777_217), 16_777_216.0);
    assert_eq!(one::<i64, f64>(9_007_199_254_740_993), 9_007_199_254_740_992.0);
    // Just above the middle of two neighbouring bf16; by way of f32 or f64 it would look like the middle.
    let above_middle = (1_i64 << 60) + (1 << 52) + 1;
    assert_eq!(
        one::<i64, bf16>(above_middle).to_f64(),
        ((1_i64 << 60) + (1 << 53)) as f64
    );
    assert_eq!(
        one::<f64, bf16>(1.0 + 2.0_f64.powi(-8) + 2.0_f64.powi(-40)).to_f64(),
        1.0 + 2.0_f64.powi(-7)
    );
    assert_eq!(
        one::<f64, f16>(1.0 + 2.0_f64.powi(-11) + 2.0_f64.powi(-40)).to_f64(),
        1.0 + 2.0_f64.powi(-10)
    );
    assert_eq!(one::<i64, f16>(-2049).to_f64(), -2048.0);
    assert_eq!(one::<i64, f16>(100_000).to_f64(), f64::INFINITY);
}

#[test]
fn floats_truncate_and_saturate_and_nan_is_zero() {
    assert_eq!(one::<f32, u8>(300.7), 255);
    assert_eq!(one::<f32, u8>(-3.0), 0);
    assert_eq!(one::<f32, i8>(-2.9), -2);
    assert_eq!(one::<f64, i64>(1e30), i64::MAX);
    assert_eq!(one::<f32, i64>(f32::NAN), 0);
    assert_eq!(one::<bf16, i8>(bf16::INFINITY), 127);
}

#[test]
fn integers_wrap_to_narrower_ones() {
    assert_eq!(one::<i64, u8>(300), 44);
    assert_eq!(one::<i64, i8>(200), -56);
    assert_eq!(one::<u8, i8>(200), -56);
    assert_eq!(one::<i8, u8>(-1), 255);
}

#[test]
fn long_slices_cast_like_short_ones() {
    let x: Vec<f32> = (0..70_001).map(|i| i as f32 * 0.37 - 9000.0).collect();
    same_for_every_thread_count(|| {
        let mut out = vec![bf16::ZERO; x.len()];
        cast(&mut out, &x);
        assert!(out.iter().zip(&x).all(|(out, &x)| *out == bf16::from_f32(x)));
        out
    });
}
