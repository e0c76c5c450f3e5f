//! Folds that only ever look back.

use std::ops::Range;

use super::error::SplitError;
use super::folds::Folds;
use super::time_order::TimeOrder;
use crate::error::Result;

/// `folds` folds along time: each is tested on rows that are later than all it is trained on, and later than what the
/// fold before was tested on. Without ties the rows are those of scikit-learn's `TimeSeriesSplit` on sorted data; rows
/// of one time are never parted, for which a test fold's borders move to the nearest change of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSeriesSplit {
    /// Number of folds, at least 2, and fewer than there are different times.
    pub folds: usize,
    /// What of the past is trained on.
    pub window: Window,
    /// Rows left out between what is trained on and what is tested on. Default 0.
    pub gap: usize,
    /// Rows tested on by each fold; `None` gives the folds and the first training rows the same number.
    pub test_rows: Option<usize>,
}

/// What of the past a fold is trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// All of it: later folds are trained on more.
    Expanding,
    /// The latest rows, at most this many; `None` takes as many as the first fold has.
    Sliding {
        /// Rows trained on.
        rows: Option<usize>,
    },
}

impl TimeSeriesSplit {
    /// An expanding window without a gap.
    pub fn new(folds: usize) -> TimeSeriesSplit {
        TimeSeriesSplit {
            folds,
            window: Window::Expanding,
            gap: 0,
            test_rows: None,
        }
    }

    /// Divides rows by their `times`, in any order.
    ///
    /// # Errors
    /// When a time is NaN, there are fewer than 2 folds or not more different times than folds, or a fold would have
    /// nothing to train on.
    pub fn split(&self, times: &[f64]) -> Result<Folds> {
        let order = TimeOrder::new(times)?;
        let starts = self.test_starts(&order)?;
        let rows = order.rows.len();
        let mut windows: Vec<(Range<usize>, Range<usize>)> = Vec::with_capacity(self.folds);
        for (fold, &start) in starts.iter().enumerate() {
            let end = starts.get(fold + 1).copied().unwrap_or(rows);
            let train_end = start.saturating_sub(self.gap);
            if train_end == 0 {
                let (before, gap) = (start, self.gap);
                return Err(SplitError::NothingToTrainOn { fold, before, gap }.into());
            }
            let first_len = windows.first().map_or(train_end, |(train, _)| train.len());
            let train_start = match self.window {
                Window::Expanding => 0,
                Window::Sliding { rows } => train_end.saturating_sub(rows.unwrap_or(first_len)),
            };
            windows.push((train_start..train_end, start..end));
        }
        Ok(Folds::windows(order.rows, windows))
    }

    /// Where the test rows of each fold start in the order of time.
    fn test_starts(&self, order: &TimeOrder) -> Result<Vec<usize>, SplitError> {
        let (folds, rows) = (self.folds, order.rows.len());
        if folds < 2 {
            return Err(SplitError::TooFewFolds { folds });
        }
        let sliding_over_none = matches!(self.window, Window::Sliding { rows: Some(0) });
        if sliding_over_none || self.test_rows == Some(0) {
            let field = if sliding_over_none {
                "rows of the window"
            } else {
                "test_rows"
            };
            return Err(SplitError::ZeroSize { field });
        }
        let too_many = |needed, found, unit| SplitError::TooManyFolds {
            folds,
            needed,
            found,
            unit,
        };
        if order.times() <= folds {
            return Err(too_many(folds + 1, order.times(), "different times"));
        }
        let test_rows = self.test_rows.unwrap_or(rows / (folds + 1));
        let tested = folds.saturating_mul(test_rows);
        if tested >= rows {
            return Err(too_many(tested.saturating_add(1), rows, "rows"));
        }
        let wished: Vec<usize> = (0..folds).map(|fold| rows - (folds - fold) * test_rows).collect();
        order
            .nearest_cuts(&wished)
            .ok_or_else(|| too_many(folds + 1, order.times(), "different times"))
    }
}
