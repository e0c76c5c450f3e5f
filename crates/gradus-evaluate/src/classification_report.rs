//! Every metric of one set of predictions, with intervals, ready for JSON and for people.

use serde::{Deserialize, Serialize};

use crate::bootstrap::{self, BootstrapOptions, GroupedCounts, Interval};
use crate::metrics::{
    Average, ClassCounts, ConfusionMatrix, LabelSet, ZeroDivision, accuracy, f1, f1_per_class, precision,
    precision_per_class, recall, recall_per_class,
};
use crate::{Error, Result};

/// A metric and, unless intervals were not asked for, the interval around it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The metric on the samples as they are.
    pub value: f64,
    /// Bootstrap interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
}

/// Precision, recall and F1 averaged one way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Averages {
    /// Precision.
    pub precision: Estimate,
    /// Recall.
    pub recall: Estimate,
    /// F1.
    pub f1: Estimate,
}

/// The metrics of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassRow {
    /// Name of the class.
    pub label: String,
    /// Precision; 0 when the class is never predicted.
    pub precision: Estimate,
    /// Recall; 0 when the class never occurs.
    pub recall: Estimate,
    /// F1; 0 when the class neither occurs nor is predicted.
    pub f1: Estimate,
    /// Number of samples of the class.
    pub support: u64,
    /// Number of samples predicted as the class.
    pub predicted: u64,
}

/// How good a set of predictions is: scikit-learn's `classification_report`, with intervals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassificationReport {
    /// Number of samples.
    pub n: u64,
    /// Share of samples predicted correctly; also the micro-averaged precision, recall and F1.
    pub accuracy: Estimate,
    /// Plain means over the classes that `label_set` names.
    pub macro_average: Averages,
    /// Means weighted by support.
    pub weighted_average: Averages,
    /// One row per class, in the order of the labels.
    pub classes: Vec<ClassRow>,
    /// The classes that the macro averages cover.
    pub label_set: LabelSet,
    /// How the intervals were drawn; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap: Option<BootstrapOptions>,
}

/// Statistics ahead of the per-class ones: accuracy, then macro and weighted precision, recall and F1.
const GLOBAL: usize = 7;

/// Precision, recall and F1.
const PER_CLASS: usize = 3;

impl ClassificationReport {
    /// Scores a confusion matrix; `labels` are the names of its classes, `bootstrap: None` leaves intervals out.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] unless there is one label per class; [`Error::BootstrapOption`].
    pub fn new(
        matrix: &ConfusionMatrix,
        labels: &[String],
        label_set: LabelSet,
        bootstrap: Option<BootstrapOptions>,
    ) -> Result<Self> {
        Self::build(matrix, labels, label_set, bootstrap, |options, outputs| {
            bootstrap::intervals(matrix, options, outputs, |resampled, out| {
                write_statistics(resampled, label_set, out);
            })
        })
    }

    /// As [`Self::new`] for rows that come in groups, which are resampled whole; `groups` counts the rows of `matrix`.
    ///
    /// # Errors
    /// As [`Self::new`], and [`Error::StratifiedGroups`].
    pub fn with_groups(
        matrix: &ConfusionMatrix,
        groups: &GroupedCounts,
        labels: &[String],
        label_set: LabelSet,
        bootstrap: Option<BootstrapOptions>,
    ) -> Result<Self> {
        Self::build(matrix, labels, label_set, bootstrap, |options, outputs| {
            bootstrap::grouped_intervals(groups, options, outputs, |resampled, out| {
                write_statistics(resampled, label_set, out);
            })
        })
    }

    fn build(
        matrix: &ConfusionMatrix,
        labels: &[String],
        label_set: LabelSet,
        bootstrap: Option<BootstrapOptions>,
        draw: impl FnOnce(&BootstrapOptions, usize) -> Result<Vec<Interval>>,
    ) -> Result<Self> {
        let num_classes = matrix.num_classes();
        if labels.len() != num_classes {
            return Err(Error::LengthMismatch {
                left_name: "class labels",
                left: labels.len(),
                right_name: "the confusion matrix",
                right: num_classes,
            });
        }
        let counts = matrix.class_counts();
        let outputs = GLOBAL + PER_CLASS * num_classes;
        let mut values = vec![0.0; outputs];
        write_statistics(&counts, label_set, &mut values);
        let intervals = match &bootstrap {
            None => Vec::new(),
            Some(options) => draw(options, outputs)?,
        };
        let estimate = |i: usize| Estimate {
            value: values[i],
            interval: intervals.get(i).copied(),
        };
        Ok(Self {
            n: counts.total(),
            accuracy: estimate(0),
            macro_average: averages(&estimate, 1),
            weighted_average: averages(&estimate, 4),
            classes: class_rows(&counts, labels, &estimate),
            label_set,
            bootstrap,
        })
    }
}

