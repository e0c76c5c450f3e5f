//! How sure the mean of a figure over folds is.

use serde::{Deserialize, Serialize};

/// A mean over folds with two 95 % intervals of Student's t.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanInterval {
    /// The mean over all folds of all repetitions.
    pub mean: f64,
    /// The standard deviation over them, with n − 1.
    pub std: f64,
    /// Half the width of `mean ± t · std / √n`. It takes folds for independent, which they are not: their training rows
    /// overlap. So it is too narrow, and the more so the more repetitions there are.
    pub half_width: f64,
    /// Half the width with the variance of C. Nadeau and Y. Bengio ("Inference for the generalization error", Machine
    /// Learning 52, 2003): `mean ± t · std · √(1/n + test rows / training rows)`. This is the one to quote.
    pub corrected_half_width: f64,
}

/// The confidence of the intervals.
const CONFIDENCE: f64 = 0.95;

impl MeanInterval {
    /// Of the values of a figure; `test_share` is the mean of test rows over training rows. `None` for fewer than two.
    pub fn new(values: &[f64], test_share: f64) -> Option<MeanInterval> {
        let n = values.len() as f64;
        if values.len() < 2 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let t = student_t_quantile(0.5 + CONFIDENCE / 2.0, n - 1.0);
        Some(MeanInterval {
            mean,
            std: variance.sqrt(),
            half_width: t * (variance / n).sqrt(),
            corrected_half_width: t * (variance * (1.0 / n + test_share)).sqrt(),
        })
    }
}

/// The quantile of Student's t distribution with `degrees` of freedom (above 0), for a `probability` from 0.5 to below
/// 1; to 1e-10 of its value.
pub fn student_t_quantile(probability: f64, degrees: f64) -> f64 {
    // Near the middle the tail is nearly one half, and its difference from that would have few digits.
    let is_central = probability < 0.75;
    let is_below = |t: f64| match is_central {
        true => regularized_beta(t * t / (degrees + t * t), 0.5, degrees / 2.0) < 2.0 * probability - 1.0,
        false => 0.5 * regularized_beta(degrees / (degrees + t * t), degrees / 2.0, 0.5) > 1.0 - probability,
    };
    let (mut low, mut high) = (0.0, 1.0);
    while is_below(high) && high < 1e150 {
        high *= 2.0;
    }
    while high - low > 1e-13 * high {
        let middle = 0.5 * (low + high);
        match is_below(middle) {
            true => low = middle,
            false => high = middle,
        }
    }
    0.5 * (low + high)
}

/// The regularised incomplete beta function (DLMF 8.17), by its continued fraction (8.17.22) evaluated with the modified
/// method of Lentz.
fn regularized_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    // The fraction converges fast below the mean of the distribution; above it, its mirror does.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - regularized_beta(1.0 - x, b, a);
    }
    let front = (a * x.ln() + b * (1.0 - x).ln() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b)).exp() / a;
    let tiny = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let (mut c, mut d) = (1.0, 1.0 / tiny(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for step in 1..10_000 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / tiny(1.0 + term * d);
            c = tiny(1.0 + term / c);
            change = c * d;
            fraction *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    front * fraction
}

/// The logarithm of the gamma function above 0: Stirling's series (DLMF 5.11.1) from 10 on, to which smaller arguments
/// climb by `Γ(x + 1) = x Γ(x)`.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut fallen) = (x, 0.0);
    while x < 10.0 {
        fallen += x.ln();
        x += 1.0;
    }
    let inverse_square = 1.0 / (x * x);
    let series = [
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1260.0,
        -1.0 / 1680.0,
        1.0 / 1188.0,
        -691.0 / 360_360.0,
    ];
    let sum = series
        .iter()
        .rev()
        .fold(0.0, |sum, term| sum * inverse_square + term)
        / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + sum - fallen
}
