//! Batch normalisation over the channels of `[batch, channels, inner]` (Ioffe & Szegedy 2015).
//!
//! A caller composes it: [`channel_statistics`] of a training batch, then [`batch_norm`] with those (or, in
//! evaluation, with running) statistics. The backwards come in the same two kinds.

use crate::partition::{PARALLEL_CHEAP, for_row_pieces};
use crate::real::Real;
use crate::reduce::{self, Axis, LANES, add_lanes};
use crate::scratch::with_scratch;
use crate::vectorize::vectorize;

/// Shape of the data: `inner` is the product of the spatial dimensions, 1 for `[batch, channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channels {
    /// Samples.
    pub batch: usize,
    /// Channels, each with statistics of its own.
    pub channels: usize,
    /// Places in a channel.
    pub inner: usize,
}

impl Channels {
    /// Elements that share a channel's statistics.
    pub fn count(&self) -> usize {
        self.batch * self.inner
    }
}

/// Statistics and learned affine of each channel, all `[channels]`.
#[derive(Clone, Copy, Debug)]
pub struct Normalization<'a, T> {
    /// Mean.
    pub mean: &'a [T],
    /// Reciprocal of the standard deviation, `1 / √(variance + epsilon)`.
    pub rstd: &'a [T],
    /// Scale; absent means 1.
    pub weight: Option<&'a [T]>,
    /// Shift; absent means 0.
    pub bias: Option<&'a [T]>,
}

impl<T: Real> Normalization<'_, T> {
    fn scale(&self, channel: usize) -> T {
        self.weight.map_or(T::ONE, |weight| weight[channel]) * self.rstd[channel]
    }
}

/// `Σ f(x, d, centre[channel])` for each channel, overwritten: first each row of `inner` in sixteen lanes, then the
/// batch in fixed blocks.
fn channel_sums<T: Real>(
    out: &mut [T],
    [x, d]: [&[T]; 2],
    centre: &[T],
    dims: Channels,
    f: impl Fn(T, T, T) -> T + Copy + Sync,
) {
    let Channels {
        batch,
        channels,
        inner,
    } = dims;
    with_scratch(batch * channels, |rows: &mut [T]| {
        for_row_pieces(rows, channels, PARALLEL_CHEAP / inner.max(1), |rows, samples| {
            let cells = samples.start * channels * inner..samples.end * channels * inner;
            row_sums(rows, [&x[cells.clone()], &d[cells]], centre, inner, f);
        });
        reduce::sum(
            out,
            rows,
            Axis {
                outer: 1,
                axis: batch,
                inner: channels,
            },
        );
    });
}

vectorize! {
    fn row_sums[T: Real, F: Fn(T, T, T) -> T + Copy](out: &mut [T], data: [&[T]; 2], centre: &[T], inner: usize, f: F) {
        let [x, d] = data;
        if inner == 1 {
            for (sample, out) in out.chunks_exact_mut(centre.len()).enumerate() {
                let cells = sample * centre.len()..(sample + 1) * centre.len();
                for (((out, &x), &d), &centre) in out.iter_mut().zip(&x[cells.clone()]).zip(&d[cells]).zip(centre) {
                    *out = f(x, d, centre);
                }
            }
            return;
        }
        for (row, out) in out.iter_mut().enumerate() {
            let (x, d) = (&x[row * inner..][..inner], &d[row * inner..][..inner]);
            let centre = centre[row % centre.len()];
            let mut lanes = [T::ZERO; LANES];
            for (x, d) in x.chunks(LANES).zip(d.chunks(LANES)) {
                for ((lane, &x), &d) in lanes.iter_mut().zip(x).zip(d) {
                    *lane += f(x, d, centre);
                }
            }
            *out = add_lanes(lanes);
        }
    }
}

/// `out = scale · u − shift + offset` shaped maps: `out[i] = f(x[i], d[i], coefficients[channel])`, overwritten.
fn channel_map<T: Real>(
    out: &mut [T],
    [x, d]: [&[T]; 2],
    coefficients: &[[T; 4]],
    inner: usize,
    f: impl Fn(T, T, [T; 4]) -> T + Copy + Sync,
) {
    let channels = coefficients.len();
    for_row_pieces(out, channels * inner, PARALLEL_CHEAP, |out, samples| {
        let cells = samples.start * channels * inner..samples.end * channels * inner;
        map_rows(out, [&x[cells.clone()], &d[cells]], coefficients, inner, f);
    });
}

vectorize! {
    fn map_rows[T: Real, F: Fn(T, T, [T; 4]) -> T + Copy](out: &mut [T], data: [&[T]; 2], coefficients: &[[T; 4]], inner: usize, f: F) {
        let [x, d] = data;
        for (row, out) in out.chunks_exact_mut(inner.max(1)).enumerate() {
            let coefficients = coefficients[row % coefficients.len()];
            let (x, d) = (&x[row * inner..][..inner], &d[row * inner..][..inner]);
            for ((out, &x), &d) in out.iter_mut().zip(x).zip(d) {
                *out = f(x, d, coefficients);
            }
        }
    }
}

