//! Normalised discounted cumulative gain.

use crate::metrics::MetricError;
use crate::metrics::input::{check_finite, check_rows, check_weights, weighted_mean};
use crate::metrics::ranked_scores::Score;
use crate::{Error, Result};

/// Relevance found, divided by what the best order finds, in [0, 1]; the mean over queries: scikit-learn's `ndcg_score`.
/// A document at place i counts 1 / log₂(i + 1); documents with equal scores count as the mean over their orders. Queries
/// without relevant documents count 0.
///
/// `relevance` (not negative) and `scores` are row-major, `[queries, documents]`; only the first `k` places count, all
/// without `k`. `weights` has one number per query.
///
/// # Errors
/// [`Error::Empty`], [`Error::LengthMismatch`], [`Error::NotInRange`] for a negative relevance, [`MetricError`] for numbers
/// that are not finite, weights that cannot be used, `k` 0, and fewer than two documents.
///
/// ```
/// use gradus_evaluate::metrics::ranking::ndcg;
/// assert_eq!(ndcg(&[0.0, 1.0, 2.0], &[0.1, 0.2, 0.3], 3, None, None)?, 1.0);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn ndcg<R: Score, S: Score>(
    relevance: &[R],
    scores: &[S],
    documents: usize,
    k: Option<usize>,
    weights: Option<&[f64]>,
) -> Result<f64> {
    if documents == 1 {
        return Err(MetricError::Undefined {
            metric: "ndcg",
            reason: "a query has only one document",
        }
        .into());
    }
    let negative = |relevance: &&R| Into::<f64>::into(**relevance) < 0.0;
    if let Some(index) = relevance.iter().position(|relevance| negative(&relevance)) {
        return Err(Error::NotInRange {
            what: "relevance",
            index,
            value: relevance[index].into(),
            low: 0.0,
            high: f64::MAX,
        });
    }
    let share = |row: &[R], scores: &[S], discounts: &[f64]| {
        let mut best: Vec<f64> = row.iter().map(|&relevance| relevance.into()).collect();
        best.sort_unstable_by(|left, right| right.total_cmp(left));
        let best: f64 = best
            .iter()
            .zip(discounts)
            .map(|(gain, discount)| gain * discount)
            .sum();
        if best == 0.0 {
            0.0
        } else {
            gain(row, scores, discounts) / best
        }
    };
    mean("ndcg", (relevance, scores, documents), k, weights, share)
}

/// Discounted cumulative gain, as in [`ndcg`] but not divided: scikit-learn's `dcg_score`. Relevance may be negative.
///
/// # Errors
/// Those of [`ndcg`].
pub fn dcg<R: Score, S: Score>(
    relevance: &[R],
    scores: &[S],
    documents: usize,
    k: Option<usize>,
    weights: Option<&[f64]>,
) -> Result<f64> {
    mean("dcg", (relevance, scores, documents), k, weights, gain)
}

/// Checks the input, and averages what `of_query` makes of a query's relevances, scores and discounts.
fn mean<R: Score, S: Score>(
    metric: &'static str,
    (relevance, scores, documents): (&[R], &[S], usize),
    k: Option<usize>,
    weights: Option<&[f64]>,
    of_query: impl Fn(&[R], &[S], &[f64]) -> f64,
) -> Result<f64> {
    let queries = ("queries × documents", relevance.len() / documents.max(1));
    check_rows("relevance", relevance.len(), queries, documents)?;
    check_rows("scores", scores.len(), queries, documents)?;
    check_finite("relevance", relevance)?;
    check_finite("scores", scores)?;
    check_weights(weights, queries.1)?;
    if k == Some(0) {
        return Err(MetricError::Parameter {
            metric,
            name: "k",
            value: 0.0,
            expected: "at least 1",
        }
        .into());
    }
    let counted = k.unwrap_or(documents);
    let discount = |place: usize| {
        let counts = f64::from(place < counted);
        counts / (place as f64 + 2.0).log2()
    };
    let discounts: Vec<f64> = (0..documents).map(discount).collect();
    let rows = relevance
        .chunks_exact(documents)
        .zip(scores.chunks_exact(documents));
    Ok(weighted_mean(
        rows.map(|(row, scores)| of_query(row, scores, &discounts)),
        weights,
    ))
}

/// The gain of one query, averaged over the orders of equal scores.
fn gain<R: Score, S: Score>(relevance: &[R], scores: &[S], discounts: &[f64]) -> f64 {
    let mut ranked: Vec<(f64, f64)> = scores
        .iter()
        .zip(relevance)
        .map(|(&score, &relevance)| (score.into(), relevance.into()))
        .collect();
    ranked.sort_by(|left, right| right.0.partial_cmp(&left.0).unwrap_or(std::cmp::Ordering::Equal));
    let (mut place, mut sum) = (0, 0.0);
    for tied in ranked.chunk_by(|left, right| left.0 == right.0) {
        let relevance: f64 = tied.iter().map(|entry| entry.1).sum();
        let discount: f64 = discounts[place..place + tied.len()].iter().sum();
        sum += relevance / tied.len() as f64 * discount;
        place += tied.len();
    }
    sum
}
