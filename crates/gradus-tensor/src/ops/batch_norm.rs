//! Batch normalisation, with the statistics of the batch or with given ones.

use gradus_kernels::batch_norm::{self, Channels, Normalization};
use gradus_kernels::real::Real;
use smallvec::smallvec;

use super::binary::same_dtype;
use crate::autograd::{Grads, record};
use crate::dispatch::{for_real, through_f32};
use crate::dtype::{DType, Element};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// What [`Tensor::batch_norm_train`] found in the batch, `[channels]` each, outside the graph.
#[derive(Clone)]
pub struct BatchStatistics {
    /// Mean of each channel.
    pub mean: Tensor,
    /// Variance of each channel divided by the count less one, as running statistics keep it.
    pub unbiased_variance: Tensor,
}

/// The learned scale and shift of each channel, `[channels]`; absent ones are 1 and 0.
#[derive(Clone, Copy, Default)]
pub struct ChannelAffine<'a> {
    /// Scale.
    pub weight: Option<&'a Tensor>,
    /// Shift.
    pub bias: Option<&'a Tensor>,
}

impl Tensor {
    /// `(x − mean) / √(variance + epsilon) · weight + bias` for each channel of `[batch, channels, …]`, with the mean and
    /// variance of this batch (Ioffe and Szegedy, 2015); the gradient flows through both. Gives the statistics too,
    /// for the running ones. PyTorch's `batch_norm` in training.
    ///
    /// # Errors
    /// [`Error::InvalidShape`] for fewer than two axes or fewer than two values a channel; [`Error::ShapeMismatch`],
    /// [`Error::DTypeMismatch`]; [`Error::UnsupportedDType`] for integers.
    pub fn batch_norm_train(&self, affine: ChannelAffine, epsilon: f64) -> Result<(Tensor, BatchStatistics)> {
        if self.dtype().is_half() {
            let [weight, bias] = widened([affine.weight, affine.bias])?;
            let affine = ChannelAffine {
                weight: weight.as_ref(),
                bias: bias.as_ref(),
            };
            let (out, statistics) = self.to_dtype(DType::F32)?.batch_norm_train(affine, epsilon)?;
            return Ok((out.to_dtype(self.dtype())?, statistics));
        }
        let dims = channels(self, &[affine.weight, affine.bias])?;
        if dims.count() < 2 {
            let rule = "statistics of a batch need at least two values a channel";
            return Err(Error::InvalidShape {
                op: OP,
                shape: self.shape().to_vec(),
                rule,
            });
        }
        let (mean, variance) = for_real!(OP, self.dtype(), T => statistics::<T>(self, dims))?;
        let bessel = dims.count() as f64 / (dims.count() as f64 - 1.0);
        let found = BatchStatistics {
            mean: mean.clone(),
            unbiased_variance: variance.mul_scalar(bessel)?,
        };
        Ok((
            normalized(self, [&mean, &variance], affine, (epsilon, Origin::Batch))?,
            found,
        ))
    }

    /// As [`batch_norm_train`](Tensor::batch_norm_train) with given statistics, `[channels]` each, through which no
    /// gradient flows. PyTorch's `batch_norm` in evaluation.
    ///
    /// # Errors
    /// [`Error::InvalidShape`] for fewer than two axes; [`Error::ShapeMismatch`], [`Error::DTypeMismatch`];
    /// [`Error::UnsupportedDType`] for integers.
    pub fn batch_norm_eval(
        &self,
        running_mean: &Tensor,
        running_variance: &Tensor,
        affine: ChannelAffine,
        epsilon: f64,
    ) -> Result<Tensor> {
        let given = [
            Some(running_mean),
            Some(running_variance),
            affine.weight,
            affine.bias,
        ];
        if let Some(result) = through_f32(self, |x| {
            let [mean, variance, weight, bias] = widened(given)?;
            let affine = ChannelAffine {
                weight: weight.as_ref(),
                bias: bias.as_ref(),
            };
            let (Some(mean), Some(variance)) = (mean, variance) else {
                unreachable!("bug: both were given")
            };
            x.batch_norm_eval(&mean, &variance, affine, epsilon)
        }) {
            return result;
        }
        channels(self, &given)?;
        let own = |x: &Tensor| x.detach().contiguous();
        let (mean, variance) = (own(running_mean)?, own(running_variance)?);
        normalized(self, [&mean, &variance], affine, (epsilon, Origin::Given))
    }
}

const OP: &str = "batch_norm";

/// Where the statistics come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Batch,
    Given,
}

fn widened<const N: usize>(tensors: [Option<&Tensor>; N]) -> Result<[Option<Tensor>; N]> {
    let mut out = [const { None }; N];
    for (out, tensor) in out.iter_mut().zip(tensors) {
        *out = tensor.map(|tensor| tensor.to_dtype(DType::F32)).transpose()?;
    }
    Ok(out)
}

fn statistics<T: Element + Real>(x: &Tensor, dims: Channels) -> Result<(Tensor, Tensor)> {
    let x = x.detach().contiguous()?;
    let values = x.as_slice::<T>()?;
    let mut variance_out = None;
    let mean = Tensor::build([dims.channels], |mean: &mut [T]| {
        variance_out = Some(Tensor::build([dims.channels], |variance: &mut [T]| {
            batch_norm::channel_statistics(mean, variance, values, dims);
        }));
    });
    Ok((mean, variance_out.expect("bug: the kernel has run")))
}

