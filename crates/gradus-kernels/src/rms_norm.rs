//! Root-mean-square normalisation of the rows of a `[rows, width]` matrix (Zhang & Sennrich 2019).

use crate::partition::{PARALLEL_CHEAP, Pieces, for_rows};
use crate::real::Real;
use crate::reduce::{lane_dot3, lane_sum};
use crate::row_blocks::for_row_blocks;
use crate::vectorize::vectorize;

/// `out = x · rstd · weight` for each row, with `rstd = 1 / √(mean(x²) + epsilon)`. `out` and `rstd` (`[rows]`, saved
/// for the backward) are overwritten; `weight` is `[width]`. Sums run in sixteen lanes.
pub fn rms_norm<T: Real>(out: &mut [T], rstd: &mut [T], x: &[T], weight: &[T], epsilon: f64) {
    let rows = rstd.len();
    if out.is_empty() {
        return;
    }
    let width = out.len() / rows;
    debug_assert!(out.len() == x.len() && out.len() == rows * width);
    let (out, rstd) = (Pieces::new(out), Pieces::new(rstd));
    for_rows(rows, width, PARALLEL_CHEAP, |rows| {
        let cells = rows.start * width..rows.end * width;
        // SAFETY: `for_rows` gives disjoint row ranges.
        let (out, rstd) = unsafe { (out.get(cells.clone()), rstd.get(rows)) };
        normalize_rows(out, rstd, &x[cells], weight, epsilon);
    });
}

vectorize! {
    fn normalize_rows[T: Real](out: &mut [T], rstd: &mut [T], x: &[T], weight: &[T], epsilon: f64) {
        let width = x.len() / rstd.len();
        let (per_element, epsilon) = (T::ONE / T::from_f64(width as f64), T::from_f64(epsilon));
        for ((out, x), rstd) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(rstd) {
            *rstd = T::ONE / (lane_sum(x, |x| x * x) * per_element + epsilon).sqrt();
            let scale = *rstd;
            for ((out, &x), &weight) in out.iter_mut().zip(x).zip(weight) {
                *out = x * scale * weight;
            }
        }
    }
}

/// What the backward of [`rms_norm`] reads.
#[derive(Clone, Copy, Debug)]
pub struct RmsNormSaved<'a, T> {
    /// The forward's input, `[rows, width]`.
    pub x: &'a [T],
    /// The forward's `rstd`, `[rows]`.
    pub rstd: &'a [T],
    /// The forward's weight, `[width]`.
    pub weight: &'a [T],
}

/// Gradients of [`rms_norm`], those that are wanted, overwritten in one pass over the rows: of the input (`[rows,
/// width]`), `rstd · (g − x · rstd² · mean(g · x))` with `g = d_out · weight`, and of the weight (`[width]`),
/// `Σ d_out · x · rstd` over the rows.
pub fn rms_norm_backward<T: Real>(
    d_x: Option<&mut [T]>,
    d_weight: Option<&mut [T]>,
    d_out: &[T],
    saved: RmsNormSaved<T>,
) {
    let (rows, d_weight) = (saved.rstd.len(), d_weight.unwrap_or_default());
    if d_out.is_empty() {
        return d_weight.fill(T::ZERO);
    }
    let width = d_out.len() / rows;
    debug_assert!(d_out.len() == rows * width && saved.x.len() == d_out.len());
    let d_x = d_x.map(Pieces::new);
    for_row_blocks(d_weight, rows, width, |rows, d_weight| {
        let cells = rows.start * width..rows.end * width;
        let part = RmsNormSaved {
            x: &saved.x[cells.clone()],
            rstd: &saved.rstd[rows],
            weight: saved.weight,
        };
        if let Some(d_x) = &d_x {
            // SAFETY: the blocks of rows are disjoint.
            let d_x = unsafe { d_x.get(cells.clone()) };
            backward_rows(d_x, d_weight, &d_out[cells], part);
        } else {
            backward_weight_rows(d_weight, &d_out[cells], part);
        }
    });
}

vectorize! {
    /// Overwrites `d_x`; adds to `d_weight` unless that is empty.
    fn backward_rows[T: Real](d_x: &mut [T], d_weight: &mut [T], d_out: &[T], saved: RmsNormSaved<T>) {
        let width = d_out.len() / saved.rstd.len();
        let per_element = T::ONE / T::from_f64(width as f64);
        let rows = d_x.chunks_exact_mut(width).zip(saved.x.chunks_exact(width));
        for ((d_x, x), (d_out, &rstd)) in rows.zip(d_out.chunks_exact(width).zip(saved.rstd)) {
            let pull = rstd * rstd * (lane_dot3(d_out, saved.weight, x) * per_element);
            for (((d_x, &d_out), &x), &weight) in d_x.iter_mut().zip(d_out).zip(x).zip(saved.weight) {
                *d_x = rstd * (d_out * weight - x * pull);
            }
            for ((d_weight, &d_out), &x) in d_weight.iter_mut().zip(d_out).zip(x) {
                *d_weight += d_out * (x * rstd);
            }
        }
    }
}

