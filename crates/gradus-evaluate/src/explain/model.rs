//! A model as explanations see it: a function of rows, with its outputs and their gradients.

use gradus_tensor::{Tensor, no_grad};

use crate::input_gradient::{Frozen, refusal};
use crate::{Error, Predictor, Result};

/// A function from rows of numbers to rows of outputs, evaluated many rows at a time.
///
/// ```
/// use gradus_evaluate::explain::{Explained, Questions, saliency};
/// // f(a, b) = a · b
/// let product = Explained::new(vec![2], 1, |x| {
///     let (a, b) = (x.narrow(1, 0, 1)?, x.narrow(1, 1, 1)?);
///     Ok(a.mul(&b)?)
/// });
/// let answer = saliency(&product, &Questions { rows: &[3.0, -2.0], targets: &[0] })?;
/// assert_eq!(answer.values, [2.0, 3.0]);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub struct Explained<'a> {
    row_shape: Vec<usize>,
    outputs: usize,
    batch_rows: usize,
    forward: Box<Forward<'a>>,
    _frozen: Option<Frozen>,
}

/// From inputs `[batch, ..row_shape]` to outputs `[batch, outputs]`.
type Forward<'a> = dyn Fn(&Tensor) -> Result<Tensor> + 'a;

/// Rows to explain, and which output of each.
#[derive(Clone, Copy, Debug)]
pub struct Questions<'a> {
    /// Prepared inputs, row after row.
    pub rows: &'a [f32],
    /// The output of each row that is explained.
    pub targets: &'a [usize],
}

/// How much each feature had to do with the output, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Attributions {
    /// One number per row and feature, row-major.
    pub values: Vec<f32>,
    /// The explained output of each row.
    pub scores: Vec<f64>,
    /// The same output of the baseline, for methods that compare with one.
    pub baseline_scores: Option<Vec<f64>>,
}

impl Attributions {
    /// What the attributions of each row miss of the change from the baseline: their sum less the change. `None` for methods
    /// whose attributions are not meant to add up.
    pub fn convergence_deltas(&self) -> Option<Vec<f64>> {
        let baselines = self.baseline_scores.as_ref()?;
        let features = self.values.len() / self.scores.len().max(1);
        let rows = self.values.chunks_exact(features.max(1));
        let delta = |((row, score), baseline): ((&[f32], &f64), &f64)| {
            row.iter().map(|&value| f64::from(value)).sum::<f64>() - (score - baseline)
        };
        Some(rows.zip(&self.scores).zip(baselines).map(delta).collect())
    }
}

/// Rows that go through a model at once unless told otherwise: enough to fill the products of a small network, few enough
/// that the activations of a convolution stay in the cache.
const BATCH_ROWS: usize = 128;

