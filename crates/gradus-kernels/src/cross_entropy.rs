//! Cross-entropy from logits with its gradient in the same pass.

use crate::partition::{PARALLEL_COSTLY, Pieces, for_rows};
use crate::real::Real;
use crate::reduce::LANES;
use crate::scratch::with_scratch;
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
    if logits.is_empty() {
        losses.fill(T::ZERO);
    }
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
            None => rows_alone(losses, &logits[cells], &part, scale),
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

/// Losses without a gradient: its memory is scratch, one block of rows at a time.
fn rows_alone<T: Real>(losses: &mut [T], logits: &[T], options: &CrossEntropy<T>, scale: T) {
    let classes = logits.len() / losses.len();
    with_scratch(LANES * classes, |scratch| {
        let blocks = losses.chunks_mut(LANES).zip(options.targets.chunks(LANES));
        for ((losses, targets), logits) in blocks.zip(logits.chunks(LANES * classes)) {
            let part = CrossEntropy { targets, ..*options };
            rows_with_gradient(losses, &mut scratch[..logits.len()], logits, &part, scale);
        }
    });
}

/// Up to this many classes, sixteen rows go side by side through one vector of each class, instead of each row on its
/// own through vectors that it does not fill (64 × 10: 6.2 µs before). The limit keeps the block in 4 KiB of stack.
const NARROW: usize = 32;

/// Largest logit of each row of a block, and the sum of `e^(logit − largest)`; unused rows hold anything finite.
#[derive(Clone, Copy)]
struct RowSums<T> {
    largest: [T; LANES],
    sum: [T; LANES],
}

vectorize! {
    fn rows_with_gradient[T: Real](losses: &mut [T], d_logits: &mut [T], logits: &[T], options: &CrossEntropy<T>, scale: T) {
        let classes = logits.len() / losses.len().max(1);
        let shares = Shares::new(options, classes, scale);
        let blocks = losses.chunks_mut(LANES).zip(options.targets.chunks(LANES));
        let cells = d_logits.chunks_mut(LANES * classes).zip(logits.chunks(LANES * classes));
        for ((losses, targets), (d_logits, logits)) in blocks.zip(cells) {
            let RowSums { largest, sum } = match classes <= NARROW {
                true => exp_block(d_logits, logits, classes),
                false => exp_rows(d_logits, logits, classes),
            };
            let log_sum = sum.map(T::ln);
            let rows = d_logits.chunks_exact_mut(classes).zip(logits.chunks_exact(classes));
            for (row, (d_x, x)) in rows.enumerate() {
                losses[row] = match targets[row] == options.ignore_index {
                    true => {
                        d_x.fill(T::ZERO);
                        T::ZERO
                    }
                    false => shares.finish(d_x, x, targets[row] as usize, [largest[row], sum[row], log_sum[row]]),
                };
            }
        }
    }
}

/// Overwrites `out` with `e^(x − largest)` for at most sixteen rows of few classes, turned so that a vector holds one
/// class of all rows.
#[inline(always)]
fn exp_block<T: Real>(out: &mut [T], x: &[T], classes: usize) -> RowSums<T> {
    let mut columns = [[T::ZERO; LANES]; NARROW];
    for (row, x) in x.chunks_exact(classes).enumerate() {
        for (column, &x) in columns.iter_mut().zip(x) {
            column[row] = x;
        }
    }
    let columns = &mut columns[..classes];
    let mut sums = RowSums {
        largest: columns[0],
        sum: [T::ZERO; LANES],
    };
    for column in columns.iter() {
        for (largest, &x) in sums.largest.iter_mut().zip(column) {
            *largest = if x > *largest || x.is_nan() { x } else { *largest };
        }
    }
    for column in columns.iter_mut() {
        for ((x, largest), sum) in column.iter_mut().zip(&sums.largest).zip(&mut sums.sum) {
            *x = (*x - *largest).exp();
            *sum += *x;
        }
    }
    for (row, out) in out.chunks_exact_mut(classes).enumerate() {
        for (out, column) in out.iter_mut().zip(columns.iter()) {
            *out = column[row];
        }
    }
    sums
}

/// The same for rows of many classes, each on its own.
#[inline(always)]
fn exp_rows<T: Real>(out: &mut [T], x: &[T], classes: usize) -> RowSums<T> {
    let mut sums = RowSums {
        largest: [T::ZERO; LANES],
        sum: [T::ONE; LANES],
    };
    for (row, (out, x)) in out
        .chunks_exact_mut(classes)
        .zip(x.chunks_exact(classes))
        .enumerate()
    {
        sums.largest[row] = row_max(x);
        sums.sum[row] = exp_row(out, x, sums.largest[row]);
    }
    sums
}

/// How a row's mass of one is shared among its target and, by smoothing, all classes; scaled by the reduction.
struct Shares<'a, T> {
    options: &'a CrossEntropy<'a, T>,
    /// Of the target, before its class weight.
    target: T,
    /// Of each class, before its class weight; 0 without smoothing.
    each: T,
    /// Of all classes together.
    all: T,
}

impl<'a, T: Real> Shares<'a, T> {
    fn new(options: &'a CrossEntropy<'a, T>, classes: usize, scale: T) -> Self {
        let each = T::from_f64(options.label_smoothing / classes as f64) * scale;
        let weights = match options.class_weights {
            Some(weights) => weights.iter().map(|weight| weight.to_f64()).sum(),
            None => classes as f64,
        };
        let target = T::from_f64(1.0 - options.label_smoothing) * scale;
        Self {
            options,
            target,
            each,
            all: each * T::from_f64(weights),
        }
    }

    /// The loss of a row, whose `d_x` holds `e^(x − largest)` and becomes the gradient.
    #[inline(always)]
    fn finish(&self, d_x: &mut [T], x: &[T], target: usize, [largest, sum, log_sum]: [T; 3]) -> T {
        let target_share = self.target * self.options.weight(target);
        let mut loss = target_share * (log_sum - (x[target] - largest));
        let factor = (target_share + self.all) / sum;
        for d_x in d_x.iter_mut() {
            *d_x *= factor;
        }
        if self.each != T::ZERO {
            for (class, (d_x, &x)) in d_x.iter_mut().zip(x).enumerate() {
                let share = self.each * self.options.weight(class);
                loss += share * (log_sum - (x - largest));
                *d_x -= share;
            }
        }
        d_x[target] -= target_share;
        loss
    }
}

#[cfg(test)]
mod tests;
