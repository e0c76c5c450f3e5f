//! Mean average precision.

use crate::Result;
use crate::metrics::ranked_scores::Score;
use crate::metrics::{ScoreAverage, ScoreTable, average_precision_averaged};

/// [`average_precision`](crate::metrics::average_precision()) of each query's documents, the mean over queries, in [0, 1].
/// Queries without relevant documents count 0. It is scikit-learn's `average_precision_score` with `average="samples"`,
/// and its `label_ranking_average_precision_score` but for queries without relevant documents, which that counts as 1.
///
/// `relevance` (0 or 1) and `scores` are row-major, `[queries, documents]`; `weights` has one number per query.
///
/// # Errors
/// Those of [`ScoreTable::of_labels`].
///
/// ```
/// use gradus_evaluate::metrics::ranking::mean_average_precision;
/// assert_eq!(mean_average_precision(&[0, 1, 0, 1], &[0.9, 0.2, 0.1, 0.5], 2, None)?, 0.75);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn mean_average_precision<S: Score>(
    relevance: &[u8],
    scores: &[S],
    documents: usize,
    weights: Option<&[f64]>,
) -> Result<f64> {
    let table = ScoreTable::of_labels(relevance, scores, documents, weights)?;
    average_precision_averaged(&table, ScoreAverage::Samples)
}