/// Mean and variance (divided by the count) of each channel in two passes: `mean` and `variance` are `[channels]`,
/// overwritten.
pub fn channel_statistics<T: Real>(mean: &mut [T], variance: &mut [T], x: &[T], dims: Channels) {
    debug_assert!(x.len() == dims.count() * dims.channels && mean.len() == dims.channels);
    let count = T::from_f64(dims.count() as f64);
    // Without a centre yet; the zeros in `variance` stand in for it.
    variance.fill(T::ZERO);
    channel_sums(mean, [x, x], variance, dims, |x, _, _| x);
    mean.iter_mut().for_each(|mean| *mean /= count);
    channel_sums(variance, [x, x], mean, dims, |x, _, mean| (x - mean) * (x - mean));
    variance.iter_mut().for_each(|variance| *variance /= count);
}

/// `rstd = 1 / √(variance + epsilon)`, overwritten.
pub fn reciprocal_std<T: Real>(rstd: &mut [T], variance: &[T], epsilon: f64) {
    for (rstd, &variance) in rstd.iter_mut().zip(variance) {
        *rstd = T::ONE / (variance + T::from_f64(epsilon)).sqrt();
    }
}

/// `out = (x − mean) · rstd · weight + bias` by channel, overwritten.
pub fn batch_norm<T: Real>(out: &mut [T], x: &[T], by: Normalization<T>, dims: Channels) {
    let shift = |channel: usize| by.bias.map_or(T::ZERO, |bias| bias[channel]);
    let coefficients: Vec<[T; 4]> = (0..dims.channels)
        .map(|c| [by.mean[c], by.scale(c), shift(c), T::ZERO])
        .collect();
    channel_map(
        out,
        [x, x],
        &coefficients,
        dims.inner,
        |x, _, [mean, scale, shift, _]| (x - mean) * scale + shift,
    );
}

/// Gradients of [`batch_norm`]'s weight (`Σ d_out · x̂`) and bias (`Σ d_out`), `[channels]`, overwritten. The backward
/// for a training batch needs both sums, whether or not the affine is learned.
pub fn batch_norm_backward_affine<T: Real>(
    [d_weight, d_bias]: [&mut [T]; 2],
    d_out: &[T],
    x: &[T],
    by: Normalization<T>,
    dims: Channels,
) {
    channel_sums(d_weight, [x, d_out], by.mean, dims, |x, d, mean| d * (x - mean));
    for (d_weight, &rstd) in d_weight.iter_mut().zip(by.rstd) {
        *d_weight *= rstd;
    }
    channel_sums(d_bias, [x, d_out], by.mean, dims, |_, d, _| d);
}

/// Gradient of [`batch_norm`] with fixed (running) statistics: `d_x = d_out · weight · rstd`, overwritten.
pub fn batch_norm_backward_eval<T: Real>(d_x: &mut [T], d_out: &[T], by: Normalization<T>, dims: Channels) {
    let coefficients: Vec<[T; 4]> = (0..dims.channels)
        .map(|c| [by.scale(c), T::ZERO, T::ZERO, T::ZERO])
        .collect();
    channel_map(
        d_x,
        [d_out, d_out],
        &coefficients,
        dims.inner,
        |_, d, [scale, ..]| d * scale,
    );
}

