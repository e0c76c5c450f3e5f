//! The normal distribution between two ends, in logarithms so that far tails keep their digits.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2, PI};

/// Below this the logarithm of the distribution function is its asymptotic series: the function itself is 1e-89.
const ASYMPTOTIC_BELOW: f64 = -20.0;

/// Above this the logarithm is minus the other tail, to the last digit.
const COMPLEMENT_ABOVE: f64 = 6.0;

/// A normal distribution of mean `mu` and deviation `sigma`, between `low` and `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TruncatedNormal {
    pub mu: f64,
    pub sigma: f64,
    pub low: f64,
    pub high: f64,
}

impl TruncatedNormal {
    /// Logarithm of the probability of `from..to`.
    pub(crate) fn log_mass(&self, from: f64, to: f64) -> f64 {
        log_gauss_mass(self.standard(from), self.standard(to)) - self.log_total()
    }

    /// Logarithm of the density at `x`.
    pub(crate) fn log_pdf(&self, x: f64) -> f64 {
        let z = self.standard(x);
        if z < self.standard(self.low) || z > self.standard(self.high) {
            return f64::NEG_INFINITY;
        }
        -0.5 * z * z - half_log_tau() - self.log_total() - self.sigma.ln()
    }

    /// The number below which the share `quantile` of the probability lies.
    pub(crate) fn at(&self, quantile: f64) -> f64 {
        let [a, b] = [self.low, self.high].map(|end| self.standard(end));
        let mass = log_gauss_mass(a, b);
        // The left tail has the better digits, so the right one is mirrored.
        let z = if a < 0.0 {
            inverse_log_ndtr(log_sum(log_ndtr(a), quantile.ln() + mass))
        } else {
            -inverse_log_ndtr(log_sum(log_ndtr(-b), (-quantile).ln_1p() + mass))
        };
        (z * self.sigma + self.mu).clamp(self.low, self.high)
    }

    fn standard(&self, x: f64) -> f64 {
        (x - self.mu) / self.sigma
    }

    fn log_total(&self) -> f64 {
        log_gauss_mass(self.standard(self.low), self.standard(self.high))
    }
}

fn half_log_tau() -> f64 {
    0.5 * (2.0 * PI).ln()
}

fn ndtr(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// Logarithm of the standard normal distribution function.
fn log_ndtr(x: f64) -> f64 {
    if x > COMPLEMENT_ABOVE {
        return -ndtr(-x);
    }
    if x > ASYMPTOTIC_BELOW {
        return ndtr(x).ln();
    }
    // Abramowitz and Stegun, 26.2.12.
    let head = -0.5 * x * x - (-x).ln() - half_log_tau();
    let (mut sum, mut term, mut order) = (1.0, 1.0, 0.0);
    loop {
        order += 1.0;
        let next: f64 = -term * (2.0 * order - 1.0) / (x * x);
        let is_last = next.abs() >= f64::abs(term) || next.abs() < f64::EPSILON * 1e-2;
        if is_last {
            return head + f64::ln(sum);
        }
        term = next;
        sum += term;
    }
}

/// Logarithm of the probability between `a` and `b`.
fn log_gauss_mass(a: f64, b: f64) -> f64 {
    if b <= 0.0 {
        log_difference(log_ndtr(b), log_ndtr(a))
    } else if a > 0.0 {
        log_difference(log_ndtr(-a), log_ndtr(-b))
    } else {
        (-ndtr(a) - ndtr(-b)).ln_1p()
    }
}

fn log_sum(p: f64, q: f64) -> f64 {
    let (large, small) = if p > q { (p, q) } else { (q, p) };
    if small == f64::NEG_INFINITY {
        return large;
    }
    large + (small - large).exp().ln_1p()
}

fn log_difference(p: f64, q: f64) -> f64 {
    p + (-(q - p).exp()).ln_1p()
}

/// The `x` whose [`log_ndtr`] is `y`, by Newton's method.
fn inverse_log_ndtr(y: f64) -> f64 {
    // Near 0 the other tail has the digits.
    if y > -1e-2 {
        let other = (-y.exp_m1()).ln();
        return if other == f64::NEG_INFINITY {
            f64::INFINITY
        } else {
            -newton(other)
        };
    }
    if y == f64::NEG_INFINITY {
        return y;
    }
    newton(y)
}

fn newton(y: f64) -> f64 {
    // The tail's leading term far out, the logistic curve near the middle.
    let mut x = if y < -5.0 {
        -(-2.0 * (y + half_log_tau())).sqrt()
    } else {
        -(3f64.sqrt() / PI) * (-y).exp_m1().max(f64::MIN_POSITIVE).ln()
    };
    debug_assert!(y <= 0.0 || y < LN_2);
    for _ in 0..100 {
        let value = log_ndtr(x);
        let log_density = -0.5 * x * x - half_log_tau();
        let move_by = (value - y) * (value - log_density).exp();
        x -= move_by;
        if move_by.abs() < 1e-10 * x.abs() || !x.is_finite() {
            break;
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_leaves_its_share_below() {
        for (mu, sigma, low, high) in [
            (0.0, 1.0, -1.0, 2.0),
            (0.0, 0.01, 0.9, 1.0),
            (5.0, 3.0, -40.0, -30.0),
            (0.5, 100.0, 0.0, 1.0),
            (0.0, 1.0, -60.0, 60.0),
        ] {
            let normal = TruncatedNormal { mu, sigma, low, high };
            for quantile in [1e-9, 0.01, 0.3, 0.5, 0.9, 0.999] {
                let x = normal.at(quantile);
                let share = normal.log_mass(low, x).exp();
                assert!(
                    (share - quantile).abs() < 1e-7,
                    "{normal:?} at {quantile}: {x}, {share}"
                );
            }
        }
    }

    #[test]
    fn the_density_is_the_slope_of_the_mass() {
        let normal = TruncatedNormal {
            mu: 0.3,
            sigma: 0.2,
            low: 0.0,
            high: 1.0,
        };
        for x in [0.05, 0.3, 0.8] {
            let slope = normal.log_mass(x - 1e-6, x + 1e-6).exp() / 2e-6;
            assert!((slope - normal.log_pdf(x).exp()).abs() < 1e-6);
        }
        assert_eq!(normal.log_pdf(1.1), f64::NEG_INFINITY);
    }

    #[test]
    fn the_series_meets_the_function() {
        let [near, far] = [ASYMPTOTIC_BELOW + 1e-9, ASYMPTOTIC_BELOW - 1e-9].map(log_ndtr);
        assert!((near - far).abs() < 1e-6, "{near} {far}");
    }
}
