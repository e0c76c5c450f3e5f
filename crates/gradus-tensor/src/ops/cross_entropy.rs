//! Cross-entropy from logits: softmax, logarithm and loss in one op, and its gradient in the same pass.

pub use gradus_kernels::cross_entropy::Reduction;
use gradus_kernels::cross_entropy::{CrossEntropy, cross_entropy};
use gradus_kernels::real::Real;
use smallvec::smallvec;

use crate::autograd::{needs_graph, record};
use crate::dispatch::{for_real, through_f32};
use crate::dtype::{DType, Element};
use crate::error::{Error, Result};
use crate::layout::Dims;
use crate::tensor::Tensor;

/// How [`Tensor::cross_entropy`] weighs and reduces; the defaults are PyTorch's.
#[derive(Clone, Debug)]
pub struct CrossEntropyOptions {
    /// One factor per class, `[classes]`, of the logits' type; `None` weighs all classes 1.
    pub class_weights: Option<Tensor>,
    /// The share of the target's probability that is spread evenly over all classes, in `0..=1`.
    pub label_smoothing: f64,
    /// Rows with this target add nothing to the loss.
    pub ignore_index: i64,
    /// How the losses of the rows become one.
    pub reduction: Reduction,
}

impl Default for CrossEntropyOptions {
    fn default() -> Self {
        let (label_smoothing, ignore_index) = (0.0, -100);
        CrossEntropyOptions {
            class_weights: None,
            label_smoothing,
            ignore_index,
            reduction: Reduction::Mean,
        }
    }
}

impl Tensor {
    /// The cross-entropy between the softmax of these logits, `[rows, classes]` or `[rows, classes, …]`, and class
    /// indices `targets` (`I64`, `[rows]` or `[rows, …]`): a scalar, or one loss per target for
    /// [`Reduction::None`]. PyTorch's `cross_entropy`.
    ///
    /// Computed in the logits' type, the sum over rows in `f64`; half types through `f32`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`], [`Error::DTypeMismatch`], [`Error::IndexOutOfRange`] for a target that is no class,
    /// [`Error::InvalidArgument`] for a smoothing outside `0..=1`.
    pub fn cross_entropy(&self, targets: &Tensor, options: &CrossEntropyOptions) -> Result<Tensor> {
        if let Some(result) = through_f32(self, |logits| logits.cross_entropy(targets, &widened(options)?)) {
            return result;
        }
        check(self, targets, options)?;
        if self.rank() > 2 {
            return classes_last(self)?
                .cross_entropy(&targets.reshape([targets.numel()])?, options)?
                .reshape(match options.reduction {
                    Reduction::None => targets.shape(),
                    Reduction::Mean | Reduction::Sum => &[],
                });
        }
        let (loss, d_logits) =
            for_real!("cross_entropy", self.dtype(), T => forward::<T>(self, targets, options))?;
        let Some(d_logits) = d_logits else { return Ok(loss) };
        Ok(record("cross_entropy", loss, &[self], move |d_loss, _| {
            let is_one = d_loss.numel() == 1 && d_loss.to_dtype(DType::F64)?.item::<f64>()? == 1.0;
            let d = match (is_one, d_loss.rank()) {
                // The usual end of a graph: the saved gradient is the answer.
                (true, 0) => d_logits.clone(),
                (_, 0) => d_logits.mul(d_loss)?,
                _ => d_logits.mul(&d_loss.unsqueeze(1)?)?,
            };
            Ok(smallvec![Some(d)])
        }))
    }
}

