//! The two element types that arithmetic kernels are written for.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use crate::gemm::{self, Epilogue, Precision};
use crate::math;
use crate::matrix::MatRef;

/// `f32` or `f64`. Elementary functions of `f32` are the branch-free ones of [`crate::math`]; those of `f64` are the
/// standard library's, exact enough for gradient checks.
pub trait Real:
    Copy
    + Send
    + Sync
    + Debug
    + Default
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
    + bytemuck::Pod
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// −∞, the identity of `max`.
    const NEG_INFINITY: Self;

    /// Rounds an `f64` to this type.
    fn from_f64(value: f64) -> Self;
    /// Widens to `f64`; exact.
    fn to_f64(self) -> f64;
    /// `e^self`.
    fn exp(self) -> Self;
    /// Natural logarithm; −∞ at 0 and NaN below.
    fn ln(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// `1 / (1 + e^-self)`.
    fn sigmoid(self) -> Self;
    /// The error function.
    fn erf(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// `self` to a real power, computed as `f64::powf` and rounded.
    fn powf(self, exponent: f64) -> Self;
    /// Whether this is NaN.
    fn is_nan(self) -> bool;
    /// The matrix product of this type: see [`gemm::gemm_f32`].
    fn gemm(out: &mut [Self], a: MatRef<Self>, b: MatRef<Self>, accumulate: bool, epilogue: Epilogue<Self>);
    /// `out = a · b`, added to `out` if `accumulate`, in this precision; products of `f64` are always `f64`.
    fn gemm_in(precision: Precision, out: &mut [Self], a: MatRef<Self>, b: MatRef<Self>, accumulate: bool);
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const NEG_INFINITY: Self = f32::NEG_INFINITY;

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as f32
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self.into()
    }
    #[inline(always)]
    fn exp(self) -> Self {
        math::exp(self)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        math::ln(self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        math::tanh(self)
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        math::sigmoid(self)
    }
    #[inline(always)]
    fn erf(self) -> Self {
        math::erf(self)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }
    #[inline(always)]
    fn abs(self) -> Self {
        f32::abs(self)
    }
    #[inline(always)]
    fn powf(self, exponent: f64) -> Self {
        f64::powf(self.into(), exponent) as f32
    }
    #[inline(always)]
    fn is_nan(self) -> bool {
        f32::is_nan(self)
    }
    fn gemm(out: &mut [Self], a: MatRef<Self>, b: MatRef<Self>, accumulate: bool, epilogue: Epilogue<Self>) {
        gemm::gemm_f32(out, a, b, accumulate, epilogue);
    }
    fn gemm_in(precision: Precision, out: &mut [Self], a: MatRef<Self>, b: MatRef<Self>, accumulate: bool) {
        match precision {
            Precision::F32 => gemm::gemm_f32(out, a, b, accumulate, Epilogue::default()),
            Precision::Bf16 => gemm::gemm_bf16(out, a.into(), b.into(), accumulate, Epilogue::default()),
        }
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const NEG_INFINITY: Self = f64::NEG_INFINITY;

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
    #[inline(always)]
    fn exp(self) -> Self {
        f64::exp(self)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        f64::ln(self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        f64::tanh(self)
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        math::sigmoid_f64(self)
    }
    #[inline(always)]
    fn erf(self) -> Self {
        math::erf_f64(self)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }
    #[inline(always)]
    fn abs(self) -> Self {
        f64::abs(self)
    }
    #[inline(always)]
    fn powf(self, exponent: f64) -> Self {
        f64::powf(self, exponent)
    }
    #[inline(always)]
    fn is_nan(self) -> bool {
        f64::is_nan(self)
    }
    fn gemm(out: &mut [Self], a: MatRef<Self>, b: MatRef<Self>, accumulate: bool, epilogue: Epilogue<Self>) {
        gemm::gemm_f64(out, a, b, accumulate, epilogue);
    }
    fn gemm_in(_: Precision, out: &mut [Self], a: MatRef<Self>, b: MatRef<Self>, accumulate: bool) {
        gemm::gemm_f64(out, a, b, accumulate, Epilogue::default());
    }
}
