//! Mean reciprocal rank.

use crate::Result;
use crate::metrics::input::{check_finite, check_flags, check_rows, check_weights, weighted_mean};
use crate::metrics::ranked_scores::Score;

/// 1 / (place of the first relevant document), the mean over queries, in [0, 1] (E. Voorhees, *The TREC-8 Question
/// Answering Track Report*, 1999). A document's place counts all documents that score at least as high, so equal scores
/// earn nothing. Queries without relevant documents count 0.
///
/// `relevance` (0 or 1) and `scores` are row-major, `[queries, documents]`; `weights` has one number per query.
///
/// # Errors
/// [`Error::Empty`](crate::Error::Empty), [`Error::LengthMismatch`](crate::Error::LengthMismatch), and
/// [`MetricError`](crate::metrics::MetricError) for flags, scores or weights that cannot be used.
///
/// ```
/// use gradus_evaluate::metrics::ranking::mean_reciprocal_rank;
/// assert_eq!(mean_reciprocal_rank(&[0, 1, 1], &[0.9, 0.2, 0.5], 3, None)?, 0.5);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn mean_reciprocal_rank<S: Score>(
    relevance: &[u8],
    scores: &[S],
    documents: usize,
    weights: Option<&[f64]>,
) -> Result<f64> {
    let queries = ("queries × documents", relevance.len() / documents.max(1));
    check_rows("relevance", relevance.len(), queries, documents)?;
    check_rows("scores", scores.len(), queries, documents)?;
    check_flags("relevance", relevance)?;
    check_finite("scores", scores)?;
    check_weights(weights, queries.1)?;
    let rows = relevance
        .chunks_exact(documents)
        .zip(scores.chunks_exact(documents));
    Ok(weighted_mean(
        rows.map(|(row, scores)| of_query(row, scores)),
        weights,
    ))
}

fn of_query<S: Score>(relevance: &[u8], scores: &[S]) -> f64 {
    let scores = || scores.iter().map(|&score| -> f64 { score.into() });
    let relevant = scores().zip(relevance).filter(|(_, flag)| **flag == 1);
    let best = relevant.map(|(score, _)| score).max_by(f64::total_cmp);
    best.map_or(0.0, |best| {
        1.0 / scores().filter(|&score| score >= best).count() as f64
    })
}
