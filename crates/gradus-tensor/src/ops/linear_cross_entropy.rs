//! The output layer of a language model and its cross-entropy in one op that never holds all logits.

use std::sync::{Mutex, PoisonError};

use gradus_kernels::gemm::Precision;
use gradus_kernels::linear_cross_entropy::{
    LinearCrossEntropy, LinearCrossEntropyGradients, linear_cross_entropy,
};
use gradus_kernels::optim::in_place;
use gradus_kernels::real::Real;
use smallvec::smallvec;

use super::Reduction;
use super::binary::same_dtype;
use crate::autograd::{Grads, needs_graph, no_grad, record};
use crate::dispatch::{for_real, through_f32};
use crate::dtype::{DType, Element};
use crate::error::{Error, Result};
use crate::layout::Dims;
use crate::tensor::Tensor;

/// Bytes of the logits that exist at a time. The weight is read once per block of rows for each product, so blocks
/// should be large; at a vocabulary of 50,304 this is 667 rows, whose products take twenty times what reading does.
const LOGITS_BYTES: usize = 128 << 20;

/// Rows of a block at least, for the largest vocabularies.
const MIN_ROWS: usize = 64;

/// How [`Tensor::linear_cross_entropy`] computes and reduces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearCrossEntropyOptions {
    /// Rows with this target add nothing to the loss, and cost nothing. Default −100.
    pub ignore_index: i64,
    /// Limits logits to `cap · tanh(logit / cap)`, above 0 (Gemma 2). Default none.
    pub softcap: Option<f64>,
    /// How the losses of the rows become one: the mean over the rows that count, by default.
    pub reduction: Reduction,
    /// How the products of hidden states, weight and their gradients are computed; `f32` by default. Products of `f64`
    /// are always `f64`.
    pub precision: Precision,
}

impl Default for LinearCrossEntropyOptions {
    fn default() -> LinearCrossEntropyOptions {
        LinearCrossEntropyOptions {
            ignore_index: -100,
            softcap: None,
            reduction: Reduction::Mean,
            precision: Precision::F32,
        }
    }
}

impl Tensor {
    /// The cross-entropy, in nats, of these hidden states `[…, width]` through the output layer `weight` `[vocab, width]`
    /// against `targets` (`I64`, `[…]`): `cross_entropy(hidden · weightᵀ, targets)` without the logits in memory. A
    /// scalar, or one loss per target for [`Reduction::None`], where ignored targets have 0.
    ///
    /// Logits live for one block of rows, at most 128 MiB. When gradients will be asked for, a scalar loss computes them
    /// in the same pass, and they are what is saved; for [`Reduction::None`] the backward computes the logits again.
    /// Half types compute through `f32`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`], [`Error::DTypeMismatch`]; [`Error::IndexOutOfRange`] for a target that is no row of the
    /// weight, [`Error::InvalidArgument`] for a softcap that is not above 0.
    pub fn linear_cross_entropy(
        &self,
        weight: &Tensor,
        targets: &Tensor,
        options: &LinearCrossEntropyOptions,
    ) -> Result<Tensor> {
        if let Some(result) = through_f32(self, |hidden| {
            hidden.linear_cross_entropy(&weight.to_dtype(DType::F32)?, targets, options)
        }) {
            return result;
        }
        check(self, weight, options)?;
        let problem = Problem::new(self, weight, targets, options)?;
        match options.reduction {
            Reduction::Mean | Reduction::Sum => {
                for_real!(OP, self.dtype(), T => problem.reduced::<T>([self, weight], options.reduction))
            }
            Reduction::None => for_real!(OP, self.dtype(), T => problem.each::<T>([self, weight])),
        }
    }

    /// One cross-entropy per target, `f32` of the targets' shape, without a gradient: what perplexity and the scores of
    /// given texts are made of. Ignored targets have 0. `options.reduction` plays no part.
    ///
    /// # Errors
    /// As [`linear_cross_entropy`](Tensor::linear_cross_entropy).
    pub fn linear_token_losses(
        &self,
        weight: &Tensor,
        targets: &Tensor,
        options: &LinearCrossEntropyOptions,
    ) -> Result<Tensor> {
        let _no_grad = no_grad();
        let options = LinearCrossEntropyOptions {
            reduction: Reduction::None,
            ..*options
        };
        let hidden = self.detach();
        let hidden = match hidden.dtype().is_half() {
            true => hidden.to_dtype(DType::F32)?,
            false => hidden,
        };
        hidden
            .linear_cross_entropy(&weight.detach().to_dtype(hidden.dtype())?, targets, &options)?
            .to_dtype(DType::F32)
    }
}

const OP: &str = "linear_cross_entropy";

/// The rows that count, detached and contiguous.
struct Problem {
    /// `[counted, width]`
    hidden: Tensor,
    /// `[vocab, width]`
    weight: Tensor,
    /// `[counted]`
    targets: Tensor,
    softcap: Option<f64>,
    precision: Precision,
    hidden_shape: Dims,
    targets_shape: Dims,
    /// Which rows these are; `None` for all of them.
    counted: Option<Tensor>,
}

