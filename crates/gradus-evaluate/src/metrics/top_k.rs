//! Top-k accuracy.

use super::MetricError;
use super::confusion_matrix::check_labels;
use super::input::{check_finite, check_rows, check_weights, weighted_mean};
use super::ranked_scores::Score;
use crate::Result;

/// The share of samples whose true class is among the `k` with the highest scores, in [0, 1]: scikit-learn's
/// `top_k_accuracy_score`. Among equal scores the later class goes first; with two classes, the first class does.
///
/// `scores` is row-major, `labels.len() × num_classes`.
///
/// # Errors
/// Those of [`roc_auc`](super::roc_auc()) about its inputs, and [`MetricError::Parameter`] when `k` is 0.
///
/// ```
/// use gradus_evaluate::metrics::top_k_accuracy;
/// let scores = [0.5, 0.3, 0.2, 0.1, 0.7, 0.2];
/// assert_eq!(top_k_accuracy(&[1, 0], &scores, 3, 2, None)?, 0.5);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn top_k_accuracy<S: Score>(
    labels: &[i64],
    scores: &[S],
    num_classes: usize,
    k: usize,
    weights: Option<&[f64]>,
) -> Result<f64> {
    let hits = sample_hits(labels, scores, num_classes, k)?;
    check_weights(weights, labels.len())?;
    Ok(weighted_mean(hits.into_iter(), weights))
}

/// 1 for each sample whose true class is among the `k` with the highest scores, else 0.
pub(super) fn sample_hits<S: Score>(
    labels: &[i64],
    scores: &[S],
    num_classes: usize,
    k: usize,
) -> Result<Vec<f64>> {
    if k == 0 {
        return Err(MetricError::Parameter {
            metric: "top_k_accuracy",
            name: "k",
            value: 0.0,
            expected: "at least 1",
        }
        .into());
    }
    check_rows(
        "scores",
        scores.len(),
        ("labels × classes", labels.len()),
        num_classes,
    )?;
    check_labels("true labels", labels, num_classes)?;
    check_finite("scores", scores)?;
    let rows = labels.iter().zip(scores.chunks_exact(num_classes));
    let hits = rows.map(|(&label, row)| f64::from(rank(row, label as usize) < k));
    Ok(hits.collect())
}

/// How many classes go before `label`.
fn rank<S: Score>(row: &[S], label: usize) -> usize {
    let own: f64 = row[label].into();
    let before = |(class, &score): (usize, &S)| {
        let score: f64 = score.into();
        let goes_first = if row.len() == 2 {
            class < label
        } else {
            class > label
        };
        score > own || (score == own && goes_first)
    };
    row.iter().enumerate().filter(|&entry| before(entry)).count()
}
