//! Functions of one operand over contiguous slices, each with its backward beneath it.
//!
//! Forwards overwrite `out`; backwards overwrite `d_x`. A backward is given what its formula needs least: the output
//! `y` where the derivative is a function of it, else the input `x`.

use crate::activation::{self, Activation};
use crate::partition::{PARALLEL_CHEAP, PARALLEL_COSTLY, for_pieces};
use crate::real::Real;
use crate::vectorize::vectorize;

vectorize! {
    fn map_piece[T: Copy, U, F: Fn(T) -> U](out: &mut [U], x: &[T], f: F) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = f(x);
        }
    }
}

vectorize! {
    fn map2_piece[A: Copy, B: Copy, U, F: Fn(A, B) -> U](out: &mut [U], a: &[A], b: &[B], f: F) {
        for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
            *out = f(a, b);
        }
    }
}

/// `out[i] = f(x[i])`, on the pool from `threshold` elements.
pub(crate) fn map<T: Copy + Sync, U: Send>(
    out: &mut [U],
    x: &[T],
    threshold: usize,
    f: impl Fn(T) -> U + Copy + Sync,
) {
    debug_assert_eq!(out.len(), x.len());
    for_pieces(out, threshold, |out, range| map_piece(out, &x[range], f));
}

/// `out[i] = f(a[i], b[i])`, on the pool from `threshold` elements.
pub(crate) fn map2<A: Copy + Sync, B: Copy + Sync, U: Send>(
    out: &mut [U],
    a: &[A],
    b: &[B],
    threshold: usize,
    f: impl Fn(A, B) -> U + Copy + Sync,
) {
    debug_assert!(out.len() == a.len() && out.len() == b.len());
    for_pieces(out, threshold, |out, range| {
        map2_piece(out, &a[range.clone()], &b[range], f)
    });
}

/// `max(x, 0)`; NaN stays NaN.
pub fn relu<T: Real>(out: &mut [T], x: &[T]) {
    map(out, x, PARALLEL_CHEAP, |x| if x <= T::ZERO { T::ZERO } else { x });
}

/// Gradient of [`relu`] from its output `y`: `d_y` where `y > 0`, else 0.
pub fn relu_backward<T: Real>(d_x: &mut [T], y: &[T], d_y: &[T]) {
    map2(d_x, y, d_y, PARALLEL_CHEAP, |y, d_y| {
        if y <= T::ZERO { T::ZERO } else { d_y }
    });
}

vectorize! {
    fn value_piece[T: Real, A: Activation](out: &mut [T], x: &[T], _activation: A) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = A::value(x);
        }
    }
}

vectorize! {
    fn slope_piece[T: Real, A: Activation](d_x: &mut [T], x: &[T], d_y: &[T], _activation: A) {
        for ((d_x, &x), &d_y) in d_x.iter_mut().zip(x).zip(d_y) {
            *d_x = d_y * A::with_slope(x).1;
        }
    }
}

fn activate<T: Real>(out: &mut [T], x: &[T], activation: impl Activation) {
    debug_assert_eq!(out.len(), x.len());
    for_pieces(out, PARALLEL_COSTLY, |out, range| {
        value_piece(out, &x[range], activation)
    });
}

fn activate_backward<T: Real>(d_x: &mut [T], x: &[T], d_y: &[T], activation: impl Activation) {
    debug_assert!(d_x.len() == x.len() && d_x.len() == d_y.len());
    for_pieces(d_x, PARALLEL_COSTLY, |d_x, range| {
        slope_piece(d_x, &x[range.clone()], &d_y[range], activation);
    });
}

/// The exact Gaussian error linear unit, `x · Φ(x)` (Hendrycks & Gimpel 2016), by [`Real::erf`].
pub fn gelu<T: Real>(out: &mut [T], x: &[T]) {
    activate(out, x, activation::Gelu);
}

/// Gradient of [`gelu`]: `d_y · (Φ(x) + x φ(x))`.
pub fn gelu_backward<T: Real>(d_x: &mut [T], x: &[T], d_y: &[T]) {
    activate_backward(d_x, x, d_y, activation::Gelu);
}

/// The tanh form of GELU: `0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
pub fn gelu_tanh<T: Real>(out: &mut [T], x: &[T]) {
    activate(out, x, activation::GeluTanh);
}

/// Gradient of [`gelu_tanh`].
pub fn gelu_tanh_backward<T: Real>(d_x: &mut [T], x: &[T], d_y: &[T]) {
    activate_backward(d_x, x, d_y, activation::GeluTanh);
}

/// `x · sigmoid(x)` (SiLU, also called swish).
pub fn silu<T: Real>(out: &mut [T], x: &[T]) {
    activate(out, x, activation::Silu);
}

/// Gradient of [`silu`].
pub fn silu_backward<T: Real>(d_x: &mut [T], x: &[T], d_y: &[T]) {
    activate_backward(d_x, x, d_y, activation::Silu);
}

/// Hyperbolic tangent.
pub fn tanh<T: Real>(out: &mut [T], x: &[T]) {
    map(out, x, PARALLEL_COSTLY, T::tanh);
}

/// Gradient of [`tanh`] from its output: `d_y (1 − y²)`.
pub fn tanh_backward<T: Real>(d_x: &mut [T], y: &[T], d_y: &[T]) {
    map2(d_x, y, d_y, PARALLEL_CHEAP, |y, d_y| d_y * (T::ONE - y * y));
}

/// The logistic function.
pub fn sigmoid<T: Real>(out: &mut [T], x: &[T]) {
    map(out, x, PARALLEL_COSTLY, T::sigmoid);
}