vectorize! {
    fn backward_weight_rows[T: Real](d_weight: &mut [T], d_out: &[T], saved: RmsNormSaved<T>) {
        let width = d_weight.len().max(1);
        let rows = saved.x.chunks_exact(width).zip(d_out.chunks_exact(width));
        for ((x, d_out), &rstd) in rows.zip(saved.rstd) {
            for ((d_weight, &d_out), &x) in d_weight.iter_mut().zip(d_out).zip(x) {
                *d_weight += d_out * (x * rstd);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, noise, same_for_every_thread_count};

    const EPSILON: f64 = 1e-5;

    fn run<T: Real>(x: &[T], rows: usize, weight: &[T]) -> (Vec<T>, Vec<T>) {
        let (mut out, mut rstd) = (vec![T::ZERO; x.len()], vec![T::ZERO; rows]);
        rms_norm(&mut out, &mut rstd, x, weight, EPSILON);
        (out, rstd)
    }

    fn naive(x: &[f64], rows: usize, weight: &[f64]) -> Vec<f64> {
        let width = x.len() / rows;
        let row = |x: &[f64]| {
            let square = x.iter().map(|x| x * x).sum::<f64>() / width as f64;
            let terms = x.iter().zip(weight);
            terms
                .map(|(x, w)| x / (square + EPSILON).sqrt() * w)
                .collect::<Vec<_>>()
        };
        x.chunks(width).flat_map(row).collect()
    }

    #[test]
    fn forward_equals_the_definition() {
        for (rows, width) in [(1, 1), (5, 7), (3, 16), (4, 33), (100, 384)] {
            let (x, weight) = (noise::<f32>(rows * width, 1), noise::<f32>(width, 2));
            let wide = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
            let (out, _) = run(&x, rows, &weight);
            assert_close(&out, &naive(&wide(&x), rows, &wide(&weight)), 2e-6);
        }
    }

    #[test]
    fn backward_equals_central_differences() {
        let (rows, width) = (3, 17);
        let (x, d_out) = (noise::<f64>(rows * width, 1), noise::<f64>(rows * width, 2));
        let weight = noise::<f64>(width, 3);
        let (_, rstd) = run(&x, rows, &weight);
        let saved = RmsNormSaved {
            x: &x,
            rstd: &rstd,
            weight: &weight,
        };
        let (mut d_x, mut d_weight) = (vec![f64::NAN; x.len()], vec![f64::NAN; width]);
        rms_norm_backward(Some(&mut d_x), Some(&mut d_weight), &d_out, saved);
        let loss = |x: &[f64], weight: &[f64]| -> f64 {
            naive(x, rows, weight)
                .iter()
                .zip(&d_out)
                .map(|(y, d)| y * d)
                .sum()
        };
        let slope = |values: &[f64], i: usize, loss: &dyn Fn(&[f64]) -> f64| {
            let bumped = |by: f64| {
                let mut values = values.to_vec();
                values[i] += by;
                loss(&values)
            };
            (bumped(1e-5) - bumped(-1e-5)) / 2e-5
        };
        for (i, &d_x) in d_x.iter().enumerate() {
            assert_close(&[d_x], &[slope(&x, i, &|x| loss(x, &weight))], 1e-7);
        }
        for (i, &d_weight) in d_weight.iter().enumerate() {
            assert_close(
                &[d_weight],
                &[slope(&weight, i, &|weight| loss(&x, weight))],
                1e-7,
            );
        }
    }

    #[test]
    fn gradients_alone_are_those_of_both_together_for_every_thread_count() {
        let (rows, width) = (700, 100);
        let (x, d_out) = (noise::<f32>(rows * width, 1), noise::<f32>(rows * width, 2));
        let weight = noise::<f32>(width, 3);
        same_for_every_thread_count(|| {
            let (out, rstd) = run(&x, rows, &weight);
            let saved = RmsNormSaved {
                x: &x,
                rstd: &rstd,
                weight: &weight,
            };
            let (mut d_x, mut d_weight) = (vec![0.0; x.len()], vec![0.0; width]);
            rms_norm_backward(Some(&mut d_x), Some(&mut d_weight), &d_out, saved);
            let (mut d_x_alone, mut d_weight_alone) = (vec![0.0; x.len()], vec![0.0; width]);
            rms_norm_backward(Some(&mut d_x_alone), None, &d_out, saved);
            rms_norm_backward(None, Some(&mut d_weight_alone), &d_out, saved);
            assert!(d_x == d_x_alone && d_weight == d_weight_alone);
            (out, d_x, d_weight)
        });
    }

    #[test]
    fn no_rows_give_zero_gradients() {
        let mut d_weight = [9.0_f32; 3];
        let saved = RmsNormSaved {
            x: &[],
            rstd: &[],
            weight: &[1.0; 3],
        };
        rms_norm_backward(Some(&mut []), Some(&mut d_weight), &[], saved);
        assert_eq!(d_weight, [0.0; 3]);
    }
}
