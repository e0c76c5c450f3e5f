//! Maximum and average over windows of `[planes, height, width]` (each plane a channel of a sample).

use std::ops::Range;

use crate::partition::{PARALLEL_CHEAP, Pieces, for_row_pieces, for_rows};
use crate::real::Real;

/// Geometry of a pooling: `[vertical, horizontal]` throughout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooling {
    /// Height and width of an input plane.
    pub input: [usize; 2],
    /// Size of the window.
    pub kernel: [usize; 2],
    /// Step between windows.
    pub stride: [usize; 2],
    /// Imagined cells on each side; at most half the kernel.
    pub padding: [usize; 2],
    /// Step between the cells of a window.
    pub dilation: [usize; 2],
}

impl Pooling {
    /// Height and width of an output plane; `None` if a window does not fit.
    pub fn output(&self) -> Option<[usize; 2]> {
        let size = |i: usize| {
            let span = self.dilation[i] * self.kernel[i].checked_sub(1)? + 1;
            Some((self.input[i] + 2 * self.padding[i]).checked_sub(span)? / self.stride[i] + 1)
        };
        Some([size(0)?, size(1)?])
    }

    fn out_size(&self) -> [usize; 2] {
        self.output().expect("bug: the window was checked to fit")
    }

    /// Input positions along one dimension that window `out` covers.
    fn window(&self, dimension: usize, out: usize) -> impl Iterator<Item = usize> + use<> {
        let (size, padding, dilation) = (
            self.input[dimension],
            self.padding[dimension],
            self.dilation[dimension],
        );
        let start = out * self.stride[dimension];
        (0..self.kernel[dimension]).filter_map(move |k| {
            (start + k * dilation)
                .checked_sub(padding)
                .filter(|&position| position < size)
        })
    }

    fn windows(&self) -> impl Iterator<Item = [usize; 2]> + use<> {
        let [height, width] = self.out_size();
        (0..height).flat_map(move |y| (0..width).map(move |x| [y, x]))
    }
}

/// Largest element of each window and its flat place in its input plane: both `[planes, out height, out width]`,
/// overwritten. The first of equals; NaN counts as largest, as in PyTorch.
pub fn max_pool<T: Real>(out: &mut [T], places: &mut [i64], x: &[T], pooling: Pooling) {
    let plane = pooling.input[0] * pooling.input[1];
    let out_plane = pooling.out_size().iter().product::<usize>();
    let planes = out.len().checked_div(out_plane).unwrap_or(0);
    let (out, places) = (Pieces::new(out), Pieces::new(places));
    for_rows(planes, out_plane, PARALLEL_CHEAP / 4, |range| {
        for index in range {
            let cells = index * out_plane..(index + 1) * out_plane;
            // SAFETY: each plane is visited once.
            let (out, places) = unsafe { (out.get(cells.clone()), places.get(cells)) };
            max_pool_plane(out, places, &x[index * plane..][..plane], pooling);
        }
    });
}

fn max_pool_plane<T: Real>(out: &mut [T], places: &mut [i64], x: &[T], pooling: Pooling) {
    for ((out, place), [out_y, out_x]) in out.iter_mut().zip(places).zip(pooling.windows()) {
        (*out, *place) = (T::NEG_INFINITY, -1);
        for row in pooling.window(0, out_y) {
            for column in pooling.window(1, out_x) {
                let index = row * pooling.input[1] + column;
                let value = x[index];
                if *place < 0 || value > *out || (value.is_nan() && !out.is_nan()) {
                    (*out, *place) = (value, index as i64);
                }
            }
        }
    }
}

/// Gradient of [`max_pool`]: `d_x` (overwritten) gathers `d_out` at the places the forward gave.
pub fn max_pool_backward<T: Real>(d_x: &mut [T], d_out: &[T], places: &[i64], pooling: Pooling) {
    let plane = pooling.input[0] * pooling.input[1];
    let out_plane = pooling.out_size().iter().product::<usize>();
    for_row_pieces(d_x, plane, PARALLEL_CHEAP, |d_x, planes| {
        d_x.fill(T::ZERO);
        for (d_x, index) in d_x.chunks_exact_mut(plane).zip(planes) {
            let cells = index * out_plane..(index + 1) * out_plane;
            for (&d_out, &place) in d_out[cells.clone()].iter().zip(&places[cells]) {
                d_x[place as usize] += d_out;
            }
        }
    });
}

/// The windows of an average, clipped to the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Height and width of an input plane.
    input: [usize; 2],
    /// Input rows of each output row, and input columns of each output column.
    ranges: [Vec<Range<usize>>; 2],
    /// What each sum is divided by, when that is not the number of cells in the clipped window.
    divisor: Option<usize>,
}

