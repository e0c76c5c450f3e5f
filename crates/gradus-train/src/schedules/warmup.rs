//! The climb in front of a schedule.

use serde::{Deserialize, Serialize};

/// How many steps the learning rate climbs in a straight line before its schedule starts. At step 0 it is
/// `start_factor` times the schedule's first rate; at the last warm-up step's end, the schedule's own. Matches
/// `SequentialLR([LinearLR(start_factor, total_iters=steps), main], milestones=[steps])` of `torch.optim.lr_scheduler`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Warmup {
    /// Length in optimiser steps; 0 for none.
    pub steps: u64,
    /// Factor of the learning rate at step 0, between 0 and 1.
    pub start_factor: f64,
}

impl Warmup {
    /// The factor at `step`, or `None` once warm-up is over.
    pub fn factor(&self, step: u64) -> Option<f64> {
        let share = step as f64 / self.steps.max(1) as f64;
        (step < self.steps).then_some(self.start_factor + (1.0 - self.start_factor) * share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn climbs_in_a_straight_line_and_ends() {
        let warmup = Warmup {
            steps: 4,
            start_factor: 0.2,
        };
        let factors: Vec<f64> = (0..4)
            .map(|step| warmup.factor(step).expect("still warming up"))
            .collect();
        for (factor, expected) in factors.iter().zip([0.2, 0.4, 0.6, 0.8]) {
            assert!((factor - expected).abs() < 1e-12);
        }
        assert_eq!(warmup.factor(4), None);
        assert_eq!(
            Warmup {
                steps: 0,
                start_factor: 0.2
            }
            .factor(0),
            None
        );
    }
}
