//! Learning-rate schedules: what the learning rate is at each optimiser step.
//!
//! Every schedule but [`ReduceOnPlateau`] is a pure function of time, so it needs no state, cannot drift, and resuming a
//! run asks only for the step number. One file per schedule; [`Schedule`] puts warm-up in front of any of them.
//!
//! **Units.** The learning rate is recomputed before every optimiser step. Lengths in a recipe (`step_size`, `total`,
//! `milestones`, …) are written in [`Unit`]s: epochs by default, or steps. Time runs smoothly inside an epoch, so
//! `exponential` with `gamma = 0.9` in epochs has lost half of its 10 % in the middle of the first one; `step` and
//! `multi_step` are the staircases. With `unit = "step"` each schedule equals its namesake in
//! `torch.optim.lr_scheduler` with `scheduler.step()` called after each optimiser step.

mod constant;
mod cosine;
mod cosine_restarts;
mod exponential;
mod linear;
mod multi_step;
mod one_cycle;
mod plateau;
mod polynomial;
mod schedule;
mod step;
mod warmup;

pub use constant::Constant;
pub use cosine::Cosine;
pub use cosine_restarts::CosineRestarts;
pub use exponential::Exponential;
pub use linear::Linear;
pub use multi_step::MultiStep;
pub use one_cycle::{Anneal, OneCycle};
pub use plateau::{PlateauState, ReduceOnPlateau, ThresholdMode};
pub use polynomial::Polynomial;
pub use schedule::{RunLength, Schedule, ScheduleConfig, ScheduleKind, Unit};
pub use step::StepDecay;
pub use warmup::Warmup;

/// A moment of a run as a schedule sees it, in the schedule's own unit, counted from the end of warm-up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Time passed; 0 at the first step after warm-up.
    pub time: f64,
    /// Length of the run without its warm-up.
    pub end: f64,
    /// Length of one optimiser step.
    pub tick: f64,
}

#[cfg(test)]
impl Moment {
    /// The moment after `step` steps of a run of `total` steps, counted in steps.
    fn at_step(step: u64, total: u64) -> Moment {
        Moment {
            time: step as f64,
            end: total as f64,
            tick: 1.0,
        }
    }
}
