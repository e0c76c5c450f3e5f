//! Two-dimensional convolution.

use gradus_kernels::conv::{self, Conv2d};
use gradus_kernels::real::Real;
use smallvec::smallvec;

use super::binary::same_dtype;
use crate::autograd::{Grads, record};
use crate::dispatch::{for_real, through_f32};
use crate::dtype::{DType, Element};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// Geometry of [`Tensor::conv2d`]; pairs are `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dOptions {
    /// Step between windows, at least 1; 1 by default.
    pub stride: [usize; 2],
    /// Zeros imagined on each side; 0 by default.
    pub padding: [usize; 2],
    /// Step between the cells of a window, at least 1; 1 by default.
    pub dilation: [usize; 2],
    /// Groups of channels that do not see each other, at least 1; 1 by default. Divides both numbers of channels.
    pub groups: usize,
}

impl Default for Conv2dOptions {
    fn default() -> Self {
        Conv2dOptions {
            stride: [1, 1],
            padding: [0, 0],
            dilation: [1, 1],
            groups: 1,
        }
    }
}

impl Tensor {
    /// The convolution (cross-correlation) of images `[batch, in, height, width]` with `weight`
    /// `[out, in / groups, kernel height, kernel width]`, plus `bias` `[out]`: `[batch, out, out height, out width]`.
    /// PyTorch's `conv2d`.
    ///
    /// Computed in the input's type (half types through `f32`). Computes no gradient that nobody asked for.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`], [`Error::InvalidShape`], [`Error::DTypeMismatch`]; [`Error::InvalidArgument`] for a
    /// zero stride, dilation or number of groups.
    pub fn conv2d(&self, weight: &Tensor, bias: Option<&Tensor>, options: &Conv2dOptions) -> Result<Tensor> {
        same_dtype("conv2d", self, weight)?;
        if let Some(result) = through_f32(self, |x| {
            let bias = bias.map(|bias| bias.to_dtype(DType::F32)).transpose()?;
            x.conv2d(&weight.to_dtype(DType::F32)?, bias.as_ref(), options)
        }) {
            return result;
        }
        let geometry = geometry(self, weight, bias, options)?;
        let (x, weight_saved) = (self.detach().contiguous()?, weight.detach().contiguous()?);
        let bias_saved = bias.map(|bias| bias.detach().contiguous()).transpose()?;
        let out = for_real!("conv2d", self.dtype(), T => {
            forward::<T>(&x, &weight_saved, bias_saved.as_ref(), &geometry)
        })?;
        let no_bias = Tensor::zeros([0], self.dtype());
        let inputs = [self, weight, bias.unwrap_or(&no_bias)];
        Ok(record(
            "conv2d",
            out,
            &inputs,
            move |d_out, needs| for_real!("conv2d", d_out.dtype(), T => backward::<T>(d_out, [&x, &weight_saved], needs, &geometry)),
        ))
    }
}

fn forward<T: Element + Real>(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    g: &Conv2d,
) -> Result<Tensor> {
    let (x, weight) = (x.as_slice::<T>()?, weight.as_slice::<T>()?);
    let bias = bias.map(|bias| bias.as_slice::<T>()).transpose()?;
    let [height, width] = g.output().expect("bug: the geometry was checked");
    Ok(Tensor::build([g.batch, g.out_channels, height, width], |out| {
        conv::conv2d(out, x, weight, bias, g)
    }))
}

/// Gradients of the input, the weight and the bias.
fn backward<T: Element + Real>(
    d_out: &Tensor,
    [x, weight]: [&Tensor; 2],
    needs: &[bool],
    g: &Conv2d,
) -> Result<Grads> {
    let d_out = d_out.contiguous()?;
    let d = d_out.as_slice::<T>()?;
    let (x_values, weight_values) = (x.as_slice::<T>()?, weight.as_slice::<T>()?);
    let d_x = needs[0].then(|| {
        Tensor::build(x.shape(), |d_x| {
            conv::conv2d_backward_input(d_x, d, weight_values, g)
        })
    });
    let d_weight = needs[1].then(|| {
        Tensor::build(weight.shape(), |d_weight| {
            conv::conv2d_backward_weight(d_weight, d, x_values, g)
        })
    });
    let d_bias = needs[2].then(|| {
        Tensor::build([g.out_channels], |d_bias: &mut [T]| {
            conv::conv2d_backward_bias(d_bias, d, g)
        })
    });
    Ok(smallvec![d_x, d_weight, d_bias])
}

/// The kernel's geometry, with every shape checked.
fn geometry(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, options: &Conv2dOptions) -> Result<Conv2d> {
    let op = "conv2d";
    let mismatch = |rhs: &Tensor, rule| {
        let (lhs, rhs) = (x.shape().to_vec(), rhs.shape().to_vec());
        Error::ShapeMismatch { op, lhs, rhs, rule }
    };
    let (&[batch, in_channels, height, width], &[out_channels, group_inputs, kernel_height, kernel_width]) =
        (x.shape(), weight.shape())
    else {
        return Err(mismatch(
            weight,
            "images are [batch, in, height, width], weights [out, in / groups, h, w]",
        ));
    };
    let Conv2dOptions {
        stride,
        padding,
        dilation,
        groups,
    } = *options;
    check_positive(op, "stride", stride)?;
    check_positive(op, "dilation", dilation)?;
    check_positive(op, "groups", [groups, groups])?;
    if group_inputs * groups != in_channels || out_channels % groups != 0 {
        return Err(mismatch(
            weight,
            "groups × the weight's inputs are the channels, and groups divide the outputs",
        ));
    }
    if let Some(bias) = bias {
        same_dtype(op, x, bias)?;
        if bias.shape() != [out_channels] {
            return Err(mismatch(bias, "a bias has one value per output channel"));
        }
    }
    let (input, kernel) = ([height, width], [kernel_height, kernel_width]);
    let geometry = Conv2d {
        batch,
        in_channels,
        out_channels,
        input,
        kernel,
        stride,
        padding,
        dilation,
        groups,
    };
    match geometry.output() {
        Some(_) => Ok(geometry),
        None => Err(mismatch(
            weight,
            "the dilated window must fit into the padded image",
        )),
    }
}

/// That both numbers of a pair are at least 1.
pub(super) fn check_positive(op: &'static str, name: &'static str, pair: [usize; 2]) -> Result<()> {
    if pair.contains(&0) {
        return Err(Error::InvalidArgument {
            op,
            name,
            value: 0.0,
            rule: "at least 1",
        });
    }
    Ok(())
}
