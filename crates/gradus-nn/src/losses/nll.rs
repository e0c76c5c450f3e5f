//! The negative log-likelihood of class indices.

use gradus_tensor::{Reduction, Tensor};

use crate::error::Result;

/// How [`nll_with`] weighs and reduces; the defaults are PyTorch's.
#[derive(Clone, Debug)]
pub struct NllOptions {
    /// One factor per class, `[classes]`; `None` weighs all classes 1.
    pub class_weights: Option<Tensor>,
    /// Rows with this target add nothing to the loss; -100 by default.
    pub ignore_index: i64,
    /// How the losses of the rows become one. The mean divides by the summed weights of the rows that count.
    pub reduction: Reduction,
}

impl Default for NllOptions {
    fn default() -> Self {
        NllOptions {
            class_weights: None,
            ignore_index: -100,
            reduction: Reduction::Mean,
        }
    }
}

/// The mean over the batch of `−log_probs[target]`. `log_probs` are `[batch, classes]` or `[batch, classes, ..]`,
/// `targets` class indices `[batch]` or `[batch, ..]` of `I64`. PyTorch's `nll_loss`. From logits,
/// [`cross_entropy`](super::cross_entropy) does both steps in one.
///
/// # Errors
/// When the shapes or types do not fit, or a target is no class.
pub fn nll(log_probs: &Tensor, targets: &Tensor) -> Result<Tensor> {
    nll_with(log_probs, targets, &NllOptions::default())
}

/// As [`nll`], with class weights, an ignored index and a reduction.
///
/// # Errors
/// As [`nll`].
pub fn nll_with(log_probs: &Tensor, targets: &Tensor, options: &NllOptions) -> Result<Tensor> {
    let rows = classes_last(log_probs, targets)?;
    let ids = targets.to_vec::<i64>()?;
    let counts: Vec<f64> = ids
        .iter()
        .map(|&id| f64::from(u8::from(id != options.ignore_index)))
        .collect();
    let classes = ids
        .iter()
        .map(|&id| if id == options.ignore_index { 0 } else { id })
        .collect();
    let classes = Tensor::from_vec::<i64>(classes, [ids.len()])?;

    let picked = rows.gather(1, &classes.unsqueeze(1)?)?.squeeze(1)?;
    let counts = Tensor::from_vec(counts, [ids.len()])?.to_dtype(log_probs.dtype())?;
    let weights = match &options.class_weights {
        Some(class_weights) => class_weights.index_select(0, &classes)?.mul(&counts)?,
        None => counts,
    };
    let losses = picked.neg()?.mul(&weights)?;
    match options.reduction {
        Reduction::None => Ok(losses.reshape(targets.shape())?),
        Reduction::Sum => Ok(losses.sum_all()?),
        Reduction::Mean => Ok(losses.sum_all()?.div(&weights.sum_all()?)?),
    }
}

/// `[batch, classes, ..]` as `[rows, classes]`, one row per target.
fn classes_last(log_probs: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let mismatch = || {
        let (lhs, rhs) = (log_probs.shape().to_vec(), targets.shape().to_vec());
        let rule = "log-probabilities are [batch, classes, ..] and targets [batch, ..]";
        gradus_tensor::Error::ShapeMismatch {
            op: "nll",
            lhs,
            rhs,
            rule,
        }
    };
    let [batch, classes, rest @ ..] = log_probs.shape() else {
        return Err(mismatch().into());
    };
    if targets.shape().first() != Some(batch) || &targets.shape()[1..] != rest {
        return Err(mismatch().into());
    }
    if rest.is_empty() {
        return Ok(log_probs.clone());
    }
    let places: usize = rest.iter().product();
    let last = log_probs.reshape([*batch, *classes, places])?.transpose(1, 2)?;
    Ok(last.reshape([batch * places, *classes])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::{CrossEntropyOptions, cross_entropy_with};

    #[test]
    fn of_log_softmax_is_cross_entropy_also_for_maps() {
        let logits = (0..24).map(|i| ((i * 7 % 11) as f32) / 3.0).collect();
        let logits = Tensor::from_vec::<f32>(logits, [2, 3, 4]).unwrap();
        let targets = Tensor::from_vec(vec![0i64, 1, 2, -100, 2, 1, 0, 0], [2, 4]).unwrap();
        for reduction in [Reduction::None, Reduction::Mean, Reduction::Sum] {
            let log_probs = logits.log_softmax(1).unwrap();
            let got = nll_with(
                &log_probs,
                &targets,
                &NllOptions {
                    reduction,
                    ..NllOptions::default()
                },
            )
            .unwrap();
            let options = CrossEntropyOptions {
                reduction,
                ..CrossEntropyOptions::default()
            };
            let expected = cross_entropy_with(&logits, &targets, &options).unwrap();
            assert_eq!(got.shape(), expected.shape());
            let (got, expected) = (got.to_vec::<f32>().unwrap(), expected.to_vec::<f32>().unwrap());
            for (g, e) in got.iter().zip(&expected) {
                assert!((g - e).abs() < 1e-6, "{g}, expected {e}");
            }
        }
    }

    #[test]
    fn targets_must_be_classes_of_the_right_shape() {
        let log_probs = Tensor::zeros([2, 3], gradus_tensor::DType::F32);
        assert!(nll(&log_probs, &Tensor::from_vec(vec![0i64, 3], [2]).unwrap()).is_err());
        assert!(nll(&log_probs, &Tensor::from_vec(vec![0i64], [1]).unwrap()).is_err());
        assert!(nll(&log_probs, &Tensor::scalar(0i64)).is_err());
    }
}
