//! Cross-entropy from logits with its gradient in the same pass.

use crate::partition::{PARALLEL_COSTLY, Pieces, for_rows};
use crate::real::Real;
use crate::softmax::{exp_row, row_max};
use crate::vectorize::vectorize;

/// How the losses of the rows become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// Weighted mean: the sum over the sum of the targets' class weights (the rows that count, without weights).
    #[default]
    Mean,
    /// Sum.
    Sum,
    /// One loss for each row.
    None,
}

/// Targets and options of [`cross_entropy`].
#[derive(Clone, Copy, Debug)]
pub struct CrossEntropy<'a, T> {
    /// Class of each row. Must be below the number of classes or equal to `ignore_index`.
    pub targets: &'a [i64],
    /// One weight for each class.
    pub class_weights: Option<&'a [T]>,
    /// Part of the target's mass spread evenly over all classes, in [0, 1].
    pub label_smoothing: f64,
    /// Rows with this target count nothing.
    pub ignore_index: i64,
    /// How row losses are reduced; also the scale of the gradient.
    pub reduction: Reduction,
}

impl<T: Real> CrossEntropy<'_, T> {
    fn weight(&self, class: usize) -> T {
        self.class_weights.map_or(T::ONE, |weights| weights[class])
    }

    /// Factor of the row losses: one over the sum of the counted targets' weights for a mean (NaN or infinite when
    /// nothing counts, as in PyTorch), else one.
    fn scale(&self) -> T {
        match self.reduction {
            Reduction::Mean => {
                let counted = self.targets.iter().filter(|&&target| target != self.ignore_index);
                T::from_f64(
                    1.0 / counted
                        .map(|&target| self.weight(target as usize).to_f64())
                        .sum::<f64>(),
                )
            }
            Reduction::Sum | Reduction::None => T::ONE,
        }
    }
}

/// Softmax cross-entropy of `logits`, `[rows, classes]`, against class indices: gives the reduced loss (the sum, for
/// [`Reduction::None`]).
///
/// Overwrites `losses` (`[rows]`, each already scaled by the reduction) and, if wanted, `d_logits` (`[rows, classes]`)
/// with the gradient of the reduced loss (of each row's own loss, for `None`). Follows
/// `torch.nn.functional.cross_entropy`. The sum over rows runs in `f64`, in order.
pub fn cross_entropy<T: Real>(
    losses: &mut [T],
    d_logits: Option<&mut [T]>,
    logits: &[T],
    classes: usize,
    options: &CrossEntropy<T>,
) -> T {
    let rows = options.targets.len();
    debug_assert!(losses.len() == rows && logits.len() == rows * classes);
    let scale = options.scale();
    let losses_of = Pieces::new(losses);
    let gradient = d_logits.map(Pieces::new);
    for_rows(rows, classes, PARALLEL_COSTLY, |rows| {
        let cells = rows.start * classes..rows.end * classes;
        // SAFETY: `for_rows` gives disjoint row ranges.
        let (losses, d_logits) = unsafe {
            (
                losses_of.get(rows.clone()),
                gradient.as_ref().map(|all| all.get(cells.clone())),
            )
        };
        let part = CrossEntropy {
            targets: &options.targets[rows],
            ..*options
        };
        match d_logits {
            Some(d_logits) => rows_with_gradient(losses, d_logits, &logits[cells], &part, scale),
            None => {
                let mut scratch = vec![T::ZERO; classes];
                for (row, logits) in logits[cells].chunks_exact(classes.max(1)).enumerate() {
                    let part = CrossEntropy {
                        targets: &part.targets[row..=row],
                        ..part
                    };
                    rows_with_gradient(&mut losses[row..=row], &mut scratch, logits, &part, scale);
                }
            }
        }
    });
    let total: f64 = losses.iter().map(|loss| loss.to_f64()).sum();
    match options.reduction {
        // Rows all ignored: zero times infinity, PyTorch's NaN.
        Reduction::Mean => T::from_f64(if scale.to_f64().is_finite() {
            total
        } else {
            f64::NAN
        }),
        Reduction::Sum | Reduction::None => T::from_f64(total),
    }
}

vectorize! {
    fn rows_with_gradient[T: Real](losses: &mut [T], d_logits: &mut [T], logits: &[T], options: &CrossEntropy<T>, scale: T) {
        let classes = logits.len() / losses.len().max(1);
        let smoothing = T::from_f64(options.label_smoothing / classes as f64);
        let on_target = T::from_f64(1.0 - options.label_smoothing);
        let weights_sum = match options.class_weights {
            Some(weights) => T::from_f64(weights.iter().map(|w| w.to_f64()).sum()),
            None => T::from_f64(classes as f64),
        };
        for (row, &target) in options.targets.iter().enumerate() {
            let x = &logits[row * classes..][..classes];
            let d_x = &mut d_logits[row * classes..][..classes];
            if target == options.ignore_index {
                losses[row] = T::ZERO;
                d_x.fill(T::ZERO);
                continue;
            }
            let target = target as usize;
            let max = row_max(x);
            let sum = exp_row(d_x, x, max);
            let log_sum = sum.ln();
            let target_weight = on_target * options.weight(target) * scale;
            let mut loss = target_weight * (log_sum - (x[target] - max));
            let mass = target_weight + smoothing * weights_sum * scale;
            let factor = if options.label_smoothing == 0.0 { target_weight / sum } else { mass / sum };
            for d_x in d_x.iter_mut() {
                *d_x *= factor;
            }
            if options.label_smoothing != 0.0 {
                for (class, (d_x, &x)) in d_x.iter_mut().zip(x).enumerate() {
                    let share = smoothing * options.weight(class) * scale;
                    loss += share * (log_sum - (x - max));
                    *d_x -= share;
                }
            }
            d_x[target] -= target_weight;
            losses[row] = loss;
        }
    }
}

#[cfg(test)]
mod tests;
