//! Two-dimensional convolution (cross-correlation, as networks use the word) by unfolding windows into the columns of a
//! matrix and multiplying: `[batch, channels, height, width]` with weights `[out, in / groups, kernel h, kernel w]`.
//!
//! Images run in parallel with the unfolded columns of one image and group in each thread's scratch memory. The weight
//! gradient adds images in fixed groups, so no result depends on the number of threads.

use crate::gemm::Epilogue;
use crate::matrix::MatRef;
use crate::partition::Pieces;
use crate::pool;
use crate::real::Real;
use crate::reduce;
use crate::scratch::with_scratch;

/// Partial weight gradients that images are shared among; few enough to keep the memory small.
const WEIGHT_PARTIALS: usize = 8;

/// Elements all partial weight gradients may have together (32 MiB of `f32`); above, fewer partials are kept.
const PARTIAL_ELEMENTS: usize = 8 << 20;

/// Geometry of a convolution; pairs are `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2d {
    /// Images.
    pub batch: usize,
    /// Input channels; a multiple of `groups`.
    pub in_channels: usize,
    /// Output channels; a multiple of `groups`.
    pub out_channels: usize,
    /// Height and width of an input image.
    pub input: [usize; 2],
    /// Size of the window.
    pub kernel: [usize; 2],
    /// Step between windows.
    pub stride: [usize; 2],
    /// Zeros imagined on each side.
    pub padding: [usize; 2],
    /// Step between the cells of a window.
    pub dilation: [usize; 2],
    /// Channels are cut into this many groups that do not see each other.
    pub groups: usize,
}

impl Conv2d {
    /// Height and width of an output image; `None` if the window does not fit.
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

    /// Places in an output image.
    fn places(&self) -> usize {
        self.out_size().iter().product()
    }

    /// Elements of an input image.
    fn image_len(&self) -> usize {
        self.in_channels * self.plane()
    }

    fn plane(&self) -> usize {
        self.input[0] * self.input[1]
    }

    fn group_inputs(&self) -> usize {
        self.in_channels / self.groups
    }

    fn group_outputs(&self) -> usize {
        self.out_channels / self.groups
    }

    /// Weights that make one output: rows of the unfolded matrix.
    fn taps(&self) -> usize {
        self.group_inputs() * self.kernel[0] * self.kernel[1]
    }

    /// Whether unfolding would only copy the image.
    fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.padding == [0, 0]
    }

    /// The weights of one group, `[outputs, taps]`.
    fn group_weight<'a, T>(&self, weight: &'a [T], group: usize) -> MatRef<'a, T> {
        let len = self.group_outputs() * self.taps();
        MatRef::row_major(&weight[group * len..][..len], self.group_outputs(), self.taps())
    }

    /// The outputs of one image and group, `[outputs, places]`.
    fn group_output(&self, image: usize, group: usize) -> std::ops::Range<usize> {
        let len = self.group_outputs() * self.places();
        let start = (image * self.groups + group) * len;
        start..start + len
    }

    /// The inputs of one image and group, `[inputs, height, width]`.
    fn group_input(&self, image: usize, group: usize) -> std::ops::Range<usize> {
        let len = self.group_inputs() * self.plane();
        let start = image * self.image_len() + group * len;
        start..start + len
    }

    /// Output columns of kernel column `tap` whose input lies inside the image, and the input column of the first.
    fn valid_columns(&self, tap: usize) -> (std::ops::Range<usize>, usize) {
        let (stride, padding, shift) = (self.stride[1], self.padding[1], tap * self.dilation[1]);
        let first = padding.saturating_sub(shift).div_ceil(stride);
        let end = (self.input[1] + padding)
            .saturating_sub(shift)
            .div_ceil(stride)
            .min(self.out_size()[1]);
        (
            first..end.max(first),
            (first * stride + shift).saturating_sub(padding),
        )
    }

    /// Input row under kernel row `tap` of output row `out`, if it lies inside the image.
    fn input_row(&self, out: usize, tap: usize) -> Option<usize> {
        (out * self.stride[0] + tap * self.dilation[0])
            .checked_sub(self.padding[0])
            .filter(|&row| row < self.input[0])
    }

    /// Walks the unfolded matrix: `body(flat input index of the first, run of the matrix, input stride)` for every run of
    /// places that see the image, `outside(run)` for the rest.
    fn for_each_run(
        &self,
        mut body: impl FnMut(usize, std::ops::Range<usize>, usize),
        mut outside: impl FnMut(std::ops::Range<usize>),
    ) {
        let [out_height, out_width] = self.out_size();
        for tap in 0..self.taps() {
            let [kernel_height, kernel_width] = self.kernel;
            let channel = tap / (kernel_height * kernel_width);
            let (tap_y, tap_x) = (tap / kernel_width % kernel_height, tap % kernel_width);
            let (columns, first) = self.valid_columns(tap_x);
            for out_y in 0..out_height {
                let start = (tap * out_height + out_y) * out_width;
                match self.input_row(out_y, tap_y) {
                    Some(row) if !columns.is_empty() => {
                        outside(start..start + columns.start);
                        let input = channel * self.plane() + row * self.input[1] + first;
                        body(input, start + columns.start..start + columns.end, self.stride[1]);
                        outside(start + columns.end..start + out_width);
                    }
                    _ => outside(start..start + out_width),
                }
            }
        }
    }
}

