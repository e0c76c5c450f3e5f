//! Rows in order of time, and where that order may be cut.

use super::error::SplitError;

/// Rows in order of time. Rows of one time stand in the file's order, and no cut parts them.
pub(super) struct TimeOrder {
    /// Row numbers, oldest first.
    pub rows: Vec<u32>,
    /// Places at which a later time begins than the one before; neither the start nor the end.
    cuts: Vec<usize>,
}

impl TimeOrder {
    /// Sorts rows by time.
    pub(super) fn new(times: &[f64]) -> Result<TimeOrder, SplitError> {
        if let Some(row) = times.iter().position(|time| time.is_nan()) {
            return Err(SplitError::NoTime { row });
        }
        let mut rows: Vec<u32> = (0..times.len() as u32).collect();
        let time = |place: usize, rows: &[u32]| times[rows[place] as usize];
        // −0 and 0 are one time, so they must not be ordered: the file's order decides.
        rows.sort_by(|&a, &b| {
            let (a, b) = (times[a as usize], times[b as usize]);
            a.partial_cmp(&b).unwrap_or(std::cmp::Ordering::Equal)
        });
        let cuts = (1..rows.len())
            .filter(|&place| time(place - 1, &rows) < time(place, &rows))
            .collect();
        Ok(TimeOrder { rows, cuts })
    }

    /// Different times.
    pub(super) fn times(&self) -> usize {
        self.cuts.len() + usize::from(!self.rows.is_empty())
    }

    /// The allowed cuts nearest to the wished ones (ascending), each later than the one before; `None` when there are
    /// too few.
    pub(super) fn nearest_cuts(&self, wished: &[usize]) -> Option<Vec<usize>> {
        let spare = self.cuts.len().checked_sub(wished.len())?;
        let mut chosen = Vec::with_capacity(wished.len());
        let mut first = 0;
        for (index, &wish) in wished.iter().enumerate() {
            // The last cut that leaves one for each later wish.
            let last = spare + index;
            let after = self.cuts.partition_point(|&cut| cut < wish).clamp(first, last);
            let before = after.saturating_sub(1).max(first);
            let distance = |cut: usize| self.cuts[cut].abs_diff(wish);
            let best = if distance(before) < distance(after) {
                before
            } else {
                after
            };
            chosen.push(self.cuts[best]);
            first = best + 1;
        }
        Some(chosen)
    }
}
