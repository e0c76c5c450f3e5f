//! Casts between element types through a hub: integers pass through `i64`, `f64` through itself, other floats through
//! `f32`. So `n` types need `2 n` conversions, and no value is rounded twice.
//!
//! Floats become integers by truncation that saturates, NaN becoming 0; integers become narrower ones by wrapping, as
//! Rust's `as` and PyTorch do. Floats round to nearest, ties to even.

use half::{bf16, f16};

use crate::partition::{PARALLEL_CHEAP, for_pieces};
use crate::vectorize::vectorize;

/// A number that casts know how to widen losslessly to its hub and to make from any hub.
pub trait Number: Copy + Send + Sync + 'static {
    /// `i64`, `f32` or `f64`: holds every value of this type.
    type Hub: Hub;
    /// Widens; exact.
    fn to_hub(self) -> Self::Hub;
    /// Rounds or wraps an integer.
    fn from_i64(value: i64) -> Self;
    /// Rounds or truncates a single.
    fn from_f32(value: f32) -> Self;
    /// Rounds or truncates a double.
    fn from_f64(value: f64) -> Self;
}

/// One of the three types that casts pass through.
pub trait Hub: Copy {
    /// Narrows to the target.
    fn narrow<T: Number>(self) -> T;
}

impl Hub for i64 {
    #[inline(always)]
    fn narrow<T: Number>(self) -> T {
        T::from_i64(self)
    }
}

impl Hub for f32 {
    #[inline(always)]
    fn narrow<T: Number>(self) -> T {
        T::from_f32(self)
    }
}

impl Hub for f64 {
    #[inline(always)]
    fn narrow<T: Number>(self) -> T {
        T::from_f64(self)
    }
}

/// One row a type: its hub, and how it is made from an `i64`, an `f32` and an `f64`.
macro_rules! numbers {
    ($($type:ty, $hub:ty, $to_hub:expr, $from_i64:expr, $from_f32:expr, $from_f64:expr;)*) => {$(
        impl Number for $type {
            type Hub = $hub;
            #[inline(always)]
            fn to_hub(self) -> $hub { ($to_hub)(self) }
            #[inline(always)]
            fn from_i64(value: i64) -> Self { ($from_i64)(value) }
            #[inline(always)]
            fn from_f32(value: f32) -> Self { ($from_f32)(value) }
            #[inline(always)]
            fn from_f64(value: f64) -> Self { ($from_f64)(value) }
        }
    )*};
}

numbers! {
    f64, f64, |x| x, |x| x as f64, f64::from, |x| x;
    f32, f32, |x| x, |x| x as f32, |x| x, |x| x as f32;
    bf16, f32, bf16_to_f32, |x: i64| bf16::from_f64(sticky(round_to_odd(x as f64, x))), bf16_from_f32, |x| bf16::from_f64(sticky(x));
    f16, f32, f16::to_f32, |x: i64| f16::from_f64(sticky(round_to_odd(x as f64, x))), f16::from_f32, |x| f16::from_f64(sticky(x));
    i64, i64, |x| x, |x| x, |x| x as i64, |x| x as i64;
    u8, i64, i64::from, |x| x as u8, |x| x as u8, |x| x as u8;
    i8, i64, i64::from, |x| x as i8, |x| x as i8, |x| x as i8;
}

#[inline(always)]
fn bf16_to_f32(x: bf16) -> f32 {
    f32::from_bits(u32::from(x.to_bits()) << 16)
}

/// `bf16::from_f32` without its branch, so that loops vectorise.
#[inline(always)]
fn bf16_from_f32(x: f32) -> bf16 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1));
    // A NaN keeps its sign and high bits and becomes quiet; rounding could carry it into infinity.
    let chosen = if x.is_nan() { bits | 0x0040_0000 } else { rounded };
    bf16::from_bits((chosen >> 16) as u16)
}

/// `half` looks at the upper half of a double only; this keeps, in that half's last bit, whether the lower held any.
#[inline(always)]
fn sticky(x: f64) -> f64 {
    let bits = x.to_bits();
    f64::from_bits(bits | u64::from(bits as u32 != 0) << 32)
}

/// `nearest` is `exact` rounded to a double. If that lost bits, makes the last one odd, so that a second rounding to a
/// much narrower type goes the way the first would have gone (Boldo & Melquiond 2008).
#[inline(always)]
fn round_to_odd(nearest: f64, exact: i64) -> f64 {
    if nearest as i128 == i128::from(exact) {
        return nearest;
    }
    let toward_zero = if (nearest.abs() as i128) > i128::from(exact).abs() {
        f64::from_bits(nearest.to_bits() - 1)
    } else {
        nearest
    };
    f64::from_bits(toward_zero.to_bits() | 1)
}

/// `out[i] = x[i]` as another type.
pub fn cast<S: Number, D: Number>(out: &mut [D], x: &[S]) {
    debug_assert_eq!(out.len(), x.len());
    for_pieces(out, PARALLEL_CHEAP, |out, range| cast_piece(out, &x[range]));
}

vectorize! {
    fn cast_piece[S: Number, D: Number](out: &mut [D], x: &[S]) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = x.to_hub().narrow();
        }
    }
}

#[cfg(test)]
mod tests;
