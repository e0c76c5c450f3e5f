//! Projected gradient descent in the L∞ ball (Madry et al., 2018).

use gradus_tensor::Rng;

use super::disturb::Disturbed;
use super::inputs::{Batch, Inputs};
use super::loss_gradient::{count_flat, loss_gradient, sign};
use crate::Result;

/// Keeps its draws apart from those of other tests.
const STREAM: u64 = 3;

/// The attack and its settings; lengths are in units of each value's spread.
pub(super) struct Pgd {
    /// Radius of the ball.
    pub(super) epsilon: f64,
    /// Steps from each start.
    pub(super) steps: usize,
    /// Length of a step.
    pub(super) step_size: f64,
    /// Random starts, of which the worst counts for each sample; 0 starts once, at the sample itself.
    pub(super) restarts: usize,
    /// Seed of the starts.
    pub(super) seed: u64,
}

impl Pgd {
    /// Climbs the loss of the true class from each start and keeps, for each sample, where it ends worst.
    pub(super) fn attack(&self, inputs: &Inputs<'_>, batch: &Batch) -> Result<Disturbed> {
        let labels = inputs.labels(batch);
        let mut values = self.start(inputs, batch, 0);
        let flat_gradients = self.climb(inputs, batch, &labels, &mut values)?;
        if self.restarts > 1 {
            let mut worst = losses(inputs, &values, &labels)?;
            for restart in 1..self.restarts {
                let mut other = self.start(inputs, batch, restart as u64);
                self.climb(inputs, batch, &labels, &mut other)?;
                let found = losses(inputs, &other, &labels)?;
                keep_worse(inputs.sample_len(), (&mut values, &mut worst), (&other, &found));
            }
        }
        Ok(Disturbed {
            values,
            flat_gradients,
        })
    }

    /// Uniform in the ball, or its middle.
    fn start(&self, inputs: &Inputs<'_>, batch: &Batch, restart: u64) -> Vec<f32> {
        let mut values = batch.values.clone();
        if self.restarts == 0 {
            return values;
        }
        let samples = values.chunks_exact_mut(inputs.sample_len());
        for (sample, &index) in samples.zip(&batch.indices) {
            let mut rng = Rng::derive(self.seed, &[STREAM, restart, index as u64]);
            for (value, &spread) in sample.iter_mut().zip(inputs.spread()) {
                let share = self.epsilon * (2.0 * rng.uniform() - 1.0);
                *value = inputs.clip(*value + (share * f64::from(spread)) as f32);
            }
        }
        values
    }

    /// Takes all steps; returns how many samples had no gradient at the first of them.
    fn climb(&self, inputs: &Inputs<'_>, batch: &Batch, labels: &[i64], values: &mut [f32]) -> Result<u64> {
        let mut flat_gradients = 0;
        for step in 0..self.steps {
            let gradient = loss_gradient(inputs, values, labels)?;
            if step == 0 {
                flat_gradients = count_flat(&gradient, inputs.sample_len());
            }
            let (epsilon, step_size) = (self.epsilon as f32, self.step_size as f32);
            let around = values.iter_mut().zip(&batch.values).zip(&gradient);
            for (((value, &middle), &gradient), &spread) in around.zip(inputs.spread().iter().cycle()) {
                let reach = epsilon * spread;
                let moved = *value + step_size * spread * sign(gradient);
                *value = inputs.clip(moved.clamp(middle - reach, middle + reach));
            }
        }
        Ok(flat_gradients)
    }
}

/// How wrong each sample is: whether its class is missed, then the loss of its true class.
fn losses(inputs: &Inputs<'_>, values: &[f32], labels: &[i64]) -> Result<Vec<(bool, f64)>> {
    let logits = inputs.predictor().predict_batch(&inputs.prepare(values))?;
    let predictions = inputs.predictor().predictions(logits.to_vec::<f32>()?)?;
    let classes = predictions.classes();
    let probabilities = predictions.probabilities_of(labels);
    let of = |((class, label), probability): ((i64, &i64), f64)| (class != *label, -probability.ln());
    Ok(classes
        .into_iter()
        .zip(labels)
        .zip(probabilities)
        .map(of)
        .collect())
}

type Found<'a> = (&'a [f32], &'a [(bool, f64)]);

fn keep_worse(sample_len: usize, kept: (&mut [f32], &mut [(bool, f64)]), found: Found<'_>) {
    let samples = kept
        .0
        .chunks_exact_mut(sample_len)
        .zip(found.0.chunks_exact(sample_len));
    for ((kept, found), (kept_loss, found_loss)) in samples.zip(kept.1.iter_mut().zip(found.1)) {
        if *found_loss > *kept_loss {
            kept.copy_from_slice(found);
            *kept_loss = *found_loss;
        }
    }
}
