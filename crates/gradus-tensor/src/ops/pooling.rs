//! Pooling over the windows of images.

use gradus_kernels::pooling::{self, Pooling, Windows};
use gradus_kernels::real::Real;
use smallvec::smallvec;

use super::conv2d::check_positive;
use crate::autograd::record;
use crate::dispatch::{for_real, through_f32};
use crate::dtype::Element;
use crate::error::{Error, Result};
use crate::layout::Dims;
use crate::tensor::Tensor;

/// Geometry of [`Tensor::max_pool2d`] and [`Tensor::avg_pool2d`]; pairs are `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// Size of the window, at least 1; 1 by default.
    pub kernel: [usize; 2],
    /// Step between windows, at least 1; 1 by default (PyTorch's default is the kernel).
    pub stride: [usize; 2],
    /// Cells imagined on each side, at most half the kernel; 0 by default. A maximum never finds them.
    pub padding: [usize; 2],
    /// Step between the cells of a window, at least 1; 1 by default. An average takes no other.
    pub dilation: [usize; 2],
    /// Whether an average counts padding as zeros, as by default, or divides by the cells inside the image.
    pub count_include_pad: bool,
}

impl Default for PoolOptions {
    fn default() -> Self {
        PoolOptions {
            kernel: [1, 1],
            stride: [1, 1],
            padding: [0, 0],
            dilation: [1, 1],
            count_include_pad: true,
        }
    }
}

impl Tensor {
    /// The largest element of each window of images `[batch, channels, height, width]`. NaN counts as largest; the
    /// gradient goes to the first of equal elements. PyTorch's `max_pool2d`.
    ///
    /// # Errors
    /// [`Error::InvalidShape`] for another rank or a window that does not fit; [`Error::InvalidArgument`];
    /// [`Error::UnsupportedDType`] for integers.
    pub fn max_pool2d(&self, options: &PoolOptions) -> Result<Tensor> {
        let op = "max_pool2d";
        if let Some(result) = through_f32(self, |x| x.max_pool2d(options)) {
            return result;
        }
        let pooling = geometry(op, self, options)?;
        let shape = pooled_shape(self, pooling.output().expect("bug: the geometry was checked"));
        let x = self.detach().contiguous()?;
        let (out, places) = for_real!(op, self.dtype(), T => {
            let values = x.as_slice::<T>()?;
            let mut places = None;
            let out = Tensor::build(shape, |out: &mut [T]| {
                places = Some(Tensor::build(shape, |places| pooling::max_pool(out, places, values, pooling)));
            });
            Ok((out, places.expect("bug: the kernel has run")))
        })?;
        let from = Dims::from_slice(self.shape());
        Ok(record(op, out, &[self], move |d_out, _| {
            let d_out = d_out.contiguous()?;
            let d_x = for_real!(op, d_out.dtype(), T => {
                let (d, places) = (d_out.as_slice::<T>()?, places.as_slice::<i64>()?);
                Ok(Tensor::build(&from, |d_x: &mut [T]| pooling::max_pool_backward(d_x, d, places, pooling)))
            })?;
            Ok(smallvec![Some(d_x)])
        }))
    }

    /// The mean of each window of images `[batch, channels, height, width]`. PyTorch's `avg_pool2d`.
    ///
    /// # Errors
    /// As [`max_pool2d`](Tensor::max_pool2d), and [`Error::InvalidArgument`] for a dilation.
    pub fn avg_pool2d(&self, options: &PoolOptions) -> Result<Tensor> {
        let pooling = geometry("avg_pool2d", self, options)?;
        if pooling.dilation != [1, 1] {
            let value = pooling.dilation[0].max(pooling.dilation[1]) as f64;
            let rule = "1 for an average";
            return Err(Error::InvalidArgument {
                op: "avg_pool2d",
                name: "dilation",
                value,
                rule,
            });
        }
        averaged(
            "avg_pool2d",
            self,
            Windows::strided(pooling, options.count_include_pad),
        )
    }

    /// The means of `output[0]` × `output[1]` windows that cut each image evenly, whatever its size: `[1, 1]` is the
    /// global average. PyTorch's `adaptive_avg_pool2d`.
    ///
    /// # Errors
    /// [`Error::InvalidShape`] for another rank or an empty image; [`Error::InvalidArgument`] for an empty output.
    pub fn adaptive_avg_pool2d(&self, output: [usize; 2]) -> Result<Tensor> {
        let op = "adaptive_avg_pool2d";
        check_positive(op, "output", output)?;
        let input = image_size(op, self)?;
        if input.contains(&0) {
            let rule = "an image to average has at least one row and column";
            return Err(Error::InvalidShape {
                op,
                shape: self.shape().to_vec(),
                rule,
            });
        }
        averaged(op, self, Windows::adaptive(input, output))
    }
}

fn averaged(op: &'static str, x: &Tensor, windows: Windows) -> Result<Tensor> {
    if let Some(result) = through_f32(x, |x| averaged(op, &x, windows.clone())) {
        return result;
    }
    let input = x.detach().contiguous()?;
    let out = for_real!(op, x.dtype(), T => forward::<T>(&input, &windows))?;
    let from = Dims::from_slice(x.shape());
    Ok(record(op, out, &[x], move |d_out, _| {
        let d_out = d_out.contiguous()?;
        let d_x = for_real!(op, d_out.dtype(), T => {
            let d = d_out.as_slice::<T>()?;
            Ok(Tensor::build(&from, |d_x: &mut [T]| pooling::avg_pool_backward(d_x, d, &windows)))
        })?;
        Ok(smallvec![Some(d_x)])
    }))
}

fn forward<T: Element + Real>(x: &Tensor, windows: &Windows) -> Result<Tensor> {
    let values = x.as_slice::<T>()?;
    Ok(Tensor::build(pooled_shape(x, windows.output()), |out| {
        pooling::avg_pool(out, values, windows)
    }))
}

fn pooled_shape(x: &Tensor, [height, width]: [usize; 2]) -> [usize; 4] {
    [x.shape()[0], x.shape()[1], height, width]
}

fn image_size(op: &'static str, x: &Tensor) -> Result<[usize; 2]> {
    match *x.shape() {
        [_, _, height, width] => Ok([height, width]),
        _ => {
            let rule = "images are [batch, channels, height, width]";
            Err(Error::InvalidShape {
                op,
                shape: x.shape().to_vec(),
                rule,
            })
        }
    }
}

fn geometry(op: &'static str, x: &Tensor, options: &PoolOptions) -> Result<Pooling> {
    let input = image_size(op, x)?;
    let &PoolOptions {
        kernel,
        stride,
        padding,
        dilation,
        count_include_pad: _,
    } = options;
    check_positive(op, "kernel", kernel)?;
    check_positive(op, "stride", stride)?;
    check_positive(op, "dilation", dilation)?;
    for i in 0..2 {
        if padding[i] > kernel[i] / 2 {
            let rule = "at most half the kernel";
            return Err(Error::InvalidArgument {
                op,
                name: "padding",
                value: padding[i] as f64,
                rule,
            });
        }
    }
    let pooling = Pooling {
        input,
        kernel,
        stride,
        padding,
        dilation,
    };
    if input.contains(&0) || pooling.output().is_none() {
        let rule = "the dilated window must fit into the padded image";
        return Err(Error::InvalidShape {
            op,
            shape: x.shape().to_vec(),
            rule,
        });
    }
    Ok(pooling)
}