impl Windows {
    /// The windows of a pooling without dilation. `count_padding` divides by the whole kernel (PyTorch's default), else
    /// by the cells inside the image.
    pub fn strided(pooling: Pooling, count_padding: bool) -> Self {
        debug_assert_eq!(pooling.dilation, [1, 1]);
        let out = pooling.out_size();
        let clipped = |i: usize| {
            let (size, kernel, padding) = (pooling.input[i], pooling.kernel[i], pooling.padding[i]);
            let start = move |out: usize| out * pooling.stride[i];
            let clip = move |padded: usize| padded.saturating_sub(padding).min(size);
            (0..out[i])
                .map(|out| clip(start(out))..clip(start(out) + kernel))
                .collect()
        };
        let divisor = count_padding.then_some(pooling.kernel[0] * pooling.kernel[1]);
        Self {
            input: pooling.input,
            ranges: [clipped(0), clipped(1)],
            divisor,
        }
    }

    /// Windows that cut an image of any size into `output` rows and columns: from `⌊i · in / out⌋` to
    /// `⌈(i + 1) · in / out⌉`, as PyTorch's adaptive pooling.
    pub fn adaptive(input: [usize; 2], output: [usize; 2]) -> Self {
        let cut = |i: usize| {
            let (size, out) = (input[i], output[i]);
            (0..out)
                .map(|at| at * size / out..((at + 1) * size).div_ceil(out))
                .collect()
        };
        Self {
            input,
            ranges: [cut(0), cut(1)],
            divisor: None,
        }
    }

    /// Height and width of an output plane.
    pub fn output(&self) -> [usize; 2] {
        [self.ranges[0].len(), self.ranges[1].len()]
    }

    fn plane(&self) -> usize {
        self.input[0] * self.input[1]
    }

    /// Calls `body(place in the output, rows, columns, divisor)` for each window of a plane, in order.
    fn for_each<T: Real>(&self, mut body: impl FnMut(usize, &Range<usize>, &Range<usize>, T)) {
        let [rows, columns] = &self.ranges;
        for (y, rows) in rows.iter().enumerate() {
            for (x, columns_of) in columns.iter().enumerate() {
                let cells = self.divisor.unwrap_or(rows.len() * columns_of.len());
                body(y * columns.len() + x, rows, columns_of, T::from_f64(cells as f64));
            }
        }
    }
}

/// Mean of each window: `out` is `[planes, out height, out width]`, overwritten.
pub fn avg_pool<T: Real>(out: &mut [T], x: &[T], windows: &Windows) {
    let (plane, out_plane) = (windows.plane(), windows.output().iter().product());
    for_row_pieces(out, out_plane, PARALLEL_CHEAP / 4, |out, planes| {
        for (out, index) in out.chunks_exact_mut(out_plane).zip(planes) {
            let x = &x[index * plane..][..plane];
            windows.for_each(|place, rows, columns, divisor: T| {
                let row_sum = |row: usize| {
                    let cells = &x[row * windows.input[1]..][columns.clone()];
                    cells.iter().fold(T::ZERO, |sum, &x| sum + x)
                };
                out[place] = rows.clone().fold(T::ZERO, |sum, row| sum + row_sum(row)) / divisor;
            });
        }
    });
}