/// Losses of the counted rows and gradients of the inputs.
struct Outcome {
    losses: Tensor,
    d_hidden: Option<Tensor>,
    d_weight: Option<Tensor>,
}

impl Problem {
    fn new(
        hidden: &Tensor,
        weight: &Tensor,
        targets: &Tensor,
        options: &LinearCrossEntropyOptions,
    ) -> Result<Problem> {
        let (hidden_shape, targets_shape) = (
            Dims::from_slice(hidden.shape()),
            Dims::from_slice(targets.shape()),
        );
        let width = hidden_shape[hidden_shape.len() - 1];
        let counted = counted_rows(hidden, weight, targets, options.ignore_index)?;
        let mut hidden = hidden.detach().contiguous()?.reshape([targets.numel(), width])?;
        let mut targets = targets.contiguous()?.reshape([targets.numel()])?;
        let counted = match counted.len() == targets.numel() {
            true => None,
            false => Some(Tensor::from_slice(&counted, [counted.len()])?),
        };
        if let Some(counted) = &counted {
            hidden = hidden.index_select(0, counted)?;
            targets = targets.index_select(0, counted)?;
        }
        Ok(Problem {
            hidden,
            weight: weight.detach().contiguous()?,
            targets,
            softcap: options.softcap,
            precision: options.precision,
            hidden_shape,
            targets_shape,
            counted,
        })
    }

    /// The mean or sum, and its gradient in the same pass.
    fn reduced<T: Element + Real>(self, inputs: [&Tensor; 2], reduction: Reduction) -> Result<Tensor> {
        let rows = self.targets.numel();
        let scale = match reduction {
            Reduction::Mean => 1.0 / rows as f64,
            Reduction::Sum | Reduction::None => 1.0,
        };
        let tracked = needs_graph(&inputs);
        let wanted = inputs.map(|input| tracked && input.is_tracked());
        let d_losses = tracked.then(|| Tensor::full([rows], scale, self.hidden.dtype()));
        let outcome = self.run::<T>(d_losses.as_ref(), wanted)?;
        let total: f64 = outcome
            .losses
            .as_slice::<T>()?
            .iter()
            .map(|&loss| Real::to_f64(loss))
            .sum();
        // No row that counts: zero times infinity, PyTorch's NaN.
        let loss = Tensor::scalar(<T as Real>::from_f64(total * scale));
        if !tracked {
            return Ok(loss);
        }
        let d_hidden = outcome.d_hidden.map(|d| self.spread(&d)).transpose()?;
        // Taken out by the one backward there can be, so that it need not copy them.
        let saved = Mutex::new([d_hidden, outcome.d_weight]);
        Ok(record(OP, loss, &inputs, move |d_loss, _| {
            let [d_hidden, d_weight] =
                std::mem::take(&mut *saved.lock().unwrap_or_else(PoisonError::into_inner));
            let d_loss = d_loss.to_dtype(DType::F64)?.item::<f64>()?;
            let scaled = |d: Option<Tensor>| d.map(|d| scaled_by::<T>(d, d_loss)).transpose();
            Ok(smallvec![scaled(d_hidden)?, scaled(d_weight)?])
        }))
    }

    /// One loss per target; the backward starts again from the inputs.
    fn each<T: Element + Real>(self, inputs: [&Tensor; 2]) -> Result<Tensor> {
        let losses = self.run::<T>(None, [false; 2])?.losses;
        let out = self.spread(&losses)?.reshape(&self.targets_shape)?;
        Ok(record(OP, out, &inputs, move |d_out, needs| {
            self.each_backward::<T>(d_out, needs)
        }))
    }

    fn each_backward<T: Element + Real>(&self, d_out: &Tensor, needs: &[bool]) -> Result<Grads> {
        let all = d_out.contiguous()?.reshape([d_out.numel()])?;
        let d_losses = match &self.counted {
            Some(counted) => all.index_select(0, counted)?,
            None => all,
        };
        let outcome = self.run::<T>(Some(&d_losses), [needs[0], needs[1]])?;
        let d_hidden = outcome.d_hidden.map(|d| self.spread(&d)).transpose()?;
        Ok(smallvec![d_hidden, outcome.d_weight])
    }

