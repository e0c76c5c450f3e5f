//! How rows become folds.

use gradus_data::split::{
    Folds, GroupKFold, KFold, LeaveOneOut, MultilabelKFold, StratifiedGroupKFold, StratifiedKFold,
    TimeSeriesSplit, Window, repeat_seed,
};
use gradus_data::{DataConfig, Targets, Unprepared};
use serde::{Deserialize, Serialize};

use crate::Result;

/// A rule that divides the rows of a data set into folds; see [`gradus_data::split`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Division {
    /// By chance, into folds of equal size.
    Random {
        /// Number of folds.
        folds: usize,
    },
    /// By chance, with the same share of each class, or of each label, in every fold.
    Stratified {
        /// Number of folds.
        folds: usize,
    },
    /// Rows with the same cell of a column stay together. The column is no input of the model.
    Group {
        /// Number of folds.
        folds: usize,
        /// The column.
        column: String,
        /// Whether classes are balanced as far as the groups allow.
        stratify: bool,
    },
    /// Each fold is tested on what came after all it was trained on. The column is no input of the model.
    Time {
        /// Number of folds.
        folds: usize,
        /// The column with the time.
        column: String,
        /// Whether a fold is trained on as much as the first one, instead of on all of the past.
        sliding: bool,
        /// Rows left out between training and test rows.
        gap: usize,
    },
    /// Each row is tested alone.
    LeaveOneOut,
}

impl Division {
    /// The folds of one repetition.
    pub(super) fn divide(&self, samples: &Unprepared, seed_of_all: u64, repeat: usize) -> Result<Folds> {
        let seed = Some(repeat_seed(seed_of_all, repeat));
        Ok(match self {
            &Division::Random { folds } => KFold { folds, seed }.split(samples.len())?,
            &Division::Stratified { folds } => stratified(samples, folds, repeat_seed(seed_of_all, repeat))?,
            Division::Group {
                folds,
                column,
                stratify,
            } => {
                let (folds, groups) = (*folds, samples.groups(column)?);
                match stratify {
                    true => StratifiedGroupKFold { folds, seed }.split(&samples.strata(), &groups)?,
                    false => GroupKFold { folds, seed }.split(&groups)?,
                }
            }
            Division::Time {
                folds,
                column,
                sliding,
                gap,
            } => {
                let window = match sliding {
                    true => Window::Sliding { rows: None },
                    false => Window::Expanding,
                };
                let splitter = TimeSeriesSplit {
                    window,
                    gap: *gap,
                    ..TimeSeriesSplit::new(*folds)
                };
                splitter.split(&samples.times(column)?)?
            }
            Division::LeaveOneOut => LeaveOneOut.split(samples.len())?,
        })
    }

    /// The data without the column that divides it among the inputs: a model that sees whom a row belongs to, or when it
    /// was, learns what no new row has.
    pub(super) fn without_dividing_columns(&self, data: &DataConfig) -> DataConfig {
        let mut data = data.clone();
        if let Division::Group { column, .. } | Division::Time { column, .. } = self {
            let is_target = data.label.as_ref() == Some(column) || data.labels.contains(column);
            if !is_target && !data.drop.contains(column) {
                data.drop.push(column.clone());
            }
            data.categorical.retain(|name| name != column);
        }
        data
    }

    /// What it is called, for people.
    pub fn describe(&self) -> String {
        match self {
            Division::Random { folds } => format!("{folds} random folds"),
            Division::Stratified { folds } => format!("{folds} stratified folds"),
            Division::Group {
                folds,
                column,
                stratify: false,
            } => format!("{folds} folds of whole `{column}`"),
            Division::Group {
                folds,
                column,
                stratify: true,
            } => {
                format!("{folds} stratified folds of whole `{column}`")
            }
            Division::Time {
                folds,
                column,
                sliding,
                ..
            } => {
                let window = if *sliding { "a sliding" } else { "an expanding" };
                format!("{folds} folds along `{column}` with {window} window")
            }
            Division::LeaveOneOut => "each row left out once".to_owned(),
        }
    }
}

fn stratified(samples: &Unprepared, folds: usize, seed: u64) -> Result<Folds> {
    Ok(match samples.targets() {
        Targets::Labels { flags, names } => MultilabelKFold { folds, seed }.split(flags, names.len())?,
        Targets::Classes { .. } | Targets::Values { .. } => {
            let seed = Some(seed);
            StratifiedKFold { folds, seed }.split(&samples.strata())?
        }
    })
}
