//! The output layer of a language model and its cross-entropy together: logits exist for one block of rows at a time,
//! and their gradient takes their place (as the fused linear cross-entropy of the Liger kernels, Hsu et al. 2024).

use crate::matrix::MatRef;
use crate::partition::{PARALLEL_COSTLY, Pieces, for_rows};
use crate::real::Real;
use crate::reduce::lane_sum;
use crate::scratch::with_scratch;
use crate::softmax::{exp_in_place, row_max};
use crate::vectorize::vectorize;

/// What [`linear_cross_entropy`] computes: `logits = hidden · weightᵀ`, limited, against the targets.
#[derive(Clone, Copy, Debug)]
pub struct LinearCrossEntropy<'a, T> {
    /// `[rows, width]`, row-major.
    pub hidden: &'a [T],
    /// `[vocab, width]`, row-major.
    pub weight: &'a [T],
    /// Class of each row, each below `vocab`.
    pub targets: &'a [i64],
    /// Length of a row of `hidden` and `weight`.
    pub width: usize,
    /// Logits become `cap · tanh(logit / cap)`.
    pub softcap: Option<f64>,
}

/// Gradients that [`linear_cross_entropy`] leaves, overwritten.
#[derive(Debug)]
pub struct LinearCrossEntropyGradients<'a, T> {
    /// `[rows, width]`.
    pub d_hidden: Option<&'a mut [T]>,
    /// `[vocab, width]`.
    pub d_weight: Option<&'a mut [T]>,
    /// The gradient of each row's loss, `[rows]`.
    pub d_losses: &'a [T],
}

/// The cross-entropy of each row in nats, overwritten in `losses` (`[rows]`), and with `gradients` theirs.
///
/// `logits` is working memory for a block of rows, a multiple of `vocab` elements; fewer blocks read the weight fewer
/// times. `product(out, a, b, accumulate)` is the matrix product to use. The gradient of the weight is added up block
/// by block, in order.
pub fn linear_cross_entropy<T: Real>(
    losses: &mut [T],
    mut gradients: Option<LinearCrossEntropyGradients<T>>,
    problem: &LinearCrossEntropy<T>,
    logits: &mut [T],
    product: impl Fn(&mut [T], MatRef<T>, MatRef<T>, bool),
) {
    let (rows, width) = (losses.len(), problem.width);
    let vocab = problem.weight.len() / width.max(1);
    debug_assert!(problem.hidden.len() == rows * width && problem.targets.len() == rows);
    if let Some(d_weight) = gradients.as_mut().and_then(|g| g.d_weight.as_deref_mut())
        && rows == 0
    {
        d_weight.fill(T::ZERO);
    }
    let weight = MatRef::row_major(problem.weight, vocab, width);
    let block = logits.len().checked_div(vocab).unwrap_or(0).max(1);
    for first in (0..rows).step_by(block) {
        let part = first..(first + block).min(rows);
        let hidden = MatRef::row_major(
            &problem.hidden[part.start * width..part.end * width],
            part.len(),
            width,
        );
        let logits = &mut logits[..part.len() * vocab];
        product(logits, hidden, weight.t(), false);
        let d_losses = gradients.as_ref().map(|g| &g.d_losses[part.clone()]);
        let targets = &problem.targets[part.clone()];
        losses_of(
            &mut losses[part.clone()],
            d_losses,
            targets,
            logits,
            problem.softcap,
        );
        let Some(gradients) = &mut gradients else { continue };
        let d_logits = MatRef::row_major(logits, part.len(), vocab);
        if let Some(d_hidden) = &mut gradients.d_hidden {
            product(
                &mut d_hidden[part.start * width..part.end * width],
                d_logits,
                weight,
                false,
            );
        }
        if let Some(d_weight) = &mut gradients.d_weight {
            product(d_weight, d_logits.t(), hidden, first > 0);
        }
    }
}