    /// Losses, and from their gradients those of the hidden states and the weight, as wanted.
    fn run<T: Element + Real>(&self, d_losses: Option<&Tensor>, wanted: [bool; 2]) -> Result<Outcome> {
        let (rows, vocab) = (self.targets.numel(), self.weight.shape()[0]);
        let problem = LinearCrossEntropy {
            hidden: self.hidden.as_slice::<T>()?,
            weight: self.weight.as_slice::<T>()?,
            targets: self.targets.as_slice::<i64>()?,
            width: self.weight.shape()[1],
            softcap: self.softcap,
        };
        let d_losses = d_losses.map(|d| d.as_slice::<T>()).transpose()?;
        let block = rows_per_block(rows, vocab * size_of::<T>());
        let (mut d_hidden, mut d_weight) = (None, None);
        let losses = Tensor::build([rows], |losses: &mut [T]| {
            let mut compute = |d_hidden: Option<&mut [T]>, d_weight: Option<&mut [T]>| {
                let gradients = d_losses.map(|d_losses| LinearCrossEntropyGradients {
                    d_hidden,
                    d_weight,
                    d_losses,
                });
                Tensor::build([block * vocab], |logits: &mut [T]| {
                    linear_cross_entropy(losses, gradients, &problem, logits, |out, a, b, accumulate| {
                        T::gemm_in(self.precision, out, a, b, accumulate);
                    });
                });
            };
            let mut with_weight = |d_hidden: Option<&mut [T]>| match wanted[1] {
                true => {
                    d_weight = Some(Tensor::build(self.weight.shape(), |d: &mut [T]| {
                        compute(d_hidden, Some(d))
                    }));
                }
                false => compute(d_hidden, None),
            };
            match wanted[0] {
                true => {
                    d_hidden = Some(Tensor::build(self.hidden.shape(), |d: &mut [T]| {
                        with_weight(Some(d))
                    }));
                }
                false => with_weight(None),
            }
        });
        Ok(Outcome {
            losses,
            d_hidden,
            d_weight,
        })
    }

    /// Rows of the counted ones back among the ignored ones, which are zero; `[counted, width]` in the hidden states'
    /// shape, `[counted]` as a list.
    fn spread(&self, rows: &Tensor) -> Result<Tensor> {
        let total: usize = self.targets_shape.iter().product();
        let mut shape = Dims::from_slice(rows.shape());
        shape[0] = total;
        let all = match &self.counted {
            Some(counted) => rows.scattered_rows(counted, &shape)?,
            None => rows.clone(),
        };
        match rows.rank() {
            1 => Ok(all),
            _ => all.reshape(&self.hidden_shape),
        }
    }
}

/// Rows whose logits exist at a time: as many as fit, in blocks of nearly the same size.
fn rows_per_block(rows: usize, row_bytes: usize) -> usize {
    let most = (LOGITS_BYTES / row_bytes.max(1)).max(MIN_ROWS);
    rows.div_ceil(rows.div_ceil(most).max(1)).max(1)
}

/// A gradient times the gradient of the loss, in place when nobody else holds it.
fn scaled_by<T: Element + Real>(mut gradient: Tensor, factor: f64) -> Result<Tensor> {
    if factor == 1.0 {
        return Ok(gradient);
    }
    match gradient.unshared_mut::<T>() {
        Some(values) => in_place::scale(values, factor),
        None => return gradient.mul_scalar(factor),
    }
    Ok(gradient)
}

fn check(hidden: &Tensor, weight: &Tensor, options: &LinearCrossEntropyOptions) -> Result<()> {
    same_dtype(OP, hidden, weight)?;
    if hidden.rank() == 0 || weight.rank() != 2 || hidden.shape().last() != weight.shape().last() {
        let (lhs, rhs) = (hidden.shape().to_vec(), weight.shape().to_vec());
        let rule = "hidden states are [.., width] and the weight [vocab, width]";
        return Err(Error::ShapeMismatch {
            op: OP,
            lhs,
            rhs,
            rule,
        });
    }
    match options.softcap {
        Some(value) if !(value > 0.0 && value.is_finite()) => Err(Error::InvalidArgument {
            op: OP,
            name: "softcap",
            value,
            rule: "above 0",
        }),
        Some(_) | None => Ok(()),
    }
}

/// Numbers of the rows whose target is not ignored, after checking all targets.
fn counted_rows(hidden: &Tensor, weight: &Tensor, targets: &Tensor, ignore_index: i64) -> Result<Vec<i64>> {
    if targets.dtype() != DType::I64 {
        return Err(Error::UnsupportedDType {
            op: OP,
            got: targets.dtype(),
            expected: "i64 class indices",
        });
    }
    if targets.shape() != &hidden.shape()[..hidden.rank() - 1] {
        let (lhs, rhs) = (hidden.shape().to_vec(), targets.shape().to_vec());
        let rule = "there is one target for each row of hidden states";
        return Err(Error::ShapeMismatch {
            op: OP,
            lhs,
            rhs,
            rule,
        });
    }
    let targets = targets.contiguous()?;
    let bound = weight.shape()[0];
    let mut counted = Vec::with_capacity(targets.numel());
    for (position, &index) in targets.as_slice::<i64>()?.iter().enumerate() {
        if index == ignore_index {
            continue;
        }
        if usize::try_from(index).map_or(true, |target| target >= bound) {
            return Err(Error::IndexOutOfRange {
                op: OP,
                index,
                bound,
                position,
            });
        }
        counted.push(position as i64);
    }
    Ok(counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_even_and_bounded() {
        assert_eq!(rows_per_block(1024, 50_304 * 4), 512);
        assert_eq!(rows_per_block(600, 50_304 * 4), 600);
        assert_eq!(rows_per_block(4096, 262_144 * 4), 128);
        assert_eq!(rows_per_block(1000, 1 << 30), 63);
        assert_eq!(rows_per_block(0, 4), 1);
    }
}
