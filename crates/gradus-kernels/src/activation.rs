//! The activations of one element with their slopes, as types: a loop over one of them inlines it whatever its size.
//!
//! Passed as closures, the longer of these are compiled once, as scalar functions that every loop calls (the backward of
//! GELU then takes 25 times as long); a method of a type parameter that is `inline(always)` cannot be.

use crate::real::Real;

/// A function of one element.
pub(crate) trait Activation: Copy + Sync {
    /// `f(x)`.
    fn value<T: Real>(x: T) -> T;
    /// `(f(x), f'(x))`.
    fn with_slope<T: Real>(x: T) -> (T, T);
}

/// `x`.
#[derive(Clone, Copy)]
pub(crate) struct Identity;

impl Activation for Identity {
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x
    }
    #[inline(always)]
    fn with_slope<T: Real>(x: T) -> (T, T) {
        (x, T::ONE)
    }
}

/// `max(x, 0)`; NaN stays NaN, and the slope at 0 is 0.
#[derive(Clone, Copy)]
pub(crate) struct Relu;

impl Activation for Relu {
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        if x <= T::ZERO { T::ZERO } else { x }
    }
    #[inline(always)]
    fn with_slope<T: Real>(x: T) -> (T, T) {
        (Self::value(x), if x <= T::ZERO { T::ZERO } else { T::ONE })
    }
}

/// `x Φ(x)`.
#[derive(Clone, Copy)]
pub(crate) struct Gelu;

/// Φ, the standard normal distribution function.
#[inline(always)]
fn normal_cdf<T: Real>(x: T) -> T {
    let half = T::from_f64(0.5);
    half + half * (x * T::from_f64(std::f64::consts::FRAC_1_SQRT_2)).erf()
}

impl Activation for Gelu {
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x * normal_cdf(x)
    }
    #[inline(always)]
    fn with_slope<T: Real>(x: T) -> (T, T) {
        let density_at_zero =
            T::from_f64(0.5 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2);
        let cdf = normal_cdf(x);
        let density = density_at_zero * (T::from_f64(-0.5) * x * x).exp();
        (x * cdf, cdf + x * density)
    }
}

/// The tanh form of GELU, `x/2 (1 + tanh(u))` with `u = √(2/π) (x + 0.044715 x³)`, which is `x σ(2u)`: one division less
/// than through tanh, and no cancellation for negative `x`.
#[derive(Clone, Copy)]
pub(crate) struct GeluTanh;

/// Coefficient of the cubic term (Hendrycks & Gimpel 2016, section 2).
const GELU_CUBIC: f64 = 0.044715;

/// `2 √(2/π)`.
const TWICE_SQRT_2_OVER_PI: f64 = 2.0 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;

impl Activation for GeluTanh {
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        let cubic = T::from_f64(TWICE_SQRT_2_OVER_PI * GELU_CUBIC);
        x * (x * (T::from_f64(TWICE_SQRT_2_OVER_PI) + cubic * (x * x))).sigmoid()
    }
    #[inline(always)]
    fn with_slope<T: Real>(x: T) -> (T, T) {
        let (linear, cubic) = (
            T::from_f64(TWICE_SQRT_2_OVER_PI),
            T::from_f64(TWICE_SQRT_2_OVER_PI * GELU_CUBIC),
        );
        let square = x * x;
        let s = (x * (linear + cubic * square)).sigmoid();
        let d_inner = linear + T::from_f64(3.0) * cubic * square;
        let rise = s * (T::ONE - s);
        // Far out the rise is exactly 0, and 0 times an infinite inner slope must stay 0.
        let pull = if rise > T::ZERO {
            x * rise * d_inner
        } else {
            T::ZERO
        };
        (x * s, s + pull)
    }
}

/// `x σ(x)`.
#[derive(Clone, Copy)]
pub(crate) struct Silu;

impl Activation for Silu {
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x * x.sigmoid()
    }
    #[inline(always)]
    fn with_slope<T: Real>(x: T) -> (T, T) {
        let s = x.sigmoid();
        (x * s, s * (T::ONE + x * (T::ONE - s)))
    }
}

/// Hyperbolic tangent.
#[derive(Clone, Copy)]
pub(crate) struct Tanh;

impl Activation for Tanh {
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.tanh()
    }
    #[inline(always)]
    fn with_slope<T: Real>(x: T) -> (T, T) {
        let y = x.tanh();
        (y, T::ONE - y * y)
    }
}

/// The logistic function.
#[derive(Clone, Copy)]
pub(crate) struct Sigmoid;

impl Activation for Sigmoid {
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.sigmoid()
    }
    #[inline(always)]
    fn with_slope<T: Real>(x: T) -> (T, T) {
        let y = x.sigmoid();
        (y, (T::ONE - y) * y)
    }
}
