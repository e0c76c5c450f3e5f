//! Metrics of orders against scikit-learn's and SciPy's (`golden/make_ranking_metrics.py`).
#![cfg(test)]

use gradus_evaluate::metrics::ranking::{dcg, mean_average_precision, mean_reciprocal_rank, ndcg};
use serde::Deserialize;

use crate::metric_cases::{Comparison, cases, scaled, weights};

#[derive(Deserialize)]
struct Case {
    kind: String,
    documents: usize,
    relevance: Vec<i64>,
    scale: f64,
    scores: Vec<i64>,
    weights: Option<Vec<i64>>,
    k: Option<usize>,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    dcg: f64,
    ndcg: f64,
    ndcg_of_flags: f64,
    map: f64,
    mrr: f64,
}

#[test]
fn metrics_of_orders_equal_scikit_learn() {
    let mut found = Comparison::default();
    for (at, case) in cases::<Case>("ranking_metrics.json").iter().enumerate() {
        let name = |metric: &str| format!("case {at} ({}): {metric}", case.kind);
        let scores = &scaled(&case.scores, case.scale);
        let weights = weights(&case.weights);
        let (documents, k, weights, expected) = (case.documents, case.k, weights.as_deref(), &case.expected);
        // The script adds a half, so that scikit-learn takes the relevance for numbers.
        let graded: Vec<f64> = case
            .relevance
            .iter()
            .map(|&relevance| relevance as f64 + 0.5)
            .collect();
        let flags: Vec<u8> = case
            .relevance
            .iter()
            .map(|&relevance| u8::from(relevance > 0))
            .collect();
        let gain = dcg(&graded, scores, documents, k, weights);
        found.answer(&name("DCG"), gain, Some(expected.dcg));
        let share = ndcg(&graded, scores, documents, k, weights);
        found.answer(&name("NDCG"), share, Some(expected.ndcg));
        let share = ndcg(&flags, scores, documents, k, weights);
        found.answer(&name("NDCG of flags"), share, Some(expected.ndcg_of_flags));
        let precision = mean_average_precision(&flags, scores, documents, weights);
        found.answer(&name("MAP"), precision, Some(expected.map));
        let rank = mean_reciprocal_rank(&flags, scores, documents, weights);
        found.answer(&name("MRR"), rank, Some(expected.mrr));
    }
    found.finish(200 * 5);
}