/// Unfolds one group of one image: `columns[tap, place]` (overwritten) is what kernel cell `tap` sees at `place`.
fn unfold<T: Real>(columns: &mut [T], x: &[T], conv: &Conv2d) {
    let columns = std::cell::Cell::from_mut(columns).as_slice_of_cells();
    conv.for_each_run(
        |input, run, stride| {
            for (out, &x) in columns[run].iter().zip(x[input..].iter().step_by(stride)) {
                out.set(x);
            }
        },
        |run| columns[run].iter().for_each(|out| out.set(T::ZERO)),
    );
}

/// Backward of [`unfold`]: adds `columns[tap, place]` to the element of `d_x` that it came from.
fn fold_add<T: Real>(d_x: &mut [T], columns: &[T], conv: &Conv2d) {
    conv.for_each_run(
        |input, run, stride| {
            for (d_x, &d) in d_x[input..].iter_mut().step_by(stride).zip(&columns[run]) {
                *d_x += d;
            }
        },
        |_| {},
    );
}

/// Gives `body` the unfolded matrix `[taps, places]` of one group of one image.
fn with_columns<T: Real, R>(x: &[T], conv: &Conv2d, body: impl FnOnce(MatRef<T>) -> R) -> R {
    let (taps, places) = (conv.taps(), conv.places());
    if conv.is_pointwise() {
        return body(MatRef::row_major(x, taps, places));
    }
    with_scratch(taps * places, |columns| {
        unfold(columns, x, conv);
        body(MatRef::row_major(columns, taps, places))
    })
}

/// `out[image, o, place] = bias[o] + Σ weight[o, tap] · x[…]`, overwritten: `out` is `[batch, out, out h, out w]`.
pub fn conv2d<T: Real>(out: &mut [T], x: &[T], weight: &[T], bias: Option<&[T]>, conv: &Conv2d) {
    let places = conv.places();
    debug_assert!(
        out.len() == conv.batch * conv.out_channels * places && x.len() == conv.batch * conv.image_len()
    );
    let out = Pieces::new(out);
    pool::parallel_for(conv.batch * conv.groups, |task| {
        let (image, group) = (task / conv.groups, task % conv.groups);
        // SAFETY: each task has its own image and group.
        let out = unsafe { out.get(conv.group_output(image, group)) };
        let first = group * conv.group_outputs();
        for (channel, out) in out.chunks_exact_mut(places.max(1)).enumerate() {
            out.fill(bias.map_or(T::ZERO, |bias| bias[first + channel]));
        }
        with_columns(&x[conv.group_input(image, group)], conv, |columns| {
            T::gemm(
                out,
                conv.group_weight(weight, group),
                columns,
                true,
                Epilogue::default(),
            );
        });
    });
}