impl<'a> Explained<'a> {
    /// A function of tensors `[batch, ..row_shape]`, f32, to `[batch, outputs]`. For gradients it must record.
    pub fn new(
        row_shape: Vec<usize>,
        outputs: usize,
        forward: impl Fn(&Tensor) -> Result<Tensor> + 'a,
    ) -> Explained<'a> {
        Explained {
            row_shape,
            outputs,
            batch_rows: BATCH_ROWS,
            forward: Box::new(forward),
            _frozen: None,
        }
    }

    /// The outputs of a package's model. Its parameters gather no gradients while this value lives.
    pub fn of_predictor(predictor: &'a Predictor) -> Explained<'a> {
        let model = predictor.model();
        let outputs = predictor.labels().len();
        Explained {
            _frozen: Some(Frozen::new(model)),
            ..Explained::new(predictor.preprocessing().sample_shape(), outputs, |x| {
                Ok(model.forward(x)?)
            })
        }
    }

    /// The same with another number of rows at a time, at least 1. It changes speed and the last bits of answers.
    #[must_use]
    pub fn with_batch_rows(mut self, batch_rows: usize) -> Explained<'a> {
        self.batch_rows = batch_rows.max(1);
        self
    }

    /// Keeps parameters frozen for as long as this value lives.
    pub(super) fn with_frozen(mut self, frozen: Frozen) -> Explained<'a> {
        self._frozen = Some(frozen);
        self
    }

    /// Shape of one row.
    pub fn row_shape(&self) -> &[usize] {
        &self.row_shape
    }

    /// Numbers in one row.
    pub fn row_len(&self) -> usize {
        self.row_shape.iter().product()
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Checks that questions are whole rows about outputs that exist: how many rows.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::LengthMismatch`], [`Error::NoSuchOutput`].
    pub fn check(&self, questions: &Questions) -> Result<usize> {
        let rows = questions.targets.len();
        if rows == 0 {
            return Err(Error::Empty {
                what: "the samples to explain",
            });
        }
        if questions.rows.len() != rows * self.row_len() {
            return Err(Error::LengthMismatch {
                left_name: "inputs to explain",
                left: questions.rows.len(),
                right_name: "one row for each target",
                right: rows * self.row_len(),
            });
        }
        match questions.targets.iter().find(|&&target| target >= self.outputs) {
            Some(&output) => Err(Error::NoSuchOutput {
                output,
                outputs: self.outputs,
            }),
            None => Ok(rows),
        }
    }

    /// Outputs of rows that `fill` writes; `take` gets the index of each row and its outputs, in order.
    ///
    /// # Errors
    /// What the model refuses, and [`Error::OutputNotFinite`].
    pub fn evaluate(
        &self,
        rows: usize,
        fill: impl Fn(usize, &mut [f32]),
        mut take: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        let _no_grad = no_grad();
        for start in (0..rows).step_by(self.batch_rows) {
            let count = self.batch_rows.min(rows - start);
            let outputs = self.checked((self.forward)(&self.batch(start, count, &fill))?, count)?;
            let outputs = outputs.contiguous()?;
            for (at, outputs) in outputs.as_slice::<f32>()?.chunks_exact(self.outputs).enumerate() {
                take(start + at, outputs);
            }
        }
        Ok(())
    }

    /// Outputs and gradients of rows that `fill` writes: `take` gets the index of each row, its output `target(row)`, and
    /// that output's gradient with respect to the row, in order.
    ///
    /// # Errors
    /// [`Error::NoInputGradient`] for a quantised model, what the model refuses, and [`Error::OutputNotFinite`].
    pub fn gradients(
        &self,
        rows: usize,
        fill: impl Fn(usize, &mut [f32]),
        target: impl Fn(usize) -> usize,
        mut take: impl FnMut(usize, f64, &[f32]),
    ) -> Result<()> {
        for start in (0..rows).step_by(self.batch_rows) {
            let count = self.batch_rows.min(rows - start);
            let inputs = self.batch(start, count, &fill).with_grad()?;
            let outputs = (self.forward)(&inputs).map_err(told)?;
            let outputs = self.checked(outputs, count)?;
            let seed = Tensor::build([count, self.outputs], |seed: &mut [f32]| {
                seed.fill(0.0);
                for (at, seed) in seed.chunks_exact_mut(self.outputs).enumerate() {
                    seed[target(start + at)] = 1.0;
                }
            });
            outputs.backward_with(&seed)?;
            let gradient = inputs.grad().ok_or(Error::InputNotUsed)?;
            let (gradient, outputs) = (gradient.contiguous()?, outputs.detach().contiguous()?);
            let outputs = outputs.as_slice::<f32>()?.chunks_exact(self.outputs);
            let gradients = gradient.as_slice::<f32>()?.chunks_exact(self.row_len());
            for (at, (outputs, gradient)) in outputs.zip(gradients).enumerate() {
                let row = start + at;
                take(row, f64::from(outputs[target(row)]), gradient);
            }
        }
        Ok(())
    }

    /// The explained output of each row.
    pub(super) fn scores(&self, questions: &Questions) -> Result<Vec<f64>> {
        let (rows, row_len) = (questions.targets.len(), self.row_len());
        let mut scores = Vec::with_capacity(rows);
        self.evaluate(
            rows,
            |row, out| out.copy_from_slice(&questions.rows[row * row_len..][..row_len]),
            |row, outputs| scores.push(f64::from(outputs[questions.targets[row]])),
        )?;
        Ok(scores)
    }

    /// The mean over `baselines` (rows) of the output that is explained of each row.
    pub(super) fn baseline_scores(&self, questions: &Questions, baselines: &[f32]) -> Result<Vec<f64>> {
        let row_len = self.row_len();
        let count = baselines.len() / row_len;
        let mut means = vec![0.0f64; self.outputs];
        self.evaluate(
            count,
            |row, out| out.copy_from_slice(&baselines[row * row_len..][..row_len]),
            |_, outputs| {
                for (mean, &output) in means.iter_mut().zip(outputs) {
                    *mean += f64::from(output) / count as f64;
                }
            },
        )?;
        Ok(questions.targets.iter().map(|&target| means[target]).collect())
    }

    /// Checks that a baseline is one row: how long.
    pub(super) fn check_baseline(&self, baseline: &[f32]) -> Result<usize> {
        let row_len = self.row_len();
        match baseline.len() == row_len {
            true => Ok(row_len),
            false => Err(Error::LengthMismatch {
                left_name: "the baseline",
                left: baseline.len(),
                right_name: "a row of inputs",
                right: row_len,
            }),
        }
    }

    fn batch(&self, start: usize, count: usize, fill: &impl Fn(usize, &mut [f32])) -> Tensor {
        let row_len = self.row_len();
        Tensor::build([&[count], self.row_shape.as_slice()].concat(), |out| {
            for (at, row) in out.chunks_exact_mut(row_len).enumerate() {
                fill(start + at, row);
            }
        })
    }

    fn checked(&self, outputs: Tensor, count: usize) -> Result<Tensor> {
        let expected = [count, self.outputs];
        if outputs.shape() != expected {
            return Err(Error::LogitsShape {
                got: outputs.shape().to_vec(),
                expected: format!("{expected:?}"),
            });
        }
        let values = outputs.detach().contiguous()?;
        match values.as_slice::<f32>()?.iter().find(|value| !value.is_finite()) {
            Some(&value) => Err(Error::OutputNotFinite { value }),
            None => Ok(outputs),
        }
    }
}

/// What to do about a layer that was made to answer only.
fn told(error: Error) -> Error {
    match error {
        Error::Model(model) => refusal(model),
        other => other,
    }
}
