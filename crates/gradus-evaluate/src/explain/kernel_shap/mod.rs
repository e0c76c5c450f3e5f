//! Kernel SHAP: each feature's fair share of the change from a baseline.

mod coalitions;
mod least_squares;

use serde::{Deserialize, Serialize};

use self::coalitions::Coalitions;
use super::{Attributions, Explained, Features, Questions};
use crate::{Error, Result};

/// How many coalitions of features are asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KernelShap {
    /// Coalitions for each row; `None`, the default, takes `2 × features + 2048`, as the `shap` package does. With room for
    /// all of them the answer is exact; otherwise as many whole sizes as fit are taken, from the smallest and the largest
    /// on, and the rest are drawn in complementary pairs.
    pub coalitions: Option<usize>,
    /// Where the draws start. The same seed gives the same attributions.
    pub seed: u64,
}

/// Shapley values of each row's features (Lundberg and Lee 2017): of the explained output's change from the mean over
/// `background` (one row or more, which stand in for what is absent) to the row. They sum to the change. `values` are
/// `[rows, features]`.
///
/// Which features are present in a coalition takes its inputs from the row, and the rest from each background row in turn.
/// The values solve the least squares of the Shapley kernel under the constraint that they sum to the change.
///
/// # Errors
/// [`Error::LengthMismatch`] for a background or groups of another model, [`Error::TooFewCoalitions`] where the coalitions do
/// not tell all features apart; those of [`Explained::check`] and [`Explained::evaluate`].
pub fn kernel_shap(
    model: &Explained,
    questions: &Questions,
    background: &[f32],
    features: &Features,
    options: &KernelShap,
) -> Result<Attributions> {
    let rows = model.check(questions)?;
    check_rows(model, background, features)?;
    let budget = options.coalitions.unwrap_or(2 * features.len() + 2048);
    let scores = model.scores(questions)?;
    let baseline_scores = model.baseline_scores(questions, background)?;
    let coalitions = Coalitions::new(features.len(), budget, options.seed);
    let game = Game {
        model,
        background,
        features,
        coalitions: &coalitions,
    };
    let mut values = Vec::with_capacity(rows * features.len());
    for row in 0..rows {
        let change = scores[row] - baseline_scores[row];
        let target = questions.targets[row];
        let input = &questions.rows[row * model.row_len()..][..model.row_len()];
        let mut gains = game.worths(input, target)?;
        gains.iter_mut().for_each(|gain| *gain -= baseline_scores[row]);
        let shares = least_squares::shares(&coalitions, &gains, change).ok_or(Error::TooFewCoalitions {
            samples: coalitions.len(),
            features: features.len(),
        })?;
        values.extend(shares.into_iter().map(|share| share as f32));
    }
    Ok(Attributions {
        values,
        scores,
        baseline_scores: Some(baseline_scores),
    })
}

fn check_rows(model: &Explained, background: &[f32], features: &Features) -> Result<()> {
    let row_len = model.row_len();
    if background.is_empty() || !background.len().is_multiple_of(row_len) {
        return Err(Error::LengthMismatch {
            left_name: "the background",
            left: background.len(),
            right_name: "whole rows of inputs",
            right: background.len().next_multiple_of(row_len).max(row_len),
        });
    }
    match features.group_of().len() == row_len {
        true => Ok(()),
        false => Err(Error::LengthMismatch {
            left_name: "the features' inputs",
            left: features.group_of().len(),
            right_name: "a row of inputs",
            right: row_len,
        }),
    }
}

/// The cooperative game of one row's features.
struct Game<'a> {
    model: &'a Explained<'a>,
    background: &'a [f32],
    features: &'a Features,
    coalitions: &'a Coalitions,
}

impl Game<'_> {
    /// The output of each coalition, as the mean over the background.
    fn worths(&self, input: &[f32], target: usize) -> Result<Vec<f64>> {
        let row_len = input.len();
        let count = self.background.len() / row_len;
        let mut worths = vec![0.0f64; self.coalitions.len()];
        self.model.evaluate(
            worths.len() * count,
            |at, out| {
                let members = self.coalitions.members(at / count);
                let absent = &self.background[at % count * row_len..][..row_len];
                let sources = self.features.group_of().iter().zip(input).zip(absent);
                for (out, ((&group, &present), &absent)) in out.iter_mut().zip(sources) {
                    *out = if members[group] { present } else { absent };
                }
            },
            |at, outputs| worths[at / count] += f64::from(outputs[target]) / count as f64,
        )?;
        Ok(worths)
    }
}