fn averages(estimate: &impl Fn(usize) -> Estimate, first: usize) -> Averages {
    Averages {
        precision: estimate(first),
        recall: estimate(first + 1),
        f1: estimate(first + 2),
    }
}

fn class_rows(
    counts: &ClassCounts,
    labels: &[String],
    estimate: &impl Fn(usize) -> Estimate,
) -> Vec<ClassRow> {
    let row = |(class, label): (usize, &String)| {
        let Averages {
            precision,
            recall,
            f1,
        } = averages(estimate, GLOBAL + PER_CLASS * class);
        let (support, predicted) = (counts.support()[class], counts.predicted()[class]);
        ClassRow {
            label: label.clone(),
            precision,
            recall,
            f1,
            support,
            predicted,
        }
    };
    labels.iter().enumerate().map(row).collect()
}

/// All numbers of a report in one slice: [`GLOBAL`], then [`PER_CLASS`] for each class.
fn write_statistics(counts: &ClassCounts, label_set: LabelSet, out: &mut [f64]) {
    out[0] = accuracy(counts);
    for (slot, average) in [(1, Average::Macro), (4, Average::Weighted)] {
        out[slot] = precision(counts, average, label_set);
        out[slot + 1] = recall(counts, average, label_set);
        out[slot + 2] = f1(counts, average, label_set);
    }
    let per_class = [
        precision_per_class(counts, ZeroDivision::Zero),
        recall_per_class(counts, ZeroDivision::Zero),
        f1_per_class(counts, ZeroDivision::Zero),
    ];
    for (class, row) in out[GLOBAL..].chunks_exact_mut(PER_CLASS).enumerate() {
        for (value, metric) in row.iter_mut().zip(&per_class) {
            *value = metric[class];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("class {i}")).collect()
    }

    #[test]
    fn intervals_enclose_the_values() {
        let matrix = ConfusionMatrix::from_counts(vec![120, 14, 6, 9, 70, 21, 2, 5, 53], 3).unwrap();
        let report = ClassificationReport::new(
            &matrix,
            &names(3),
            LabelSet::Known,
            Some(BootstrapOptions::default()),
        )
        .unwrap();
        assert_eq!(report.n, 300);
        assert_eq!(report.accuracy.value, 0.81);
        assert_eq!(report.classes[1].support, 100);
        let mut estimates = vec![
            report.accuracy,
            report.macro_average.f1,
            report.weighted_average.recall,
        ];
        estimates.extend(
            report
                .classes
                .iter()
                .flat_map(|row| [row.precision, row.recall, row.f1]),
        );
        for estimate in estimates {
            let interval = estimate.interval.unwrap();
            assert!(
                interval.lower < estimate.value && estimate.value < interval.upper,
                "{estimate:?}"
            );
        }
    }

    #[test]
    fn survives_json() {
        let matrix = ConfusionMatrix::from_counts(vec![3, 1, 0, 4], 2).unwrap();
        for bootstrap in [None, Some(BootstrapOptions::default())] {
            let report =
                ClassificationReport::new(&matrix, &names(2), LabelSet::Observed, bootstrap).unwrap();
            let text = serde_json::to_string(&report).unwrap();
            let back: ClassificationReport = serde_json::from_str(&text).unwrap();
            assert_eq!(back.n, report.n);
            assert!((back.macro_average.f1.value - report.macro_average.f1.value).abs() < 1e-15);
        }
    }

    #[test]
    fn wants_one_label_per_class() {
        let matrix = ConfusionMatrix::from_counts(vec![3, 1, 0, 4], 2).unwrap();
        let result = ClassificationReport::new(&matrix, &names(3), LabelSet::Known, None);
        assert!(matches!(
            result,
            Err(Error::LengthMismatch {
                left: 3,
                right: 2,
                ..
            })
        ));
    }
}