fn normalized(
    x: &Tensor,
    [mean, variance]: [&Tensor; 2],
    affine: ChannelAffine,
    (epsilon, origin): (f64, Origin),
) -> Result<Tensor> {
    let dims = channels(x, &[])?;
    let own = |affine: Option<&Tensor>| affine.map(|a| a.detach().contiguous()).transpose();
    let bias = own(affine.bias)?;
    let (out, saved) = for_real!(OP, x.dtype(), T => {
        let rstd = Tensor::build([dims.channels], |rstd: &mut [T]| {
            batch_norm::reciprocal_std(rstd, variance.as_slice::<T>().expect("bug: checked type"), epsilon);
        });
        let saved = Saved {
            x: x.detach().contiguous()?,
            mean: mean.clone(),
            rstd,
            weight: own(affine.weight)?,
            dims,
            origin,
        };
        saved.forward::<T>(bias.as_ref()).map(|out| (out, saved))
    })?;
    let empty = Tensor::zeros([0], x.dtype());
    let inputs = [x, affine.weight.unwrap_or(&empty), affine.bias.unwrap_or(&empty)];
    Ok(record(
        OP,
        out,
        &inputs,
        move |d_out, needs| for_real!(OP, d_out.dtype(), T => saved.backward::<T>(d_out, needs)),
    ))
}

struct Saved {
    x: Tensor,
    mean: Tensor,
    rstd: Tensor,
    weight: Option<Tensor>,
    dims: Channels,
    origin: Origin,
}

impl Saved {
    fn normalization<'a, T: Element>(&'a self, bias: Option<&'a Tensor>) -> Result<Normalization<'a, T>> {
        Ok(Normalization {
            mean: self.mean.as_slice::<T>()?,
            rstd: self.rstd.as_slice::<T>()?,
            weight: self
                .weight
                .as_ref()
                .map(|weight| weight.as_slice::<T>())
                .transpose()?,
            bias: bias.map(|bias| bias.as_slice::<T>()).transpose()?,
        })
    }

    fn forward<T: Element + Real>(&self, bias: Option<&Tensor>) -> Result<Tensor> {
        let (by, values) = (self.normalization::<T>(bias)?, self.x.as_slice::<T>()?);
        Ok(Tensor::build(self.x.shape(), |out| {
            batch_norm::batch_norm(out, values, by, self.dims)
        }))
    }

    /// Gradients of the input, the weight and the bias.
    fn backward<T: Element + Real>(&self, d_out: &Tensor, needs: &[bool]) -> Result<Grads> {
        let d_out = d_out.contiguous()?;
        let (d, x) = (d_out.as_slice::<T>()?, self.x.as_slice::<T>()?);
        let (by, dims) = (self.normalization::<T>(None)?, self.dims);
        let (mut d_weight, mut d_bias) = (None, None);
        if self.origin == Origin::Batch || needs[1] || needs[2] {
            d_weight = Some(Tensor::build([dims.channels], |d_weight: &mut [T]| {
                d_bias = Some(Tensor::build([dims.channels], |d_bias: &mut [T]| {
                    batch_norm::batch_norm_backward_affine([d_weight, d_bias], d, x, by, dims);
                }));
            }));
        }
        let d_x = match (needs[0], self.origin, &d_weight, &d_bias) {
            (false, ..) => None,
            (true, Origin::Batch, Some(d_weight), Some(d_bias)) => {
                let sums = [d_weight.as_slice::<T>()?, d_bias.as_slice::<T>()?];
                Some(Tensor::build(self.x.shape(), |d_x| {
                    batch_norm::batch_norm_backward_train(d_x, d, x, (by, sums), dims);
                }))
            }
            (true, ..) => Some(Tensor::build(self.x.shape(), |d_x| {
                batch_norm::batch_norm_backward_eval(d_x, d, by, dims);
            })),
        };
        Ok(smallvec![
            d_x,
            d_weight.filter(|_| needs[1]),
            d_bias.filter(|_| needs[2])
        ])
    }
}

/// The kernel's view of the shape; every tensor of one value per channel is checked against it.
fn channels(x: &Tensor, per_channel: &[Option<&Tensor>]) -> Result<Channels> {
    let &[batch, channels, ref rest @ ..] = x.shape() else {
        let rule = "data are [batch, channels, ..]";
        return Err(Error::InvalidShape {
            op: OP,
            shape: x.shape().to_vec(),
            rule,
        });
    };
    for tensor in per_channel.iter().copied().flatten() {
        same_dtype(OP, x, tensor)?;
        if tensor.shape() != [channels] {
            let (lhs, rhs) = (x.shape().to_vec(), tensor.shape().to_vec());
            return Err(Error::ShapeMismatch {
                op: OP,
                lhs,
                rhs,
                rule: "one value per channel",
            });
        }
    }
    Ok(Channels {
        batch,
        channels,
        inner: rest.iter().product(),
    })
}
