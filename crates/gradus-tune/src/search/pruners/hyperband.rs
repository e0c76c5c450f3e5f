//! Hyperband: several successive halvings side by side.

use super::super::trial::{History, Trial};
use super::{SuccessiveHalving, Verdict};

/// Runs several [`SuccessiveHalving`]s at once that differ in where their first rung is, because nobody knows how early a
/// measurement tells anything; Optuna's `HyperbandPruner`.
///
/// Li and others, *Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization* (2018).
#[derive(Clone, Copy, Debug)]
pub struct Hyperband {
    /// Measurements to the first rung of the most impatient bracket, above 0. Default 1.
    pub min_resource: u64,
    /// Most measurements of a trial. Default `None`: one more than a complete trial has; nothing is stopped before there
    /// is one.
    pub max_resource: Option<u64>,
    /// As [`SuccessiveHalving::reduction_factor`]. Default 3.
    pub reduction_factor: u64,
}

impl Default for Hyperband {
    fn default() -> Hyperband {
        Hyperband {
            min_resource: 1,
            max_resource: None,
            reduction_factor: 3,
        }
    }
}

impl Hyperband {
    /// Judges a trial after its last measurement; `study` names the study, and with the trial's number decides its
    /// bracket.
    pub fn judge(&self, history: &History<'_>, trial: &Trial, study: &str) -> Verdict {
        let longest = history
            .complete()
            .filter_map(|trial| Some(trial.last()?.0 + 1))
            .max();
        let Some(most) = self.max_resource.or(longest) else {
            return Verdict::of(false);
        };
        let budgets = self.budgets(most);
        let bracket = bracket_of(&budgets, study, trial.number);
        let rivals: Vec<Trial> = history
            .trials
            .iter()
            .filter(|other| bracket_of(&budgets, study, other.number) == bracket)
            .cloned()
            .collect();
        let halving = SuccessiveHalving {
            min_resource: Some(self.min_resource),
            reduction_factor: self.reduction_factor,
            min_early_stopping_rate: bracket as u32,
        };
        halving.judge(history.direction, &rivals, trial)
    }

    /// How many trials each bracket gets, in proportion, the most impatient first.
    fn budgets(&self, most: u64) -> Vec<u64> {
        let factor = self.reduction_factor as f64;
        let ratio = most as f64 / self.min_resource as f64;
        let brackets = (ratio.ln() / factor.ln()).floor().max(0.0) as u64 + 1;
        let budget = |bracket: u64| {
            let s = brackets - 1 - bracket;
            (brackets as f64 * factor.powi(s as i32) / (s + 1) as f64).ceil() as u64
        };
        (0..brackets).map(budget).collect()
    }
}

/// The bracket of a trial: drawn by a hash of its name, in proportion to the budgets.
fn bracket_of(budgets: &[u64], study: &str, number: u64) -> usize {
    let hash = crc32fast::hash(format!("{study}_{number}").as_bytes());
    let mut place = u64::from(hash) % budgets.iter().sum::<u64>();
    for (bracket, &budget) in budgets.iter().enumerate() {
        if place < budget {
            return bracket;
        }
        place -= budget;
    }
    0
}