/// Gradient of [`conv2d`] with respect to its input: `d_x` is overwritten.
pub fn conv2d_backward_input<T: Real>(d_x: &mut [T], d_out: &[T], weight: &[T], conv: &Conv2d) {
    let (taps, places) = (conv.taps(), conv.places());
    let d_x = Pieces::new(d_x);
    pool::parallel_for(conv.batch * conv.groups, |task| {
        let (image, group) = (task / conv.groups, task % conv.groups);
        // SAFETY: each task has its own image and group.
        let d_x = unsafe { d_x.get(conv.group_input(image, group)) };
        let weight = conv.group_weight(weight, group).t();
        let d_out = MatRef::row_major(
            &d_out[conv.group_output(image, group)],
            conv.group_outputs(),
            places,
        );
        if conv.is_pointwise() {
            return T::gemm(d_x, weight, d_out, false, Epilogue::default());
        }
        with_scratch(taps * places, |columns| {
            T::gemm(columns, weight, d_out, false, Epilogue::default());
            d_x.fill(T::ZERO);
            fold_add(d_x, columns, conv);
        });
    });
}

/// Gradient of [`conv2d`] with respect to its weight: `d_weight` is overwritten.
pub fn conv2d_backward_weight<T: Real>(d_weight: &mut [T], d_out: &[T], x: &[T], conv: &Conv2d) {
    if d_weight.is_empty() {
        return;
    }
    let partials = (PARTIAL_ELEMENTS / d_weight.len())
        .clamp(1, WEIGHT_PARTIALS)
        .min(conv.batch);
    if partials <= 1 {
        return add_images(d_weight, d_out, x, 0..conv.batch, conv);
    }
    let images = conv.batch.div_ceil(partials);
    let groups = conv.batch.div_ceil(images);
    with_scratch(groups * d_weight.len(), |sums: &mut [T]| {
        pool::parallel_chunks_mut(sums, d_weight.len(), |i, sum| {
            add_images(
                sum,
                d_out,
                x,
                i * images..((i + 1) * images).min(conv.batch),
                conv,
            );
        });
        let dims = reduce::Axis {
            outer: 1,
            axis: groups,
            inner: d_weight.len(),
        };
        reduce::sum(d_weight, sums, dims);
    });
}

/// The weight gradient of a range of images, one after the other.
fn add_images<T: Real>(
    d_weight: &mut [T],
    d_out: &[T],
    x: &[T],
    images: std::ops::Range<usize>,
    conv: &Conv2d,
) {
    let group_len = conv.group_outputs() * conv.taps();
    d_weight.fill(T::ZERO);
    for image in images {
        for group in 0..conv.groups {
            let d_weight = &mut d_weight[group * group_len..][..group_len];
            let cells = &d_out[conv.group_output(image, group)];
            let d_out = MatRef::row_major(cells, conv.group_outputs(), conv.places());
            with_columns(&x[conv.group_input(image, group)], conv, |columns| {
                T::gemm(d_weight, d_out, columns.t(), true, Epilogue::default());
            });
        }
    }
}

/// Gradient of [`conv2d`] with respect to its bias, `[out]`, overwritten: `Σ d_out` over images and places.
pub fn conv2d_backward_bias<T: Real>(d_bias: &mut [T], d_out: &[T], conv: &Conv2d) {
    with_scratch(conv.batch * conv.out_channels, |rows: &mut [T]| {
        let of_rows = reduce::Axis {
            outer: rows.len(),
            axis: conv.places(),
            inner: 1,
        };
        reduce::sum(rows, d_out, of_rows);
        reduce::sum(
            d_bias,
            rows,
            reduce::Axis {
                outer: 1,
                axis: conv.batch,
                inner: conv.out_channels,
            },
        );
    });
}

#[cfg(test)]
mod tests;
