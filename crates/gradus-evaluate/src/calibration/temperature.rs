//! Temperature scaling (Guo, Pleiss, Sun and Weinberger, 2017).

use serde::{Deserialize, Serialize};

use crate::{Error, Predictions, Result};

/// The lowest and the highest temperature that is looked for. Outside, a model's logits are noise or its labels are not its
/// own, and a correction would hide that.
pub const MIN_TEMPERATURE: f64 = 0.01;
/// See [`MIN_TEMPERATURE`].
pub const MAX_TEMPERATURE: f64 = 100.0;

/// Newton's steps at most. Bisection alone would need some fifty for the last bit.
const MAX_STEPS: usize = 200;

/// Relative change of the inverse temperature below which a step is the last: rounding moves it by as much.
const TOLERANCE: f64 = 1e-13;

/// The best temperature, and what it gains.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemperatureFit {
    /// What to divide logits by.
    pub temperature: f64,
    /// Mean negative log-likelihood of the labels at temperature 1, in nats.
    pub loss_before: f64,
    /// The same at `temperature`.
    pub loss_after: f64,
}

/// The temperature that minimises the mean negative log-likelihood of `labels`, by Newton's method in its inverse, in which
/// the loss is convex, kept between ends that close in.
///
/// # Errors
/// [`Error::LengthMismatch`] and [`Error::LabelOutOfRange`] for labels that are not those of the predictions;
/// [`Error::NoTemperature`] when the loss falls all the way to [`MIN_TEMPERATURE`], as it does when every sample is right, or
/// to [`MAX_TEMPERATURE`], as it does when logits know nothing of the labels.
pub fn fit_temperature(predictions: &Predictions, labels: &[i64]) -> Result<TemperatureFit> {
    check(predictions, labels)?;
    let likelihood = Likelihood { predictions, labels };
    let (mut low, mut high) = (1.0 / MAX_TEMPERATURE, 1.0 / MIN_TEMPERATURE);
    if likelihood.at(high).slope <= 0.0 {
        return Err(Error::NoTemperature { end: MIN_TEMPERATURE });
    }
    if likelihood.at(low).slope >= 0.0 {
        return Err(Error::NoTemperature { end: MAX_TEMPERATURE });
    }
    let start = likelihood.at(1.0);
    let (mut inverse, mut found) = (1.0, start);
    for _ in 0..MAX_STEPS {
        match found.slope > 0.0 {
            true => high = inverse,
            false => low = inverse,
        }
        let newton = inverse - found.slope / found.curvature;
        // The geometric middle, since the ends differ by orders of magnitude.
        let next = if newton > low && newton < high {
            newton
        } else {
            (low * high).sqrt()
        };
        let change = (next - inverse).abs();
        (inverse, found) = (next, likelihood.at(next));
        if change <= TOLERANCE * inverse || found.slope == 0.0 {
            break;
        }
    }
    Ok(TemperatureFit {
        temperature: 1.0 / inverse,
        loss_before: start.loss,
        loss_after: found.loss,
    })
}

fn check(predictions: &Predictions, labels: &[i64]) -> Result<()> {
    if labels.len() != predictions.len() {
        return Err(Error::LengthMismatch {
            left_name: "labels",
            left: labels.len(),
            right_name: "the predictions",
            right: predictions.len(),
        });
    }
    let num_classes = predictions.num_classes();
    match labels
        .iter()
        .position(|label| !(0..num_classes as i64).contains(label))
    {
        Some(index) => Err(Error::LabelOutOfRange {
            what: "labels",
            index,
            label: labels[index],
            num_classes,
        }),
        None => Ok(()),
    }
}

/// The loss as a function of the inverse temperature.
struct Likelihood<'a> {
    predictions: &'a Predictions,
    labels: &'a [i64],
}

/// The mean loss in one place with its first and second derivative.
#[derive(Clone, Copy)]
struct Point {
    loss: f64,
    slope: f64,
    curvature: f64,
}

impl Likelihood<'_> {
    fn at(&self, inverse: f64) -> Point {
        let rows = self
            .predictions
            .logits()
            .chunks_exact(self.predictions.num_classes());
        let mut sum = Point {
            loss: 0.0,
            slope: 0.0,
            curvature: 0.0,
        };
        for (row, &label) in rows.zip(self.labels) {
            let point = of_row(row, label as usize, inverse);
            sum.loss += point.loss;
            sum.slope += point.slope;
            sum.curvature += point.curvature;
        }
        let n = self.labels.len() as f64;
        Point {
            loss: sum.loss / n,
            slope: sum.slope / n,
            curvature: sum.curvature / n,
        }
    }
}

/// With `p = softmax(inverse · logits)`: the derivative of `−log p[label]` is the mean logit under `p` less the label's, and
/// the second derivative their variance under `p`.
fn of_row(row: &[f32], label: usize, inverse: f64) -> Point {
    let top = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let own = f64::from(row[label]) - top;
    let (mut total, mut first, mut second) = (0.0, 0.0, 0.0);
    for &logit in row {
        let below = f64::from(logit) - top;
        let weight = (inverse * below).exp();
        // 0 · ∞² is no number, and a class without probability adds nothing.
        if weight > 0.0 {
            total += weight;
            first += weight * below;
            second += weight * below * below;
        }
    }
    let mean = first / total;
    Point {
        loss: total.ln() - inverse * own,
        slope: mean - own,
        curvature: (second / total - mean * mean).max(0.0),
    }
}
