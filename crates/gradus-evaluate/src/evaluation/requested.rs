//! Metrics that were asked for by name, with intervals, of any task.

use serde::{Deserialize, Serialize};

use super::task::MAX_WALKED;
use super::{EvaluateOptions, Figure, row_sample};
use crate::bootstrap::{BootstrapOptions, GroupedCounts, Interval, RowSample};
use crate::bootstrap::{grouped_intervals, intervals, row_intervals};
use crate::metrics::{Answers, ClassCounts, ConfusionMatrix, Counted, Statistic, check_weights};
use crate::{Error, Estimate, Result};

/// The metrics that [`EvaluateOptions::metrics`] names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestedMetrics {
    /// In the order in which they were named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Figure>,
    /// The column that says what each sample weighs in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_weight: Option<String>,
}

/// Computes the metrics of some answers, and draws their intervals.
pub(super) fn requested(answers: &Answers<'_>, options: &EvaluateOptions) -> Result<RequestedMetrics> {
    if options.metrics.is_empty() {
        return Ok(RequestedMetrics::default());
    }
    let checked = answers.check()?;
    let weights = options.rows.weights.as_ref();
    let weighing = weights.map(|weights| weights.values.as_slice());
    check_weights(weighing, checked.len())?;
    let statistics: Vec<Statistic<'_>> = options
        .metrics
        .iter()
        .map(|metric| metric.statistic(&checked))
        .collect::<Result<_>>()?;
    let intervals = match &options.bootstrap {
        None => vec![None; statistics.len()],
        Some(bootstrap) => {
            let labels = match answers {
                Answers::Classes { truth, .. } => *truth,
                Answers::Labels { .. } | Answers::Values { .. } | Answers::Orders { .. } => &[],
            };
            let sample = match labels {
                [] => sample_of(checked.len(), options)?,
                labels => row_sample(labels, options, bootstrap)?,
            };
            let drawn = Drawn {
                sample,
                bootstrap,
                groups: options.rows.groups.as_deref(),
                weights: weighing,
            };
            drawn.intervals(&statistics)?
        }
    };
    let figures = options.metrics.iter().zip(&statistics).zip(intervals);
    let figure = |((metric, statistic), interval): ((_, &Statistic<'_>), _)| {
        Ok(Figure {
            name: ToString::to_string(metric),
            estimate: Estimate {
                value: statistic.value(weighing)?,
                interval,
            },
        })
    };
    Ok(RequestedMetrics {
        metrics: figures.map(figure).collect::<Result<_>>()?,
        sample_weight: weights.map(|weights| weights.column.clone()),
    })
}

/// What a resample of samples draws, when there are no classes to be strata.
pub(super) fn sample_of(samples: usize, options: &EvaluateOptions) -> Result<RowSample> {
    match &options.rows.groups {
        Some(groups) if groups.len() != samples => Err(Error::LengthMismatch {
            left_name: "groups",
            left: groups.len(),
            right_name: "the data set's samples",
            right: samples,
        }),
        Some(groups) => RowSample::grouped(groups),
        None => RowSample::new(samples),
    }
}

/// How resamples are drawn.
struct Drawn<'a> {
    sample: RowSample,
    bootstrap: &'a BootstrapOptions,
    groups: Option<&'a [u64]>,
    weights: Option<&'a [f64]>,
}

impl Drawn<'_> {
    /// One interval per statistic, from counts where it is a function of counts and no sample weighs more than another.
    fn intervals(&self, statistics: &[Statistic<'_>]) -> Result<Vec<Option<Interval>>> {
        let mut found = vec![None; statistics.len()];
        let (mut counted, mut walked) = (Vec::new(), Vec::new());
        for (at, statistic) in statistics.iter().enumerate() {
            match statistic {
                Statistic::Counts(counts) if self.weights.is_none() => counted.push((at, counts)),
                Statistic::Counts(_) | Statistic::Rows(_) => walked.push((at, statistic)),
            }
        }
        for ((at, _), interval) in counted.iter().zip(self.of_counts(&counted)?) {
            found[*at] = Some(interval);
        }
        for ((at, _), interval) in walked.iter().zip(self.of_rows(&walked)?) {
            found[*at] = interval;
        }
        Ok(found)
    }

    fn of_counts(&self, statistics: &[(usize, &Counted<'_>)]) -> Result<Vec<Interval>> {
        let Some((_, first)) = statistics.first() else {
            return Ok(Vec::new());
        };
        let (truth, predicted, classes) = (first.truth, first.predicted, first.num_classes);
        let write = |counts: &ClassCounts, out: &mut [f64]| {
            for (out, (_, statistic)) in out.iter_mut().zip(statistics) {
                *out = (statistic.of)(counts);
            }
        };
        match self.groups {
            None => {
                let matrix = ConfusionMatrix::from_labels(truth, predicted, classes)?;
                intervals(&matrix, self.bootstrap, statistics.len(), write)
            }
            Some(groups) => {
                let counts = GroupedCounts::from_labels(truth, predicted, groups, classes)?;
                grouped_intervals(&counts, self.bootstrap, statistics.len(), write)
            }
        }
    }

    /// None where the resamples would walk more than some seconds take.
    fn of_rows(&self, statistics: &[(usize, &Statistic<'_>)]) -> Result<Vec<Option<Interval>>> {
        let walked = (self.sample.len() as u64).saturating_mul(statistics.len() as u64);
        if walked.saturating_mul(self.bootstrap.resamples as u64) > MAX_WALKED {
            return Ok(vec![None; statistics.len()]);
        }
        let write = |counts: &[f64], out: &mut [f64]| {
            let product: Vec<f64>;
            let weights = match self.weights {
                None => counts,
                Some(weights) => {
                    product = counts.iter().zip(weights).map(|(n, weight)| n * weight).collect();
                    &product
                }
            };
            for (out, (_, statistic)) in out.iter_mut().zip(statistics) {
                // A resample that leaves a metric undefined is left out of its interval.
                *out = statistic.value(Some(weights)).unwrap_or(f64::NAN);
            }
        };
        row_intervals(&self.sample, self.bootstrap, statistics.len(), write)
    }
}