/// The loss, and the gradient of the logits when it will be asked for.
fn forward<T: Element + Real>(
    logits: &Tensor,
    targets: &Tensor,
    options: &CrossEntropyOptions,
) -> Result<(Tensor, Option<Tensor>)> {
    let (x, targets) = (logits.detach().contiguous()?, targets.contiguous()?);
    let class_weights = options
        .class_weights
        .as_ref()
        .map(|w| w.detach().contiguous())
        .transpose()?;
    let kernel_options = CrossEntropy {
        targets: targets.as_slice::<i64>()?,
        class_weights: class_weights.as_ref().map(|w| w.as_slice::<T>()).transpose()?,
        label_smoothing: options.label_smoothing,
        ignore_index: options.ignore_index,
        reduction: options.reduction,
    };
    let (values, classes) = (x.as_slice::<T>()?, x.shape()[1]);
    let mut total = T::ZERO;
    let mut losses = None;
    let mut run = |d_logits: Option<&mut [T]>| {
        losses = Some(Tensor::build(targets.shape(), |losses| {
            total = cross_entropy(losses, d_logits, values, classes, &kernel_options);
        }));
    };
    let d_logits = if needs_graph(&[logits]) {
        Some(Tensor::build(x.shape(), |d_logits| run(Some(d_logits))))
    } else {
        run(None);
        None
    };
    let loss = match options.reduction {
        Reduction::None => losses.expect("bug: the kernel has run"),
        Reduction::Mean | Reduction::Sum => Tensor::scalar(total),
    };
    Ok((loss, d_logits))
}

fn check(logits: &Tensor, targets: &Tensor, options: &CrossEntropyOptions) -> Result<()> {
    let op = "cross_entropy";
    let shape = logits.shape();
    if shape.len() < 2
        || targets.rank() == 0
        || shape[0] != targets.shape()[0]
        || shape[2..] != targets.shape()[1..]
    {
        let (lhs, rhs) = (shape.to_vec(), targets.shape().to_vec());
        return Err(Error::ShapeMismatch {
            op,
            lhs,
            rhs,
            rule: "logits [rows, classes, ..], targets [rows, ..]",
        });
    }
    if targets.dtype() != DType::I64 {
        return Err(Error::UnsupportedDType {
            op,
            got: targets.dtype(),
            expected: "i64 class indices",
        });
    }
    if !(0.0..=1.0).contains(&options.label_smoothing) {
        let value = options.label_smoothing;
        return Err(Error::InvalidArgument {
            op,
            name: "label_smoothing",
            value,
            rule: "within 0 and 1",
        });
    }
    if let Some(weights) = &options.class_weights {
        if weights.dtype() != logits.dtype() {
            return Err(Error::DTypeMismatch {
                op,
                lhs: logits.dtype(),
                rhs: weights.dtype(),
            });
        }
        if weights.shape() != [shape[1]] {
            let (lhs, rhs) = (shape.to_vec(), weights.shape().to_vec());
            return Err(Error::ShapeMismatch {
                op,
                lhs,
                rhs,
                rule: "one weight per class",
            });
        }
    }
    let classes = shape[1];
    let valid =
        |&target: &i64| target == options.ignore_index || usize::try_from(target).is_ok_and(|t| t < classes);
    let targets = targets.contiguous()?;
    match targets
        .as_slice::<i64>()?
        .iter()
        .position(|target| !valid(target))
    {
        None => Ok(()),
        Some(position) => {
            let index = targets.as_slice::<i64>()?[position];
            Err(Error::IndexOutOfRange {
                op,
                index,
                bound: classes,
                position,
            })
        }
    }
}

/// Logits `[rows, classes, …]` as `[rows · …, classes]`.
fn classes_last(logits: &Tensor) -> Result<Tensor> {
    let order: Dims = std::iter::once(0).chain(2..logits.rank()).chain([1]).collect();
    let classes = logits.shape()[1];
    logits
        .permute(&order)?
        .reshape([logits.numel() / classes.max(1), classes])
}

fn widened(options: &CrossEntropyOptions) -> Result<CrossEntropyOptions> {
    let class_weights = options
        .class_weights
        .as_ref()
        .map(|w| w.to_dtype(DType::F32))
        .transpose()?;
    Ok(CrossEntropyOptions {
        class_weights,
        ..options.clone()
    })
}
