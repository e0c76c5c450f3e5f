//! Brier score.

use super::input::{check_weights, weighted_mean};
use super::log_loss::check_class_probabilities;
use super::ranked_scores::Score;
use crate::Result;

/// Mean squared distance between the probabilities and the truth: scikit-learn's `brier_score_loss`. In [0, 2], and
/// halved into [0, 1] for two classes, where it is the mean of (probability of class 1 − truth)².
///
/// `probabilities` is row-major, `labels.len() × num_classes`.
///
/// # Errors
/// Those of [`log_loss`](super::log_loss()).
///
/// ```
/// use gradus_evaluate::metrics::brier_score;
/// let score = brier_score(&[0, 1], &[0.75, 0.25, 0.5, 0.5], 2, None)?;
/// assert_eq!(score, (0.0625 + 0.25) / 2.0);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn brier_score<S: Score>(
    labels: &[i64],
    probabilities: &[S],
    num_classes: usize,
    weights: Option<&[f64]>,
) -> Result<f64> {
    let distances = sample_brier_scores(labels, probabilities, num_classes)?;
    check_weights(weights, labels.len())?;
    Ok(weighted_mean(distances.into_iter(), weights))
}

/// What each sample adds to the mean of [`brier_score`].
pub(super) fn sample_brier_scores<S: Score>(
    labels: &[i64],
    probabilities: &[S],
    num_classes: usize,
) -> Result<Vec<f64>> {
    check_class_probabilities(labels, probabilities, num_classes)?;
    let halves = if num_classes <= 2 { 2.0 } else { 1.0 };
    let rows = labels.iter().zip(probabilities.chunks_exact(num_classes));
    let distances = rows.map(|(&label, row)| {
        let errors = row.iter().enumerate().map(|(class, &p)| {
            let truth = f64::from(class as i64 == label);
            (truth - p.into()).powi(2)
        });
        errors.sum::<f64>() / halves
    });
    Ok(distances.collect())
}
