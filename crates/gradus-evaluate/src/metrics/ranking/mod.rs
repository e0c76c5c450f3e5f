//! How good an order of documents is: one row of relevances and scores per query.

mod mean_average_precision;
mod mean_reciprocal_rank;
mod ndcg;

pub use mean_average_precision::mean_average_precision;
pub use mean_reciprocal_rank::mean_reciprocal_rank;
pub use ndcg::{dcg, ndcg};