/// Gradient of [`avg_pool`]: `d_x` (overwritten) spreads `d_out / divisor` over each window.
pub fn avg_pool_backward<T: Real>(d_x: &mut [T], d_out: &[T], windows: &Windows) {
    let (plane, out_plane) = (windows.plane(), windows.output().iter().product::<usize>());
    for_row_pieces(d_x, plane, PARALLEL_CHEAP, |d_x, planes| {
        d_x.fill(T::ZERO);
        for (d_x, index) in d_x.chunks_exact_mut(plane).zip(planes) {
            let d_out = &d_out[index * out_plane..][..out_plane];
            windows.for_each(|place, rows, columns, divisor: T| {
                let share = d_out[place] / divisor;
                for row in rows.clone() {
                    let cells = &mut d_x[row * windows.input[1]..][columns.clone()];
                    cells.iter_mut().for_each(|d_x| *d_x += share);
                }
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, noise, same_for_every_thread_count};

    const SHAPES: [Pooling; 4] = [
        Pooling {
            input: [4, 6],
            kernel: [2, 2],
            stride: [2, 2],
            padding: [0, 0],
            dilation: [1, 1],
        },
        Pooling {
            input: [7, 5],
            kernel: [3, 2],
            stride: [2, 1],
            padding: [1, 1],
            dilation: [1, 1],
        },
        Pooling {
            input: [9, 8],
            kernel: [3, 3],
            stride: [1, 2],
            padding: [1, 0],
            dilation: [2, 3],
        },
        Pooling {
            input: [3, 3],
            kernel: [3, 3],
            stride: [3, 3],
            padding: [0, 0],
            dilation: [1, 1],
        },
    ];

    /// Cells of a window of one plane by the definition, `None` for padding.
    fn window(p: Pooling, y: usize, x: usize) -> Vec<Option<usize>> {
        let mut cells = vec![];
        for ky in 0..p.kernel[0] {
            for kx in 0..p.kernel[1] {
                let row = (y * p.stride[0] + ky * p.dilation[0]) as isize - p.padding[0] as isize;
                let column = (x * p.stride[1] + kx * p.dilation[1]) as isize - p.padding[1] as isize;
                let inside =
                    (0..p.input[0] as isize).contains(&row) && (0..p.input[1] as isize).contains(&column);
                cells.push(inside.then(|| row as usize * p.input[1] + column as usize));
            }
        }
        cells
    }

    #[test]
    fn both_equal_the_definition_forward_and_backward() {
        for p in SHAPES {
            let planes = 3;
            let [height, width] = p.output().unwrap();
            let (n, plane) = (planes * height * width, p.input[0] * p.input[1]);
            let (x, d_out) = (noise::<f32>(planes * plane, 1), noise::<f32>(n, 2));
            let (mut max, mut places, mut mean) = (vec![0.0; n], vec![0; n], vec![0.0; n]);
            max_pool(&mut max, &mut places, &x, p);
            let windows = Windows::strided(
                Pooling {
                    dilation: [1, 1],
                    ..p
                },
                true,
            );
            let plain = p.dilation == [1, 1];
            if plain {
                avg_pool(&mut mean, &x, &windows);
            }
            let (mut d_max, mut d_mean) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
            max_pool_backward(&mut d_max, &d_out, &places, p);
            if plain {
                avg_pool_backward(&mut d_mean, &d_out, &windows);
            }
            let (mut exact_max, mut exact_mean) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            for (i, &d) in d_out.iter().enumerate() {
                let start = i / (height * width) * plane;
                let cells = window(p, i / width % height, i % width);
                let inside: Vec<usize> = cells.iter().flatten().map(|cell| start + cell).collect();
                let best = inside
                    .iter()
                    .copied()
                    .reduce(|a, b| if x[b] > x[a] { b } else { a })
                    .unwrap();
                assert_eq!((max[i], places[i] as usize), (x[best], best - start));
                exact_max[best] += f64::from(d);
                let sum: f64 = inside.iter().map(|&i| f64::from(x[i])).sum();
                if plain {
                    assert_close(&[mean[i]], &[sum / cells.len() as f64], 1e-6);
                }
                inside
                    .iter()
                    .for_each(|&i| exact_mean[i] += f64::from(d) / cells.len() as f64);
            }
            assert_close(&d_max, &exact_max, 1e-6);
            if plain {
                assert_close(&d_mean, &exact_mean, 1e-6);
            }
        }
    }

    #[test]
    fn averages_can_leave_padding_out_or_adapt_to_a_size() {
        let x: Vec<f32> = (1..=6).map(|i| i as f32).collect();
        let p = Pooling {
            input: [2, 3],
            kernel: [2, 2],
            stride: [1, 2],
            padding: [1, 1],
            dilation: [1, 1],
        };
        let mut out = [0.0; 6];
        avg_pool(&mut out, &x, &Windows::strided(p, false));
        assert_eq!(out, [1.0, 2.5, 2.5, 4.0, 4.0, 5.5]);
        let mut out = [0.0; 2];
        avg_pool(&mut out, &x, &Windows::adaptive([2, 3], [1, 2]));
        assert_eq!(out, [3.0, 4.0]);
        let mut d_x = [9.0_f32; 6];
        avg_pool_backward(&mut d_x, &[4.0, 8.0], &Windows::adaptive([2, 3], [1, 2]));
        assert_eq!(d_x, [1.0, 3.0, 2.0, 1.0, 3.0, 2.0]);
    }

    #[test]
    fn nan_and_infinity_are_found() {
        let p = Pooling {
            input: [1, 4],
            kernel: [1, 2],
            stride: [1, 2],
            padding: [0, 0],
            dilation: [1, 1],
        };
        let (mut out, mut places) = ([0.0_f32; 2], [0; 2]);
        max_pool(
            &mut out,
            &mut places,
            &[f32::NAN, 1.0, f32::NEG_INFINITY, f32::NEG_INFINITY],
            p,
        );
        assert!(out[0].is_nan() && out[1] == f32::NEG_INFINITY);
        assert_eq!(places, [0, 2]);
        assert_eq!(Pooling { input: [1, 1], ..p }.output(), None);
    }

    #[test]
    fn thread_count_does_not_change_bits() {
        let p = Pooling {
            input: [28, 28],
            kernel: [3, 3],
            stride: [2, 2],
            padding: [1, 1],
            dilation: [1, 1],
        };
        let x = noise::<f32>(100 * 784, 1);
        same_for_every_thread_count(|| {
            let (mut out, mut places, mut d_x) =
                (vec![0.0; 100 * 196], vec![0; 100 * 196], vec![0.0; x.len()]);
            max_pool(&mut out, &mut places, &x, p);
            max_pool_backward(&mut d_x, &out, &places, p);
            (out, places, d_x)
        });
    }
}
