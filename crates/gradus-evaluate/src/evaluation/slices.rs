//! Scores of parts of a data set.

use serde::{Deserialize, Serialize};

use super::{EvaluateOptions, RowContext, SliceColumn};
use crate::bootstrap::{self, GroupedCounts, Interval};
use crate::metrics::{Average, ClassCounts, ConfusionMatrix, LabelSet, accuracy, f1};
use crate::{Error, Estimate, Result};

/// A data set divided by one column, the worst part first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SliceTable {
    /// The column.
    pub column: String,
    /// Its parts, by the first figure, the worst first.
    pub slices: Vec<Slice>,
}

/// One part of a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// The column's value, or range of values.
    pub value: String,
    /// Number of samples.
    pub n: u64,
    /// Figures by name, the same for all parts.
    pub figures: Vec<Figure>,
}

/// A metric by its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Its name, as in `--metrics`.
    pub name: String,
    /// Its value and interval.
    #[serde(flatten)]
    pub estimate: Estimate,
}

/// Scores the parts of each column that the options name: `figures` scores the samples at some indices, with options
/// for these samples alone.
pub(super) fn tables(
    options: &EvaluateOptions,
    samples: usize,
    better: Better,
    figures: impl Fn(&[usize], &EvaluateOptions) -> Result<Vec<Figure>>,
) -> Result<Vec<SliceTable>> {
    let of_column = |column: &SliceColumn| {
        check_parts(column, samples)?;
        let mut slices = Vec::new();
        for (label, rows) in column.labels.iter().zip(column.members()) {
            if rows.is_empty() {
                continue;
            }
            let groups = options.rows.groups.as_deref();
            let part = EvaluateOptions {
                rows: RowContext {
                    slices: Vec::new(),
                    weights: None,
                    groups: groups.map(|groups| rows.iter().map(|&row| groups[row]).collect()),
                },
                ..options.clone()
            };
            slices.push(Slice {
                value: label.clone(),
                n: rows.len() as u64,
                figures: figures(&rows, &part)?,
            });
        }
        Ok(SliceTable::sorted(&column.name, slices, better))
    };
    options.rows.slices.iter().map(of_column).collect()
}

/// What the parts of classified samples are scored by.
const FIGURES: [&str; 2] = ["accuracy", "macro_f1"];

/// Classified samples; the slices have one entry per sample.
pub(super) struct Classified<'a> {
    pub(super) labels: &'a [i64],
    pub(super) predicted: &'a [i64],
    pub(super) num_classes: usize,
}

impl Classified<'_> {
    /// Scores each part. Macro-F1 covers the classes that occur in the part or are predicted there.
    pub(super) fn tables(&self, options: &EvaluateOptions) -> Result<Vec<SliceTable>> {
        tables(options, self.labels.len(), Better::Higher, |rows, part| {
            self.figures(rows, part)
        })
    }

    fn figures(&self, rows: &[usize], part: &EvaluateOptions) -> Result<Vec<Figure>> {
        let pick = |values: &[i64]| rows.iter().map(|&row| values[row]).collect::<Vec<i64>>();
        let (labels, predicted) = (pick(self.labels), pick(self.predicted));
        let matrix = ConfusionMatrix::from_labels(&labels, &predicted, self.num_classes)?;
        let statistics = |counts: &ClassCounts, out: &mut [f64]| {
            out[0] = accuracy(counts);
            out[1] = f1(counts, Average::Macro, LabelSet::Observed);
        };
        let mut values = [0.0; FIGURES.len()];
        statistics(&matrix.class_counts(), &mut values);
        let intervals = match (&part.bootstrap, &part.rows.groups) {
            (None, _) => Vec::new(),
            (Some(options), None) => bootstrap::intervals(&matrix, options, FIGURES.len(), statistics)?,
            (Some(options), Some(groups)) => {
                let counts = GroupedCounts::from_labels(&labels, &predicted, groups, self.num_classes)?;
                bootstrap::grouped_intervals(&counts, options, FIGURES.len(), statistics)?
            }
        };
        Ok(figures(&FIGURES, &values, &intervals))
    }
}

/// Estimates by name.
pub(super) fn named<const N: usize>(names: [&str; N], estimates: [Estimate; N]) -> Vec<Figure> {
    let figure = |(name, estimate): (&str, Estimate)| Figure {
        name: name.to_owned(),
        estimate,
    };
    names.into_iter().zip(estimates).map(figure).collect()
}

/// Names with their values and, if there are any, intervals.
fn figures(names: &[&str], values: &[f64], intervals: &[Interval]) -> Vec<Figure> {
    let figure = |(at, (name, &value)): (usize, (&&str, &f64))| Figure {
        name: (*name).to_owned(),
        estimate: Estimate {
            value,
            interval: intervals.get(at).copied(),
        },
    };
    names.iter().zip(values).enumerate().map(figure).collect()
}

/// Which way a figure is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Better {
    Higher,
    Lower,
}

impl SliceTable {
    fn sorted(column: &str, mut slices: Vec<Slice>, better: Better) -> SliceTable {
        let first = |slice: &Slice| slice.figures.first().map_or(0.0, |figure| figure.estimate.value);
        slices.sort_by(|a, b| match better {
            Better::Higher => first(a).total_cmp(&first(b)),
            Better::Lower => first(b).total_cmp(&first(a)),
        });
        SliceTable {
            column: column.to_owned(),
            slices,
        }
    }
}

fn check_parts(column: &SliceColumn, rows: usize) -> Result<()> {
    if column.parts.len() == rows {
        return Ok(());
    }
    Err(Error::LengthMismatch {
        left_name: "rows of the slicing column",
        left: column.parts.len(),
        right_name: "samples",
        right: rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_part_comes_first_and_parts_add_up() {
        let classified = Classified {
            labels: &[0, 0, 1, 1, 0, 1],
            predicted: &[0, 0, 1, 0, 1, 0],
            num_classes: 2,
        };
        let column = SliceColumn {
            name: "site".into(),
            labels: vec!["a".into(), "b".into()],
            parts: vec![0, 0, 0, 1, 1, 1],
        };
        let options = |column: &SliceColumn| EvaluateOptions {
            rows: RowContext {
                slices: vec![column.clone()],
                groups: None,
                weights: None,
            },
            ..EvaluateOptions::default()
        };
        let tables = classified.tables(&options(&column)).unwrap();
        let table = &tables[0];
        let values: Vec<_> = table
            .slices
            .iter()
            .map(|slice| (slice.value.as_str(), slice.n))
            .collect();
        assert_eq!(values, [("b", 3), ("a", 3)]);
        assert_eq!(table.slices[0].figures[0].estimate.value, 0.0);
        assert_eq!(table.slices[1].figures[1].estimate.value, 1.0);
        let short = SliceColumn {
            parts: vec![0],
            ..column
        };
        assert!(matches!(
            classified.tables(&options(&short)),
            Err(Error::LengthMismatch {
                left: 1,
                right: 6,
                ..
            })
        ));
    }
}
