//! Elementary functions without branches, so that a loop over them vectorises.
//!
//! Polynomials are those of Cephes (`expf`, `logf`, `tanhf`; S. L. Moshier) and, for `erf`, of N. Juffa's `erff`.
//! Multiplications and additions are never fused, so every instruction set gives the same bits. The tests state the
//! worst error seen over the whole range, against `f64`.

/// Adding and subtracting 1.5 · 2²³ rounds a small `f32` to the nearest integer, which then sits in the low mantissa
/// bits; `f32::round_ties_even` would be a library call without SSE4.1.
const ROUND: f32 = 12_582_912.0;

/// `e^x`. Subnormal results are right; NaN stays NaN.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Above 89 the result is infinite and below -104 it is zero; comparing (not `clamp`) lets NaN through.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    // ln 2 in two parts: the first has few enough bits that n times it is exact.
    let r = x - n * 0.693_359_4;
    let r = r - n * -2.121_944_4e-4;
    let p = 1.987_569_2e-4_f32;
    let p = p * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let p = p * (r * r) + r + 1.0;
    // 2^n in two factors, because n = 128 and n < -126 are no exponents of a normal number.
    let n = (rounded.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let half = n >> 1;
    p * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// Natural logarithm: −∞ at ±0, NaN below zero, right for subnormals.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    let subnormal = x < f32::MIN_POSITIVE;
    let scaled = if subnormal { x * 8_388_608.0 } else { x };
    let offset = if subnormal { -23.0 } else { 0.0 };
    // Write x = m * 2^e with m in [sqrt(1/2), sqrt(2)).
    let bits = scaled
        .to_bits()
        .wrapping_sub(std::f32::consts::FRAC_1_SQRT_2.to_bits());
    let e = ((bits as i32) >> 23) as f32 + offset;
    let m = f32::from_bits((bits & 0x007f_ffff).wrapping_add(std::f32::consts::FRAC_1_SQRT_2.to_bits()));
    let f = m - 1.0;
    let z = f * f;
    let p = 7.037_683_6e-2_f32;
    let p = p * f - 1.151_461e-1;
    let p = p * f + 1.167_699_9e-1;
    let p = p * f - 1.242_014_1e-1;
    let p = p * f + 1.424_932_3e-1;
    let p = p * f - 1.666_805_8e-1;
    let p = p * f + 2.000_071_5e-1;
    let p = p * f - 2.499_999_4e-1;
    let p = p * f + 3.333_333e-1;
    let tail = p * f * z + e * -2.121_944_4e-4 - 0.5 * z;
    let y = f + tail + e * 0.693_359_4;
    let y = if x == f32::INFINITY { x } else { y };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x >= 0.0 { y } else { f32::NAN }
}

/// Hyperbolic tangent.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let a = x.abs();
    let z = x * x;
    let p = -5.704_988_7e-3_f32;
    let p = p * z + 2.063_909e-2;
    let p = p * z - 5.373_971_6e-2;
    let p = p * z + 1.333_144_2e-1;
    let p = p * z - 3.333_328e-1;
    let near_zero = p * z * x + x;
    let away = (1.0 - 2.0 / (exp(a + a) + 1.0)).copysign(x);
    if a < 0.625 { near_zero } else { away }
}

/// `1 / (1 + e^-x)`, without overflow on either side.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    let numerator = if x < 0.0 { e } else { 1.0 };
    numerator / (1.0 + e)
}

/// [`sigmoid`] in `f64`.
#[inline(always)]
pub fn sigmoid_f64(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    let numerator = if x < 0.0 { e } else { 1.0 };
    numerator / (1.0 + e)
}

/// The error function.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let t = x.abs();
    let s = x * x;
    let p = -1.728_534_7e-5_f32 * t + 3.831_972e-4;
    let q = -3.883_964_4e-3_f32 * t + 2.425_462_2e-2;
    let p = p * s + q;
    let p = p * t - 1.067_778_8e-1;
    let p = p * t - 6.348_467e-1;
    let p = p * t - 1.287_175_1e-1;
    let p = p * t - t;
    let away = (1.0 - exp(p)).copysign(x);
    let p = -5.967_617e-4_f32;
    let p = p * s + 4.991_194e-3;
    let p = p * s - 2.676_813_5e-2;
    let p = p * s + 1.128_199_2e-1;
    let p = p * s - 3.761_253_4e-1;
    let p = p * s + 1.283_791_7e-1;
    let near_zero = p * x + x;
    // |x| = infinity makes the tail polynomial NaN; erf is 1 to the last bit long before.
    let away = if t > 10.0 { 1.0_f32.copysign(x) } else { away };
    if t > 0.927_734_4 { away } else { near_zero }
}

/// [`erf`] in `f64`, by its everywhere-positive series near zero and the continued fraction of `erfc` beyond
/// (Abramowitz & Stegun 7.1.6 and 7.1.14): slow, but good to a few units in the last place.
pub fn erf_f64(x: f64) -> f64 {
    let a = x.abs();
    if a.is_nan() {
        return x;
    }
    if a > 6.0 {
        return 1.0_f64.copysign(x);
    }
    let gauss = (-a * a).exp() / std::f64::consts::PI.sqrt();
    if a < 2.5 {
        let (mut term, mut sum, mut n) = (a, a, 1.0);
        while term > sum * 1e-18 {
            term *= 2.0 * a * a / (2.0 * n + 1.0);
            sum += term;
            n += 1.0;
        }
        return (2.0 * gauss * sum).copysign(x);
    }
    let fraction = (1..=60).rev().fold(a, |tail, n| a + 0.5 * f64::from(n) / tail);
    (1.0 - gauss / fraction).copysign(x)
}

#[cfg(test)]
mod tests;