/// Losses of a block of rows; with `d_losses`, the logits become their gradients.
fn losses_of<T: Real>(
    losses: &mut [T],
    d_losses: Option<&[T]>,
    targets: &[i64],
    logits: &mut [T],
    softcap: Option<f64>,
) {
    let rows = losses.len();
    let vocab = logits.len() / rows.max(1);
    let (losses, logits) = (Pieces::new(losses), Pieces::new(logits));
    for_rows(rows, vocab, PARALLEL_COSTLY, |rows| {
        for row in rows {
            // SAFETY: `for_rows` gives disjoint row ranges.
            let (loss, logits) = unsafe {
                (
                    &mut losses.get(row..row + 1)[0],
                    logits.get(row * vocab..(row + 1) * vocab),
                )
            };
            let target = targets[row] as usize;
            *loss = match (d_losses, softcap) {
                (None, None) => loss_of_row(logits, target),
                (None, Some(cap)) => {
                    cap_row(logits, None, T::from_f64(cap));
                    loss_of_row(logits, target)
                }
                (Some(d_losses), None) => gradient_of_row(logits, target, d_losses[row]),
                (Some(d_losses), Some(cap)) => with_scratch(vocab, |slopes: &mut [T]| {
                    cap_row(logits, Some(slopes), T::from_f64(cap));
                    let loss = gradient_of_row(logits, target, d_losses[row]);
                    multiply(logits, slopes);
                    loss
                }),
            };
        }
    });
}

vectorize! {
    fn loss_of_row[T: Real](logits: &[T], target: usize) -> T {
        let largest = row_max(logits);
        let sum = lane_sum(logits, |x| (x - largest).exp());
        sum.ln() - (logits[target] - largest)
    }
}

vectorize! {
    /// Turns logits into `d_loss · (softmax − one-hot)`; gives the loss.
    fn gradient_of_row[T: Real](logits: &mut [T], target: usize, d_loss: T) -> T {
        let largest = row_max(logits);
        let at_target = logits[target] - largest;
        let sum = exp_in_place(logits, largest);
        let factor = d_loss / sum;
        for x in logits.iter_mut() {
            *x *= factor;
        }
        logits[target] -= d_loss;
        sum.ln() - at_target
    }
}

vectorize! {
    /// `x = cap · tanh(x / cap)`, and the slope of that where it is wanted.
    fn cap_row[T: Real](logits: &mut [T], slopes: Option<&mut [T]>, cap: T) {
        for x in logits.iter_mut() {
            *x = (*x / cap).tanh();
        }
        if let Some(slopes) = slopes {
            for (slope, &x) in slopes.iter_mut().zip(logits.iter()) {
                *slope = T::ONE - x * x;
            }
        }
        for x in logits.iter_mut() {
            *x *= cap;
        }
    }
}

