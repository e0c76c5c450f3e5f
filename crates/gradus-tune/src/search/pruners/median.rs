//! Stopping what is below the median.

use super::super::trial::{History, Trial, loss};

/// Stops a trial whose best measurement so far is worse than the median of complete trials at the same place; Optuna's
/// `MedianPruner`.
#[derive(Clone, Copy, Debug)]
pub struct Median {
    /// Complete trials before any is stopped. Default 5.
    pub startup_trials: usize,
    /// Measurements of a trial before it may be stopped; the one after them is the first that counts. Default 0.
    pub warmup: u64,
}

impl Default for Median {
    fn default() -> Median {
        Median {
            startup_trials: 5,
            warmup: 0,
        }
    }
}

impl Median {
    /// Whether the trial is to be stopped after its last measurement.
    pub fn prunes(&self, history: &History<'_>, trial: &Trial) -> bool {
        let Some((index, _)) = trial.last() else {
            return false;
        };
        let complete: Vec<&Trial> = history.complete().collect();
        if complete.is_empty() || complete.len() < self.startup_trials || index < self.warmup {
            return false;
        }
        let direction = history.direction;
        let values = trial.measurements.iter().map(|measurement| measurement.value.0);
        let best = values
            .filter(|value| !value.is_nan())
            .map(|value| loss(direction, value))
            .reduce(f64::min);
        let Some(best) = best else { return true };
        let mut others: Vec<f64> = complete
            .iter()
            .filter_map(|other| other.at(index))
            .filter(|value| !value.is_nan())
            .map(|value| loss(direction, value))
            .collect();
        others.sort_by(f64::total_cmp);
        let middle = others.len() / 2;
        let median = match others.len() {
            0 => return false,
            count if count % 2 == 1 => others[middle],
            _ => others[middle - 1] + (others[middle] - others[middle - 1]) * 0.5,
        };
        best > median
    }
}
