//! Saliency: the size of the gradient.

use super::{Attributions, Explained, Questions};
use crate::Result;

/// How strongly the explained output of each row changes with each input: `|d output / d input|` (Simonyan, Vedaldi and
/// Zisserman 2013), as Captum's `Saliency`. `values` are `[rows, row_len]`.
///
/// # Errors
/// Those of [`Explained::check`] and [`Explained::gradients`].
pub fn saliency(model: &Explained, questions: &Questions) -> Result<Attributions> {
    let rows = model.check(questions)?;
    let row_len = model.row_len();
    let mut values = Vec::with_capacity(rows * row_len);
    let mut scores = Vec::with_capacity(rows);
    model.gradients(
        rows,
        |row, out| out.copy_from_slice(&questions.rows[row * row_len..][..row_len]),
        |row| questions.targets[row],
        |_, score, gradient| {
            scores.push(score);
            values.extend(gradient.iter().map(|value| value.abs()));
        },
    )?;
    Ok(Attributions {
        values,
        scores,
        baseline_scores: None,
    })
}