vectorize! {
    fn multiply[T: Real](x: &mut [T], by: &[T]) {
        for (x, &by) in x.iter_mut().zip(by) {
            *x *= by;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, noise, same_for_every_thread_count};

    struct Setup {
        hidden: Vec<f64>,
        weight: Vec<f64>,
        targets: Vec<i64>,
        d_losses: Vec<f64>,
    }

    const ROWS: usize = 7;
    const WIDTH: usize = 5;
    const VOCAB: usize = 37;

    fn setup() -> Setup {
        Setup {
            hidden: noise(ROWS * WIDTH, 1),
            weight: noise(VOCAB * WIDTH, 2),
            targets: (0..ROWS as i64).map(|i| i * 11 % VOCAB as i64).collect(),
            d_losses: noise(ROWS, 3),
        }
    }

    /// Each row's loss by the definition.
    fn naive(setup: &Setup, softcap: Option<f64>) -> Vec<f64> {
        let loss = |(hidden, &target): (&[f64], &i64)| {
            let logit = |weight: &[f64]| {
                let logit: f64 = hidden.iter().zip(weight).map(|(h, w)| h * w).sum();
                softcap.map_or(logit, |cap| cap * (logit / cap).tanh())
            };
            let logits: Vec<f64> = setup.weight.chunks(WIDTH).map(logit).collect();
            logits.iter().map(|x| x.exp()).sum::<f64>().ln() - logits[target as usize]
        };
        setup.hidden.chunks(WIDTH).zip(&setup.targets).map(loss).collect()
    }

    fn product<T: Real>(out: &mut [T], a: MatRef<T>, b: MatRef<T>, accumulate: bool) {
        T::gemm(out, a, b, accumulate, Default::default());
    }

    /// Losses, gradient of the hidden rows and of the weight, in blocks of so many rows.
    fn run<T: Real>(setup: &Setup, softcap: Option<f64>, block: usize) -> [Vec<T>; 3] {
        let narrow = |x: &[f64]| x.iter().map(|&x| T::from_f64(x)).collect::<Vec<T>>();
        let (hidden, weight) = (narrow(&setup.hidden), narrow(&setup.weight));
        let problem = LinearCrossEntropy {
            hidden: &hidden,
            weight: &weight,
            targets: &setup.targets,
            width: WIDTH,
            softcap,
        };
        let nan = T::from_f64(f64::NAN);
        let (mut losses, mut alone) = (vec![nan; ROWS], vec![nan; ROWS]);
        let (mut d_hidden, mut d_weight) = (vec![nan; ROWS * WIDTH], vec![nan; VOCAB * WIDTH]);
        let mut logits = vec![nan; block * VOCAB];
        linear_cross_entropy(&mut alone, None, &problem, &mut logits, product);
        let gradients = LinearCrossEntropyGradients {
            d_hidden: Some(&mut d_hidden),
            d_weight: Some(&mut d_weight),
            d_losses: &narrow(&setup.d_losses),
        };
        linear_cross_entropy(&mut losses, Some(gradients), &problem, &mut logits, product);
        let wide: Vec<f64> = alone.iter().map(|x| x.to_f64()).collect();
        assert_close(&losses, &wide, 1e-6);
        [losses, d_hidden, d_weight]
    }

    #[test]
    fn losses_and_gradients_equal_the_definition_for_every_block() {
        let base = setup();
        for softcap in [None, Some(1.5)] {
            for block in [1, 3, ROWS, 2 * ROWS] {
                let [losses, d_hidden, d_weight] = run::<f64>(&base, softcap, block);
                assert_close(&losses, &naive(&base, softcap), 1e-12);
                let slope = |change: &dyn Fn(&mut Setup, f64)| {
                    let total = |by: f64| {
                        let mut moved = setup();
                        change(&mut moved, by);
                        let losses = naive(&moved, softcap);
                        losses.iter().zip(&base.d_losses).map(|(l, d)| l * d).sum::<f64>()
                    };
                    (total(1e-5) - total(-1e-5)) / 2e-5
                };
                for (i, &got) in d_hidden.iter().enumerate() {
                    assert_close(&[got], &[slope(&|moved, by| moved.hidden[i] += by)], 1e-8);
                }
                for (i, &got) in d_weight.iter().enumerate() {
                    assert_close(&[got], &[slope(&|moved, by| moved.weight[i] += by)], 1e-8);
                }
            }
        }
    }

    #[test]
    fn f32_follows_f64_on_any_number_of_threads() {
        let base = setup();
        let wide = run::<f64>(&base, Some(2.0), 4);
        let narrow = same_for_every_thread_count(|| run::<f32>(&base, Some(2.0), 4));
        for (narrow, wide) in narrow.iter().zip(&wide) {
            assert_close(narrow, wide, 3e-6);
        }
    }

    #[test]
    fn no_rows_give_a_zero_gradient() {
        let mut d_weight = [9.0_f32; 6];
        let problem = LinearCrossEntropy {
            hidden: &[],
            weight: &[1.0; 6],
            targets: &[],
            width: 2,
            softcap: None,
        };
        let gradients = LinearCrossEntropyGradients {
            d_hidden: Some(&mut []),
            d_weight: Some(&mut d_weight),
            d_losses: &[],
        };
        linear_cross_entropy(&mut [], Some(gradients), &problem, &mut [0.0; 3], product);
        assert_eq!(d_weight, [0.0; 6]);
    }
}
