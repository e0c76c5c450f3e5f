//! What a cross-validation came to.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::division::Division;
use super::fold::FoldResult;
use super::interval::MeanInterval;

/// What a cross-validation came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crossval {
    /// How rows were divided.
    pub division: Division,
    /// Each figure over all folds.
    pub metrics: Vec<MetricSummary>,
    /// The folds, in order.
    pub folds: Vec<FoldResult>,
    /// The CSV file with what each fold's model predicted for the rows it never saw.
    pub predictions: PathBuf,
}

/// One figure over all folds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricSummary {
    /// The figure: `accuracy`, `macro_f1`, ….
    pub name: String,
    /// Mean, spread and intervals.
    #[serde(flatten)]
    pub interval: MeanInterval,
    /// The figure of each fold, in order.
    pub values: Vec<f64>,
}

impl Crossval {
    pub(super) fn new(division: &Division, folds: Vec<FoldResult>, predictions: PathBuf) -> Crossval {
        let share =
            |fold: &FoldResult| fold.test_rows as f64 / (fold.train_rows + fold.validation_rows) as f64;
        let test_share = folds.iter().map(share).sum::<f64>() / folds.len().max(1) as f64;
        let names = folds
            .first()
            .map(|fold| fold.metrics.as_slice())
            .unwrap_or_default();
        let metrics = names.iter().filter_map(|metric| {
            let values: Vec<f64> = folds.iter().filter_map(|fold| fold.value(&metric.name)).collect();
            let interval = MeanInterval::new(&values, test_share)?;
            let name = metric.name.clone();
            Some(MetricSummary {
                name,
                interval,
                values,
            })
        });
        Crossval {
            division: division.clone(),
            metrics: metrics.collect(),
            folds,
            predictions,
        }
    }

    /// A figure by its name.
    pub fn metric(&self, name: &str) -> Option<&MetricSummary> {
        self.metrics.iter().find(|metric| metric.name == name)
    }
}

impl FoldResult {
    /// A figure by its name.
    pub fn value(&self, name: &str) -> Option<f64> {
        let found = self.metrics.iter().find(|metric| metric.name == name);
        found.map(|metric| metric.value)
    }
}