/// Gradient of [`batch_norm`] with the statistics of this very batch: `d_x` (overwritten) is
/// `weight · rstd · (d_out − d_bias / n − x̂ · d_weight / n)`, from the sums that [`batch_norm_backward_affine`] gives.
pub fn batch_norm_backward_train<T: Real>(
    d_x: &mut [T],
    d_out: &[T],
    x: &[T],
    (by, [d_weight, d_bias]): (Normalization<T>, [&[T]; 2]),
    dims: Channels,
) {
    let per_element = T::ONE / T::from_f64(dims.count() as f64);
    let coefficients: Vec<[T; 4]> = (0..dims.channels)
        .map(|c| {
            [
                by.scale(c),
                by.mean[c],
                d_bias[c] * per_element,
                d_weight[c] * per_element * by.rstd[c],
            ]
        })
        .collect();
    channel_map(
        d_x,
        [x, d_out],
        &coefficients,
        dims.inner,
        |x, d, [scale, mean, mean_d, slope]| scale * (d - mean_d - (x - mean) * slope),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, noise, same_for_every_thread_count};

    const EPSILON: f64 = 1e-5;
    const SHAPES: [Channels; 5] = [
        Channels {
            batch: 5,
            channels: 3,
            inner: 1,
        },
        Channels {
            batch: 2,
            channels: 4,
            inner: 9,
        },
        Channels {
            batch: 3,
            channels: 1,
            inner: 33,
        },
        Channels {
            batch: 1,
            channels: 2,
            inner: 16,
        },
        Channels {
            batch: 2,
            channels: 17,
            inner: 1,
        },
    ];

    fn channel_of(i: usize, dims: Channels) -> usize {
        i / dims.inner % dims.channels
    }

    /// Mean and variance of each channel.
    fn statistics(x: &[f64], dims: Channels) -> Vec<(f64, f64)> {
        (0..dims.channels)
            .map(|c| {
                let of: Vec<f64> = (0..x.len())
                    .filter(|&i| channel_of(i, dims) == c)
                    .map(|i| x[i])
                    .collect();
                let mean = of.iter().sum::<f64>() / of.len() as f64;
                (
                    mean,
                    of.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / of.len() as f64,
                )
            })
            .collect()
    }

    fn naive(x: &[f64], weight: &[f64], bias: &[f64], dims: Channels) -> Vec<f64> {
        let by = statistics(x, dims);
        let one = |(i, x): (usize, &f64)| {
            let c = channel_of(i, dims);
            (x - by[c].0) / (by[c].1 + EPSILON).sqrt() * weight[c] + bias[c]
        };
        x.iter().enumerate().map(one).collect()
    }

    fn measured<T: Real>(x: &[T], dims: Channels) -> [Vec<T>; 3] {
        let [mut mean, mut variance, mut rstd] = [0; 3].map(|_| vec![T::ZERO; dims.channels]);
        channel_statistics(&mut mean, &mut variance, x, dims);
        reciprocal_std(&mut rstd, &variance, EPSILON);
        [mean, variance, rstd]
    }

    #[test]
    fn training_forward_and_backward_equal_the_definition() {
        for dims in SHAPES {
            let n = dims.count() * dims.channels;
            let (x, d_out) = (noise::<f64>(n, 1), noise::<f64>(n, 2));
            let (weight, bias) = (noise::<f64>(dims.channels, 3), noise::<f64>(dims.channels, 4));
            let [mean, variance, rstd] = measured(&x, dims);
            let (means, variances): (Vec<f64>, Vec<f64>) = statistics(&x, dims).into_iter().unzip();
            assert_close(&mean, &means, 1e-12);
            assert_close(&variance, &variances, 1e-12);
            let by = Normalization {
                mean: &mean,
                rstd: &rstd,
                weight: Some(&weight),
                bias: Some(&bias),
            };
            let mut out = vec![f64::NAN; n];
            batch_norm(&mut out, &x, by, dims);
            assert_close(&out, &naive(&x, &weight, &bias, dims), 1e-12);
            let (mut d_weight, mut d_bias) = (vec![0.0; dims.channels], vec![0.0; dims.channels]);
            batch_norm_backward_affine([&mut d_weight, &mut d_bias], &d_out, &x, by, dims);
            let mut d_x = vec![f64::NAN; n];
            batch_norm_backward_train(&mut d_x, &d_out, &x, (by, [&d_weight, &d_bias]), dims);
            let loss = |x: &[f64], weight: &[f64]| -> f64 {
                naive(x, weight, &bias, dims)
                    .iter()
                    .zip(&d_out)
                    .map(|(y, d)| y * d)
                    .sum()
            };
            for i in 0..n {
                let bumped = |by: f64| {
                    let mut x = x.clone();
                    x[i] += by;
                    loss(&x, &weight)
                };
                assert_close(&[d_x[i]], &[(bumped(1e-6) - bumped(-1e-6)) / 2e-6], 1e-6);
            }
            for c in 0..dims.channels {
                let bumped = |by: f64| {
                    let mut weight = weight.clone();
                    weight[c] += by;
                    loss(&x, &weight)
                };
                assert_close(&[d_weight[c]], &[(bumped(1e-4) - bumped(-1e-4)) / 2e-4], 1e-8);
                let sum: f64 = (0..n)
                    .filter(|&i| channel_of(i, dims) == c)
                    .map(|i| d_out[i])
                    .sum();
                assert_close(&[d_bias[c]], &[sum], 1e-12);
            }
        }
    }

    #[test]
    fn evaluation_passes_the_gradient_through_the_scale() {
        let dims = Channels {
            batch: 2,
            channels: 2,
            inner: 3,
        };
        let by = Normalization {
            mean: &[1.0, 2.0],
            rstd: &[0.5, 0.25],
            weight: Some(&[2.0, 4.0]),
            bias: None,
        };
        let (mut out, mut d_x) = ([0.0_f32; 12], [0.0; 12]);
        batch_norm(&mut out, &[3.0; 12], by, dims);
        assert_eq!(out, [2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0]);
        batch_norm_backward_eval(
            &mut d_x,
            &[1.0; 12],
            Normalization {
                weight: Some(&[2.0, 8.0]),
                ..by
            },
            dims,
        );
        assert_eq!(d_x, [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
    }

    #[test]
    fn thread_count_does_not_change_bits() {
        for dims in [
            Channels {
                batch: 300,
                channels: 8,
                inner: 49,
            },
            Channels {
                batch: 600,
                channels: 128,
                inner: 1,
            },
        ] {
            let x = noise::<f32>(dims.count() * dims.channels, 1);
            same_for_every_thread_count(|| measured(&x, dims));
        }
    }
}
