//! Asynchronous successive halving.

use super::super::trial::{Trial, loss};
use super::Verdict;
use gradus_train::exact::ExactF64;
use gradus_train::monitor::Direction;

/// Where complete trials' lengths set the first rung: this share of the longest.
const AUTO_SHARE: u64 = 100;

/// Lets the best share of the trials pass each rung, and has the rungs ever further apart; Optuna's
/// `SuccessiveHalvingPruner`.
///
/// Li and others, *A System for Massively Parallel Hyperparameter Tuning* (2020).
#[derive(Clone, Copy, Debug)]
pub struct SuccessiveHalving {
    /// Measurements to the first rung, above 0. Default `None`: a hundredth of what a complete trial has, at least one;
    /// nothing is stopped before there is one.
    pub min_resource: Option<u64>,
    /// Of so many trials one passes; each rung is so many times as far as the one before. Default 4.
    pub reduction_factor: u64,
    /// First rungs that are left out. Default 0.
    pub min_early_stopping_rate: u32,
}

impl Default for SuccessiveHalving {
    fn default() -> SuccessiveHalving {
        SuccessiveHalving {
            min_resource: None,
            reduction_factor: 4,
            min_early_stopping_rate: 0,
        }
    }
}

impl SuccessiveHalving {
    /// Judges a trial after its last measurement, against `trials`.
    pub fn judge(&self, direction: Direction, trials: &[Trial], trial: &Trial) -> Verdict {
        let Some((index, value)) = trial.last() else {
            return Verdict::of(false);
        };
        let Some(first) = self.min_resource.or_else(|| estimated_resource(trials)) else {
            return Verdict::of(false);
        };
        let mut verdict = Verdict::of(false);
        loop {
            let rung = trial.rungs.len() + verdict.rungs.len();
            let power = self.min_early_stopping_rate.saturating_add(rung as u32);
            if index < first.saturating_mul(self.reduction_factor.saturating_pow(power)) {
                return verdict;
            }
            if value.is_nan() {
                verdict.prune = true;
                return verdict;
            }
            verdict.rungs.push(ExactF64(value));
            let others = trials
                .iter()
                .filter(|other| other.number != trial.number)
                .filter_map(|other| other.rungs.get(rung));
            let mut rivals: Vec<f64> = others
                .map(|value| loss(direction, value.0))
                .chain([loss(direction, value)])
                .collect();
            rivals.sort_by(f64::total_cmp);
            // While there are too few to choose from, the best passes.
            let passing = (rivals.len() / self.reduction_factor as usize).max(1);
            if loss(direction, value) > rivals[passing - 1] {
                verdict.prune = true;
                return verdict;
            }
        }
    }
}

fn estimated_resource(trials: &[Trial]) -> Option<u64> {
    let complete = trials.iter().filter(|trial| trial.value().is_some());
    let longest = complete.filter_map(|trial| Some(trial.last()?.0)).max()?;
    Some((longest / AUTO_SHARE).max(1))
}