/// Gradient of [`sigmoid`] from its output: `d_y · y (1 − y)`.
pub fn sigmoid_backward<T: Real>(d_x: &mut [T], y: &[T], d_y: &[T]) {
    map2(d_x, y, d_y, PARALLEL_CHEAP, |y, d_y| d_y * (T::ONE - y) * y);
}

/// `e^x`.
pub fn exp<T: Real>(out: &mut [T], x: &[T]) {
    map(out, x, PARALLEL_COSTLY, T::exp);
}

/// Gradient of [`exp`] from its output: `d_y · y`.
pub fn exp_backward<T: Real>(d_x: &mut [T], y: &[T], d_y: &[T]) {
    map2(d_x, y, d_y, PARALLEL_CHEAP, |y, d_y| d_y * y);
}

/// Natural logarithm.
pub fn log<T: Real>(out: &mut [T], x: &[T]) {
    map(out, x, PARALLEL_COSTLY, T::ln);
}

/// Gradient of [`log`]: `d_y / x`.
pub fn log_backward<T: Real>(d_x: &mut [T], x: &[T], d_y: &[T]) {
    map2(d_x, x, d_y, PARALLEL_CHEAP, |x, d_y| d_y / x);
}

/// Square root; NaN below zero.
pub fn sqrt<T: Real>(out: &mut [T], x: &[T]) {
    map(out, x, PARALLEL_CHEAP, T::sqrt);
}

/// Gradient of [`sqrt`] from its output: `d_y / (2 y)`, infinite at 0.
pub fn sqrt_backward<T: Real>(d_x: &mut [T], y: &[T], d_y: &[T]) {
    map2(d_x, y, d_y, PARALLEL_CHEAP, |y, d_y| d_y / (y + y));
}

/// Absolute value.
pub fn abs<T: Real>(out: &mut [T], x: &[T]) {
    map(out, x, PARALLEL_CHEAP, T::abs);
}

/// Gradient of [`abs`]: `d_y · sign(x)`, 0 at 0.
pub fn abs_backward<T: Real>(d_x: &mut [T], x: &[T], d_y: &[T]) {
    map2(d_x, x, d_y, PARALLEL_CHEAP, |x, d_y| {
        let positive = if x > T::ZERO { d_y } else { T::ZERO };
        if x < T::ZERO { -d_y } else { positive }
    });
}

/// `x^exponent`. Small integers and halves are multiplications and square roots; others go through `f64::powf`.
pub fn pow<T: Real>(out: &mut [T], x: &[T], exponent: f64) {
    match exponent {
        2.0 => map(out, x, PARALLEL_CHEAP, |x| x * x),
        3.0 => map(out, x, PARALLEL_CHEAP, |x| x * x * x),
        0.5 => map(out, x, PARALLEL_CHEAP, T::sqrt),
        -1.0 => map(out, x, PARALLEL_CHEAP, |x| T::ONE / x),
        -2.0 => map(out, x, PARALLEL_CHEAP, |x| T::ONE / (x * x)),
        _ => map(out, x, PARALLEL_COSTLY, |x| x.powf(exponent)),
    }
}

/// Gradient of [`pow`]: `d_y · exponent · x^(exponent − 1)`; 0 for exponent 0, also at `x = 0`.
pub fn pow_backward<T: Real>(d_x: &mut [T], x: &[T], d_y: &[T], exponent: f64) {
    let factor = T::from_f64(exponent);
    match exponent {
        0.0 => d_x.fill(T::ZERO),
        1.0 => d_x.copy_from_slice(d_y),
        2.0 => map2(d_x, x, d_y, PARALLEL_CHEAP, |x, d_y| d_y * (factor * x)),
        3.0 => map2(d_x, x, d_y, PARALLEL_CHEAP, |x, d_y| d_y * (factor * (x * x))),
        _ => map2(d_x, x, d_y, PARALLEL_COSTLY, |x, d_y| {
            d_y * (factor * x.powf(exponent - 1.0))
        }),
    }
}

/// `−x`; its gradient is itself.
pub fn neg<T: Real>(out: &mut [T], x: &[T]) {
    map(out, x, PARALLEL_CHEAP, |x| -x);
}

/// `scale · x + shift`. Its gradient is [`affine`] of `d_y` with the same scale and no shift.
pub fn affine<T: Real>(out: &mut [T], x: &[T], scale: f64, shift: f64) {
    let (scale, shift) = (T::from_f64(scale), T::from_f64(shift));
    map(out, x, PARALLEL_CHEAP, |x| x * scale + shift);
}

/// `x` limited to `[min, max]`; NaN stays NaN, and where `min > max` the result is `max`.
pub fn clamp<T: Real>(out: &mut [T], x: &[T], min: f64, max: f64) {
    let (min, max) = (T::from_f64(min), T::from_f64(max));
    map(out, x, PARALLEL_CHEAP, |x| {
        let x = if x < min { min } else { x };
        if x > max { max } else { x }
    });
}

/// Gradient of [`clamp`]: `d_y` where `min ≤ x ≤ max`, else 0.
pub fn clamp_backward<T: Real>(d_x: &mut [T], x: &[T], d_y: &[T], [min, max]: [f64; 2]) {
    let (min, max) = (T::from_f64(min), T::from_f64(max));
    map2(d_x, x, d_y, PARALLEL_CHEAP, |x, d_y| {
        if x >= min && x <= max { d_y } else { T::ZERO }
    });
}

#[cfg(test)]
mod tests;
