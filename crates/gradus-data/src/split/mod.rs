//! Divisions of the rows of a data set: into training, validation and test parts, and into folds.
//!
//! [`Shares`] makes the three parts at random, stratified by class, by whole groups, or along time. [`KFold`],
//! [`StratifiedKFold`], [`MultilabelKFold`], [`GroupKFold`], [`StratifiedGroupKFold`], [`LeaveOneOut`] and [`TimeSeriesSplit`] give
//! [`Folds`]. What they promise, and tests hold them to: each row is in exactly one part or test fold; classes differ by
//! at most one row from fold to fold; a group is never torn; nothing is trained on that is not strictly older than what
//! it is tested on. The rules, where there is a choice, are scikit-learn's `model_selection`; the random numbers are
//! not, so the rows differ.
//!
//! Everything here is a function of its arguments and the seed, on every machine. Nothing reads files or looks at
//! inputs: a caller gives labels, groups or times, one per row, and gets row numbers back, ascending.

mod classes;
mod controlled_rounding;
mod error;
mod folds;
mod group_k_fold;
mod hold_out;
mod k_fold;
mod leave_one_out;
mod multilabel_k_fold;
mod shares;
mod stratified_group_k_fold;
mod stratified_k_fold;
#[cfg(test)]
mod tests;
mod time_order;
mod time_series;

pub use error::SplitError;
pub use folds::{Fold, Folds, ScarceClass, repeat_seed};
pub use group_k_fold::GroupKFold;
pub use hold_out::{HoldOut, StratifiedSplit, split_stratified};
pub use k_fold::KFold;
pub use leave_one_out::LeaveOneOut;
pub use multilabel_k_fold::MultilabelKFold;
pub use shares::{Parts, Shares};
pub use stratified_group_k_fold::StratifiedGroupKFold;
pub use stratified_k_fold::StratifiedKFold;
pub use time_series::{TimeSeriesSplit, Window};

/// Streams of random numbers below a data seed, so that one seed serves several purposes.
const STREAM_HOLD_OUT: u64 = 1;
const STREAM_FOLDS: u64 = 2;
const STREAM_PARTS: u64 = 3;
const STREAM_REPEATS: u64 = 4;
