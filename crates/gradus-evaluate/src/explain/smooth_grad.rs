//! SmoothGrad: saliency averaged over noise.

use gradus_tensor::Rng;
use serde::{Deserialize, Serialize};

use super::{Attributions, Explained, Questions};
use crate::{Error, Result};

/// How much noise, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmoothGrad {
    /// Draws of noise for each row, at least 1; default 50, the paper's choice.
    pub draws: usize,
    /// Standard deviation of the noise as a share of each row's range, its largest input less its smallest; default 0.15,
    /// from the 10 to 20 % that the paper finds best.
    pub noise: f64,
    /// Where the draws start. The same seed gives the same attributions.
    pub seed: u64,
}

impl Default for SmoothGrad {
    fn default() -> Self {
        SmoothGrad {
            draws: 50,
            noise: 0.15,
            seed: 0,
        }
    }
}

/// The mean of [`saliency`](super::saliency) over copies of each row with normal noise (Smilkov et al. 2017), as Captum's
/// `NoiseTunnel` of type `smoothgrad` around `Saliency`. `values` are `[rows, row_len]`.
///
/// # Errors
/// [`Error::ExplainOption`] for no draws or a noise below 0; those of [`Explained::check`] and [`Explained::gradients`].
pub fn smooth_grad(model: &Explained, questions: &Questions, options: &SmoothGrad) -> Result<Attributions> {
    let rows = model.check(questions)?;
    let (row_len, draws) = (model.row_len(), options.draws);
    check(options)?;
    let deviations: Vec<f64> = questions
        .rows
        .chunks_exact(row_len)
        .map(|row| options.noise * range(row))
        .collect();
    let mut sums = vec![0.0f64; rows * row_len];
    model.gradients(
        rows * draws,
        |at, out| {
            let (row, draw) = (at / draws, at % draws);
            let rng = &mut Rng::derive(options.seed, &[row as u64, draw as u64]);
            for (out, &input) in out.iter_mut().zip(&questions.rows[row * row_len..]) {
                *out = (f64::from(input) + deviations[row] * rng.normal()) as f32;
            }
        },
        |at| questions.targets[at / draws],
        |at, _, gradient| {
            let sums = &mut sums[at / draws * row_len..][..row_len];
            for (sum, &value) in sums.iter_mut().zip(gradient) {
                *sum += f64::from(value.abs());
            }
        },
    )?;
    Ok(Attributions {
        values: sums.into_iter().map(|sum| (sum / draws as f64) as f32).collect(),
        scores: model.scores(questions)?,
        baseline_scores: None,
    })
}

fn check(options: &SmoothGrad) -> Result<()> {
    if options.draws == 0 {
        return Err(Error::ExplainOption {
            option: "draws",
            value: "0".to_owned(),
            expected: "at least 1",
        });
    }
    if !(options.noise.is_finite() && options.noise >= 0.0) {
        return Err(Error::ExplainOption {
            option: "noise",
            value: options.noise.to_string(),
            expected: "a share of the inputs' range, from 0 on",
        });
    }
    Ok(())
}

fn range(row: &[f32]) -> f64 {
    let (low, high) = row
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &v| {
            (low.min(v), high.max(v))
        });
    f64::from(high) - f64::from(low)
}
