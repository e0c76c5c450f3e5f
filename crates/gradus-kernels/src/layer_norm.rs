//! Layer normalisation of the rows of a `[rows, width]` matrix (Ba et al. 2016).

use crate::partition::{PARALLEL_CHEAP, Pieces, for_rows};
use crate::real::Real;
use crate::reduce::{LANES, add_lanes, lane_sum};
use crate::row_blocks::for_row_blocks;
use crate::scratch::with_scratch;
use crate::vectorize::vectorize;

/// The learned scale and shift of each column; either may be absent (1 and 0).
#[derive(Clone, Copy, Debug)]
pub struct Affine<'a, T> {
    /// `[width]`
    pub weight: Option<&'a [T]>,
    /// `[width]`
    pub bias: Option<&'a [T]>,
}

/// What [`layer_norm`] saves for its backward, one number a row: overwritten.
#[derive(Debug)]
pub struct RowStatistics<'a, T> {
    /// Mean of each row.
    pub mean: &'a mut [T],
    /// `1 / √(variance + epsilon)` of each row, the variance divided by `width`.
    pub rstd: &'a mut [T],
}

/// `out = (x − mean) · rstd · weight + bias` for each row of `width` elements, `out` overwritten. Two passes for the
/// variance, sums in sixteen lanes.
pub fn layer_norm<T: Real>(out: &mut [T], saved: RowStatistics<T>, x: &[T], affine: Affine<T>, epsilon: f64) {
    let rows = saved.mean.len();
    if out.is_empty() {
        return;
    }
    let width = out.len() / rows;
    debug_assert!(out.len() == x.len() && out.len() == rows * width && saved.rstd.len() == rows);
    let (out, mean, rstd) = (Pieces::new(out), Pieces::new(saved.mean), Pieces::new(saved.rstd));
    for_rows(rows, width, PARALLEL_CHEAP, |rows| {
        let cells = rows.start * width..rows.end * width;
        // SAFETY: `for_rows` gives disjoint row ranges.
        let (out, saved) = unsafe {
            let saved = RowStatistics {
                mean: mean.get(rows.clone()),
                rstd: rstd.get(rows),
            };
            (out.get(cells.clone()), saved)
        };
        normalize_rows(out, saved, &x[cells], affine, epsilon);
    });
}

vectorize! {
    fn normalize_rows[T: Real](out: &mut [T], saved: RowStatistics<T>, x: &[T], affine: Affine<T>, epsilon: f64) {
        let width = x.len() / saved.mean.len();
        let (count, epsilon) = (T::from_f64(width as f64), T::from_f64(epsilon));
        let rows = out.chunks_exact_mut(width).zip(x.chunks_exact(width));
        for ((out, x), (mean, rstd)) in rows.zip(saved.mean.iter_mut().zip(saved.rstd)) {
            *mean = lane_sum(x, |x| x) / count;
            let centre = *mean;
            let variance = lane_sum(x, |x| (x - centre) * (x - centre)) / count;
            *rstd = T::ONE / (variance + epsilon).sqrt();
            let scale = *rstd;
            if let (Some(weight), Some(bias)) = (affine.weight, affine.bias) {
                for ((out, &x), (&weight, &bias)) in out.iter_mut().zip(x).zip(weight.iter().zip(bias)) {
                    *out = (x - centre) * scale * weight + bias;
                }
                continue;
            }
            for (out, &x) in out.iter_mut().zip(x) {
                *out = (x - centre) * scale;
            }
            if let Some(weight) = affine.weight {
                for (out, &weight) in out.iter_mut().zip(weight) {
                    *out *= weight;
                }
            }
            if let Some(bias) = affine.bias {
                for (out, &bias) in out.iter_mut().zip(bias) {
                    *out += bias;
                }
            }
        }
    }
}

/// What the backward of [`layer_norm`] reads.
#[derive(Clone, Copy, Debug)]
pub struct LayerNormSaved<'a, T> {
    /// The forward's input, `[rows, width]`.
    pub x: &'a [T],
    /// The forward's `mean`, `[rows]`.
    pub mean: &'a [T],
    /// The forward's `rstd`, `[rows]`.
    pub rstd: &'a [T],
    /// The forward's weight, `[width]`.
    pub weight: Option<&'a [T]>,
}

/// Gradients that [`layer_norm_backward`] leaves, overwritten.
#[derive(Debug)]
pub struct LayerNormGradients<'a, T> {
    /// Of the input, `[rows, width]`.
    pub d_x: Option<&'a mut [T]>,
    /// Of the weight and of the bias, `[width]` each.
    pub d_affine: Option<[&'a mut [T]; 2]>,
}

