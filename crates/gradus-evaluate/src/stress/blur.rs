//! Gaussian blur.

use gradus_kernels::pool::parallel_chunks_mut;

use super::inputs::{Batch, Inputs};

/// Where the kernel ends, in standard deviations; `scipy.ndimage.gaussian_filter` has the same default.
const TRUNCATE: f64 = 4.0;

/// Blurs each channel with a Gaussian kernel of standard deviation `sigma` pixels, greater than 0. Beyond a border lies its
/// nearest pixel. Tables stay as they are.
pub(super) fn apply(inputs: &Inputs<'_>, batch: &Batch, sigma: f64) -> Vec<f32> {
    let mut values = batch.values.clone();
    let Some([_, height, width]) = inputs.picture_shape() else {
        return values;
    };
    let kernel = kernel(sigma);
    parallel_chunks_mut(&mut values, height * width, |_, plane| {
        let columns: Vec<f64> = plane.iter().map(|&pixel| f64::from(pixel)).collect();
        let rows = convolve(
            &columns,
            &kernel,
            Axis {
                len: height,
                step: width,
                lines: width,
                next: 1,
            },
        );
        let both = convolve(
            &rows,
            &kernel,
            Axis {
                len: width,
                step: 1,
                lines: height,
                next: width,
            },
        );
        for (pixel, blurred) in plane.iter_mut().zip(both) {
            *pixel = blurred as f32;
        }
    });
    values
}

/// Half of a symmetric kernel, its middle first; the whole of it sums to 1.
fn kernel(sigma: f64) -> Vec<f64> {
    let reach = (TRUNCATE * sigma + 0.5) as usize;
    let mut half: Vec<f64> = (0..=reach)
        .map(|at| (-0.5 * (at as f64 / sigma).powi(2)).exp())
        .collect();
    let sum = 2.0 * half.iter().sum::<f64>() - half[0];
    half.iter_mut().for_each(|weight| *weight /= sum);
    half
}

/// The lines of a plane along one direction.
struct Axis {
    /// Pixels in a line, and the distance between two of them.
    len: usize,
    step: usize,
    /// Lines, and the distance between the starts of two of them.
    lines: usize,
    next: usize,
}

fn convolve(plane: &[f64], half: &[f64], axis: Axis) -> Vec<f64> {
    let mut out = vec![0.0; plane.len()];
    for start in (0..axis.lines).map(|line| line * axis.next) {
        let pixel = |at: usize| plane[start + at.min(axis.len - 1) * axis.step];
        for at in 0..axis.len {
            let sides = half.iter().enumerate().skip(1);
            let around =
                sides.map(|(reach, weight)| weight * (pixel(at.saturating_sub(reach)) + pixel(at + reach)));
            out[start + at * axis.step] = half[0] * pixel(at) + around.sum::<f64>();
        }
    }
    out
}
