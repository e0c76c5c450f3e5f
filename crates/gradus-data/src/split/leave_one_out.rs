//! As many folds as rows.

use super::folds::Folds;
use super::k_fold::KFold;
use crate::error::Result;

/// Each row is tested once by what all the others teach, as scikit-learn's `LeaveOneOut`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaveOneOut;

impl LeaveOneOut {
    /// Divides `rows` rows.
    ///
    /// # Errors
    /// When there are fewer than 2.
    pub fn split(&self, rows: usize) -> Result<Folds> {
        KFold {
            folds: rows,
            seed: None,
        }
        .split(rows)
    }
}
