//! What happens to a block of scores `[keys][PANEL]` between the products.

use super::panel::{PANEL, Panel};
use crate::real::Real;
use crate::vectorize::vectorize;

/// A value for each lane.
pub(super) type Lanes<T> = [T; PANEL];

/// Sums are taken relative to a maximum that may lag behind the true one by this much: `e^8` is far from overflow, and the
/// output so far is rarely rescaled (the idea is that of FlashAttention 4).
const SLACK: f64 = 8.0;

vectorize! {
    /// `x = x · factor`.
    pub(super) fn scale[T: Real](x: &mut [T], factor: T) {
        for x in x {
            *x *= factor;
        }
    }
}

vectorize! {
    /// Each row times a factor a lane.
    pub(super) fn scale_lanes[T: Real](rows: &mut [Lanes<T>], factor: &Lanes<T>) {
        for row in rows {
            for (x, &factor) in row.iter_mut().zip(factor) {
                *x *= factor;
            }
        }
    }
}

vectorize! {
    /// `s = cap · tanh(s / cap)`.
    pub(super) fn cap_scores[T: Real](scores: &mut [Lanes<T>], cap: T) {
        for row in scores {
            for s in row {
                *s = cap * (*s / cap).tanh();
            }
        }
    }
}

vectorize! {
    /// The score of a key that its lane does not see becomes −∞. The first row is that of key `first`.
    pub(super) fn mask_scores[T: Real](scores: &mut [Lanes<T>], first: u32, panel: &Panel) {
        for (key, row) in (first..).zip(scores) {
            for ((s, &start), &end) in row.iter_mut().zip(&panel.starts).zip(&panel.ends) {
                let seen = (start <= key) & (key < end);
                *s = if seen { *s } else { T::NEG_INFINITY };
            }
        }
    }
}

/// The sums so far of a softmax that sees its scores block by block (Milakov & Gimelshein 2018).
pub(super) struct Online<T> {
    /// What scores are taken relative to; −∞ before the first that is seen.
    pub max: Lanes<T>,
    /// `Σ e^(s − max)`.
    pub sum: Lanes<T>,
    /// What earlier sums must be multiplied by.
    pub correction: Lanes<T>,
}

impl<T: Real> Online<T> {
    pub(super) fn new() -> Self {
        Online {
            max: [T::NEG_INFINITY; PANEL],
            sum: [T::ZERO; PANEL],
            correction: [T::ZERO; PANEL],
        }
    }
}

vectorize! {
    /// Looks at the maxima of the next scores; says whether the correction has to be applied to what earlier blocks have
    /// given.
    pub(super) fn raise_max[T: Real](scores: &[Lanes<T>], online: &mut Online<T>) -> bool {
        let mut top = [T::NEG_INFINITY; PANEL];
        for row in scores {
            for (top, &s) in top.iter_mut().zip(row) {
                *top = if s > *top { s } else { *top };
            }
        }
        let slack = T::from_f64(SLACK);
        let grown = top.iter().zip(&online.max).any(|(&top, &max)| top > max + slack);
        if grown {
            for (lane, &top) in top.iter().enumerate() {
                let max = online.max[lane];
                let new = if top > max { top } else { max };
                online.correction[lane] = (max - finite(new)).exp();
                online.max[lane] = new;
                online.sum[lane] *= online.correction[lane];
            }
        }
        grown
    }
}

vectorize! {
    /// Scores become `e^(s − max)` and are added to the sums.
    pub(super) fn exponentials[T: Real](scores: &mut [Lanes<T>], max: &Lanes<T>, sum: &mut Lanes<T>) {
        let max = max.map(finite);
        for row in scores {
            for ((s, &max), sum) in row.iter_mut().zip(&max).zip(&mut *sum) {
                *s = (*s - max).exp();
                *sum += *s;
            }
        }
    }
}

/// Zero for −∞: a row without keys has exponentials of zero, not NaN.
#[inline(always)]
pub(super) fn finite<T: Real>(max: T) -> T {
    if max == T::NEG_INFINITY { T::ZERO } else { max }
}

/// What the backward knows of each lane.
pub(super) struct Known<T> {
    /// Logarithm of the sum of exponentials.
    pub log_sum: Lanes<T>,
    /// Output times its gradient, summed over the head.
    pub delta: Lanes<T>,
}

vectorize! {
    /// Scores become probabilities `p = e^(s − log_sum)`, and the gradients `d` of probabilities those of scores times
    /// `factor`: `p · (d − delta) · factor`.
    pub(super) fn probabilities_and_gradients[T: Real](
        scores: &mut [Lanes<T>],
        d: &mut [Lanes<T>],
        known: &Known<T>,
        factor: T,
    ) {
        for (scores, d) in scores.iter_mut().zip(d) {
            for lane in 0..PANEL {
                let p = (scores[lane] - known.log_sum[lane]).exp();
                scores[lane] = p;
                d[lane] = p * (d[lane] - known.delta[lane]) * factor;
            }
        }
    }
}

vectorize! {
    /// `slope = scale · (1 − (s / cap)²)`: how a capped score follows its product.
    pub(super) fn cap_slopes[T: Real](slopes: &mut [Lanes<T>], scores: &[Lanes<T>], scale: T, cap: T) {
        for (slopes, scores) in slopes.iter_mut().zip(scores) {
            for (slope, &s) in slopes.iter_mut().zip(scores) {
                let tanh = s / cap;
                *slope = scale * (T::ONE - tanh * tanh);
            }
        }
    }
}

vectorize! {
    /// `x = x · factor`, element by element.
    pub(super) fn multiply[T: Real](x: &mut [T], factor: &[T]) {
        for (x, &factor) in x.iter_mut().zip(factor) {
            *x *= factor;
        }
    }
}

vectorize! {
    /// `out[lane] = Σ a[row][lane] · b[row][lane]`.
    pub(super) fn dot_lanes[T: Real](out: &mut Lanes<T>, a: &[Lanes<T>], b: &[Lanes<T>]) {
        *out = [T::ZERO; PANEL];
        for (a, b) in a.iter().zip(b) {
            for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
                *out += a * b;
            }
        }
    }
}
