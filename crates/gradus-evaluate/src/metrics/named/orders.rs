//! Metrics of orders of documents.

use super::statistic::Statistic;
use crate::Result;
use crate::metrics::ranking::{mean_average_precision, mean_reciprocal_rank, ndcg};

/// Relevances and scores of the documents of queries; what has a relevance above 0 is relevant.
pub(crate) struct Orders<'a> {
    relevance: &'a [f64],
    scores: &'a [f64],
    documents: usize,
    flags: Vec<u8>,
}

/// Makes a metric ready.
pub(super) type OfOrders = for<'a> fn(&'a Orders<'_>) -> Result<Statistic<'a>>;

impl<'a> Orders<'a> {
    pub(super) fn new(relevance: &'a [f64], scores: &'a [f64], documents: usize) -> Self {
        let relevant = |&relevance: &f64| u8::from(relevance > 0.0);
        Self {
            relevance,
            scores,
            documents,
            flags: relevance.iter().map(relevant).collect(),
        }
    }

    /// Number of queries.
    pub(super) fn len(&self) -> usize {
        self.relevance.len() / self.documents.max(1)
    }

    pub(super) fn ndcg(&self) -> Result<Statistic<'_>> {
        Ok(Statistic::rows(|weights| {
            ndcg(self.relevance, self.scores, self.documents, None, weights)
        }))
    }

    pub(super) fn mean_reciprocal_rank(&self) -> Result<Statistic<'_>> {
        Ok(Statistic::rows(|weights| {
            mean_reciprocal_rank(&self.flags, self.scores, self.documents, weights)
        }))
    }

    pub(super) fn mean_average_precision(&self) -> Result<Statistic<'_>> {
        Ok(Statistic::rows(|weights| {
            mean_average_precision(&self.flags, self.scores, self.documents, weights)
        }))
    }
}