/// Gradients of [`layer_norm`], those that are wanted, in one pass over the rows. With `g = d_out · weight` and
/// `x̂ = (x − mean) · rstd` that of the input is `rstd · (g − mean(g) − x̂ · mean(g · x̂))`, that of the weight `Σ d_out · x̂`
/// over the rows, and that of the bias `Σ d_out`.
pub fn layer_norm_backward<T: Real>(gradients: LayerNormGradients<T>, d_out: &[T], saved: LayerNormSaved<T>) {
    let LayerNormGradients { d_x, d_affine } = gradients;
    let d_x = d_x.map(Pieces::new);
    match d_affine {
        None => pass(d_x.as_ref(), &mut [], d_out, saved),
        Some([d_weight, d_bias]) => with_scratch(2 * d_weight.len(), |totals: &mut [T]| {
            pass(d_x.as_ref(), totals, d_out, saved);
            d_weight.copy_from_slice(&totals[..d_weight.len()]);
            d_bias.copy_from_slice(&totals[d_weight.len()..]);
        }),
    }
}

/// `totals` gets the gradient of the weight and, behind it, of the bias, unless it is empty.
fn pass<T: Real>(d_x: Option<&Pieces<T>>, totals: &mut [T], d_out: &[T], saved: LayerNormSaved<T>) {
    let rows = saved.mean.len();
    if d_out.is_empty() {
        return totals.fill(T::ZERO);
    }
    let width = d_out.len() / rows;
    debug_assert!(d_out.len() == rows * width && saved.x.len() == d_out.len());
    for_row_blocks(totals, rows, width, |rows, totals| {
        let cells = rows.start * width..rows.end * width;
        let (d_out, part) = (
            &d_out[cells.clone()],
            LayerNormSaved {
                x: &saved.x[cells.clone()],
                mean: &saved.mean[rows.clone()],
                rstd: &saved.rstd[rows],
                weight: saved.weight,
            },
        );
        // SAFETY: the blocks of rows are disjoint.
        let d_x = d_x.map(|d_x| unsafe { d_x.get(cells) });
        backward_rows(d_x.unwrap_or_default(), totals, d_out, part);
    });
}

vectorize! {
    /// Overwrites `d_x` and adds to `totals`, each unless it is empty.
    fn backward_rows[T: Real](d_x: &mut [T], totals: &mut [T], d_out: &[T], saved: LayerNormSaved<T>) {
        let width = d_out.len() / saved.mean.len();
        let (d_weight, d_bias) = totals.split_at_mut(totals.len() / 2);
        let rows = d_out.chunks_exact(width).zip(saved.x.chunks_exact(width));
        let statistics = saved.mean.iter().zip(saved.rstd);
        for (row, ((d_out, x), (&mean, &rstd))) in rows.zip(statistics).enumerate() {
            if !d_x.is_empty() {
                backward_row(&mut d_x[row * width..][..width], d_out, x, saved.weight, [mean, rstd]);
            }
            let totals = d_weight.iter_mut().zip(d_bias.iter_mut());
            for ((d_weight, d_bias), (&d_out, &x)) in totals.zip(d_out.iter().zip(x)) {
                *d_weight += d_out * ((x - mean) * rstd);
                *d_bias += d_out;
            }
        }
    }
}

#[inline(always)]
fn backward_row<T: Real>(d_x: &mut [T], d_out: &[T], x: &[T], weight: Option<&[T]>, [mean, rstd]: [T; 2]) {
    match weight {
        Some(weight) => {
            for ((d_x, &d_out), &weight) in d_x.iter_mut().zip(d_out).zip(weight) {
                *d_x = d_out * weight;
            }
        }
        None => d_x.copy_from_slice(d_out),
    }
    let [sum_g, sum_gx] = sums(d_x, x, |g, x| [g, g * ((x - mean) * rstd)]);
    let per_element = T::ONE / T::from_f64(x.len() as f64);
    let (mean_g, mean_gx) = (sum_g * per_element, sum_gx * per_element);
    for (d_x, &x) in d_x.iter_mut().zip(x) {
        *d_x = rstd * (*d_x - mean_g - (x - mean) * rstd * mean_gx);
    }
}

/// Sums of two functions of two slices of one length, in sixteen lanes each.
#[inline(always)]
fn sums<T: Real>(a: &[T], b: &[T], f: impl Fn(T, T) -> [T; 2]) -> [T; 2] {
    let mut lanes = [[T::ZERO; LANES]; 2];
    let (mut a, mut b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let mut add = |i: usize, a: T, b: T| {
        let [first, second] = f(a, b);
        lanes[0][i] += first;
        lanes[1][i] += second;
    };
    for (a, b) in (&mut a).zip(&mut b) {
        for i in 0..LANES {
            add(i, a[i], b[i]);
        }
    }
    for (i, (&a, &b)) in a.remainder().iter().zip(b.remainder()).enumerate() {
        add(i, a, b);
    }
    lanes.map(add_lanes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, noise, same_for_every_thread_count};

    const EPSILON: f64 = 1e-5;

    fn run<T: Real>(x: &[T], rows: usize, affine: Affine<T>) -> (Vec<T>, Vec<T>, Vec<T>) {
        let (mut out, mut mean, mut rstd) =
            (vec![T::ZERO; x.len()], vec![T::ZERO; rows], vec![T::ZERO; rows]);
        layer_norm(
            &mut out,
            RowStatistics {
                mean: &mut mean,
                rstd: &mut rstd,
            },
            x,
            affine,
            EPSILON,
        );
        (out, mean, rstd)
    }

    fn naive(x: &[f64], rows: usize, weight: &[f64], bias: &[f64]) -> Vec<f64> {
        let width = x.len() / rows;
        let row = |x: &[f64]| {
            let mean = x.iter().sum::<f64>() / width as f64;
            let var = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
            let terms = x.iter().zip(weight).zip(bias);
            terms
                .map(|((x, w), b)| (x - mean) / (var + EPSILON).sqrt() * w + b)
                .collect::<Vec<_>>()
        };
        x.chunks(width).flat_map(row).collect()
    }

    #[test]
    fn forward_equals_the_definition() {
        for (rows, width) in [(1, 1), (5, 7), (3, 16), (4, 33), (100, 384)] {
            let x = noise::<f32>(rows * width, 1);
            let (weight, bias) = (noise::<f32>(width, 2), noise::<f32>(width, 3));
            let wide = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
            let (out, ..) = run(
                &x,
                rows,
                Affine {
                    weight: Some(&weight),
                    bias: Some(&bias),
                },
            );
            assert_close(&out, &naive(&wide(&x), rows, &wide(&weight), &wide(&bias)), 2e-6);
            let (out, ..) = run(
                &x,
                rows,
                Affine {
                    weight: None,
                    bias: None,
                },
            );
            assert_close(
                &out,
                &naive(&wide(&x), rows, &vec![1.0; width], &vec![0.0; width]),
                2e-6,
            );
        }
    }

    #[test]
    fn backward_equals_central_differences() {
        let (rows, width) = (3, 17);
        let (x, d_out) = (noise::<f64>(rows * width, 1), noise::<f64>(rows * width, 2));
        let (weight, bias) = (noise::<f64>(width, 3), noise::<f64>(width, 4));
        let (_, mean, rstd) = run(
            &x,
            rows,
            Affine {
                weight: Some(&weight),
                bias: Some(&bias),
            },
        );
        let saved = LayerNormSaved {
            x: &x,
            mean: &mean,
            rstd: &rstd,
            weight: Some(&weight),
        };
        let (mut d_x, mut d_weight, mut d_bias) =
            (vec![f64::NAN; x.len()], vec![0.0; width], vec![0.0; width]);
        let gradients = LayerNormGradients {
            d_x: Some(&mut d_x),
            d_affine: Some([&mut d_weight, &mut d_bias]),
        };
        layer_norm_backward(gradients, &d_out, saved);
        let loss = |x: &[f64], weight: &[f64], bias: &[f64]| -> f64 {
            naive(x, rows, weight, bias)
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
            assert_close(&[d_x], &[slope(&x, i, &|x| loss(x, &weight, &bias))], 1e-7);
        }
        for i in 0..width {
            assert_close(
                &[d_weight[i]],
                &[slope(&weight, i, &|weight| loss(&x, weight, &bias))],
                1e-7,
            );
            assert_close(
                &[d_bias[i]],
                &[slope(&bias, i, &|bias| loss(&x, &weight, bias))],
                1e-7,
            );
        }
    }

    #[test]
    fn thread_count_does_not_change_bits() {
        let (rows, width) = (700, 100);
        let (x, d_out) = (noise::<f32>(rows * width, 1), noise::<f32>(rows * width, 2));
        same_for_every_thread_count(|| {
            let (out, mean, rstd) = run(
                &x,
                rows,
                Affine {
                    weight: None,
                    bias: None,
                },
            );
            let saved = LayerNormSaved {
                x: &x,
                mean: &mean,
                rstd: &rstd,
                weight: None,
            };
            let (mut d_x, mut d_weight, mut d_bias) =
                (vec![0.0; x.len()], vec![0.0; width], vec![0.0; width]);
            let gradients = LayerNormGradients {
                d_x: Some(&mut d_x),
                d_affine: Some([&mut d_weight, &mut d_bias]),
            };
            layer_norm_backward(gradients, &d_out, saved);
            let mut alone = vec![0.0; x.len()];
            let gradients = LayerNormGradients {
                d_x: Some(&mut alone),
                d_affine: None,
            };
            layer_norm_backward(gradients, &d_out, saved);
            assert!(alone == d_x);
            (out, d_x, d_weight, d_bias)
        });
    }
}
