//! Which of two models is better, and can it be told?

mod mcnemar;
mod verdict;

use gradus_data::Dataset;
use serde::{Deserialize, Serialize};

pub use mcnemar::{McNemar, McNemarMethod};
pub use verdict::{Side, Verdict};

use crate::bootstrap::{
    BootstrapOptions, PairedCounts, Resampling, RowSample, paired_intervals, row_intervals,
};
use crate::metrics::{
    Average, ClassCounts, LabelSet, accuracy, f1, log_loss_of_probability, precision, recall,
};
use crate::{Error, Estimate, Predictions, Predictor, Result};

/// A metric as a function of counts.
type OfCounts = fn(&ClassCounts) -> f64;

/// A metric that two models are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComparedMetric {
    /// Share of samples predicted correctly.
    Accuracy,
    /// Plain mean of the classes' F1.
    MacroF1,
    /// Plain mean of the classes' precision.
    MacroPrecision,
    /// Plain mean of the classes' recall.
    MacroRecall,
    /// Mean of the classes' F1, weighted by their samples.
    WeightedF1,
    /// Mean negative logarithm of the true class's probability, in nats: lower is better.
    LogLoss,
}

impl ComparedMetric {
    /// All of them.
    pub const ALL: [ComparedMetric; 6] = [
        ComparedMetric::Accuracy,
        ComparedMetric::MacroF1,
        ComparedMetric::MacroPrecision,
        ComparedMetric::MacroRecall,
        ComparedMetric::WeightedF1,
        ComparedMetric::LogLoss,
    ];

    /// Its name in options and results.
    pub fn name(self) -> &'static str {
        match self {
            ComparedMetric::Accuracy => "accuracy",
            ComparedMetric::MacroF1 => "macro_f1",
            ComparedMetric::MacroPrecision => "macro_precision",
            ComparedMetric::MacroRecall => "macro_recall",
            ComparedMetric::WeightedF1 => "weighted_f1",
            ComparedMetric::LogLoss => "log_loss",
        }
    }

    /// The metric of this name.
    pub fn from_name(name: &str) -> Option<ComparedMetric> {
        ComparedMetric::ALL
            .into_iter()
            .find(|metric| metric.name() == name)
    }

    /// Whether a larger number is better.
    pub fn higher_is_better(self) -> bool {
        self != ComparedMetric::LogLoss
    }

    /// As a function of counts, where it is one.
    fn of_counts(self) -> Option<OfCounts> {
        match self {
            ComparedMetric::Accuracy => Some(accuracy),
            ComparedMetric::MacroF1 => Some(|counts| f1(counts, Average::Macro, LabelSet::Known)),
            ComparedMetric::MacroPrecision => {
                Some(|counts| precision(counts, Average::Macro, LabelSet::Known))
            }
            ComparedMetric::MacroRecall => Some(|counts| recall(counts, Average::Macro, LabelSet::Known)),
            ComparedMetric::WeightedF1 => Some(|counts| f1(counts, Average::Weighted, LabelSet::Known)),
            ComparedMetric::LogLoss => None,
        }
    }
}

/// How two models are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct CompareOptions {
    /// What they are compared by; default accuracy, macro-F1 and log-loss.
    pub metrics: Vec<ComparedMetric>,
    /// How intervals of the differences are drawn; the confidence is also that of the verdict.
    pub bootstrap: BootstrapOptions,
    /// Rows that go through a model at once, at least 1; default 256. It changes speed, not results.
    pub batch_size: usize,
    /// The group of each row, where rows come in groups: groups are resampled whole. McNemar's test, which takes rows for
    /// independent, then has no say in the verdict.
    pub groups: Option<Vec<u64>>,
}

impl Default for CompareOptions {
    fn default() -> Self {
        Self {
            metrics: vec![
                ComparedMetric::Accuracy,
                ComparedMetric::MacroF1,
                ComparedMetric::LogLoss,
            ],
            bootstrap: BootstrapOptions::default(),
            batch_size: 256,
            groups: None,
        }
    }
}

/// Two models on the same samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Number of samples.
    pub n: u64,
    /// Who is better, if it can be told.
    pub verdict: Verdict,
    /// The verdict in a sentence, with A and B for the models.
    pub sentence: String,
    /// One entry per metric.
    pub differences: Vec<Difference>,
    /// The test of how often each errs alone.
    pub mcnemar: McNemar,
    /// How the intervals were drawn.
    pub bootstrap: BootstrapOptions,
    /// SHA-256 fingerprint of the data set as A's preparation makes it; absent when the predictions came from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_sha256: Option<String>,
}

/// A metric of two models.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The metric.
    pub metric: ComparedMetric,
    /// Its value for A.
    pub a: f64,
    /// Its value for B.
    pub b: f64,
    /// B less A, with the interval of the paired bootstrap.
    pub difference: Estimate,
}

/// Compares two classifiers on the same samples, each prepared by the model's own preprocessing.
///
/// # Errors
/// [`Error::LabelNames`] when the models or data sets name different classes, [`Error::DifferentSamples`] when the data
/// sets do not have the same labels in the same order, and those of [`compare_predictions`].
pub fn compare(
    [a, b]: [&Predictor; 2],
    [data_a, data_b]: [&Dataset; 2],
    options: &CompareOptions,
) -> Result<Comparison> {
    for names in [b.labels(), data_a.label_names(), data_b.label_names()] {
        if names != a.labels() {
            return Err(Error::LabelNames {
                model: a.labels().to_vec(),
                data: names.to_vec(),
            });
        }
    }
    if data_a.labels() != data_b.labels() {
        return Err(Error::DifferentSamples {
            a: data_a.len(),
            b: data_b.len(),
        });
    }
    let predictions = [
        a.predict_samples(data_a.samples(), options.batch_size)?,
        b.predict_samples(data_b.samples(), options.batch_size)?,
    ];
    let comparison = compare_predictions([&predictions[0], &predictions[1]], data_a.labels(), options)?;
    Ok(Comparison {
        dataset_sha256: Some(data_a.fingerprint().to_owned()),
        ..comparison
    })
}

/// Compares what two classifiers answered for the same samples, in order.
///
/// # Errors
/// [`Error::LengthMismatch`] when they differ in number or in classes, [`Error::Empty`],
/// [`Error::LabelOutOfRange`], [`Error::BootstrapOption`], and [`Error::StratifiedGroups`].
pub fn compare_predictions(
    [a, b]: [&Predictions; 2],
    labels: &[i64],
    options: &CompareOptions,
) -> Result<Comparison> {
    if a.num_classes() != b.num_classes() {
        return Err(Error::LengthMismatch {
            left_name: "classes of A",
            left: a.num_classes(),
            right_name: "classes of B",
            right: b.num_classes(),
        });
    }
    let (predicted_a, predicted_b) = (a.classes(), b.classes());
    let counts = match &options.groups {
        None => PairedCounts::from_labels(labels, &predicted_a, &predicted_b, a.num_classes())?,
        Some(groups) => {
            let predicted = [predicted_a.as_slice(), &predicted_b];
            PairedCounts::from_grouped_labels(labels, predicted, groups, a.num_classes())?
        }
    };
    let mut counted = counted_differences(&counts, options)?.into_iter();
    let mut differences = Vec::with_capacity(options.metrics.len());
    for &metric in &options.metrics {
        let difference = match metric.of_counts() {
            Some(_) => counted.next(),
            None => Some(log_loss_difference([a, b], labels, options)?),
        };
        differences.extend(difference);
    }
    let [only_a, only_b] = counts.only_right();
    let mcnemar = McNemar::new(only_a, only_b);
    let test = options.groups.is_none().then_some(&mcnemar);
    let verdict = Verdict::of(&differences, test, options.bootstrap.confidence);
    Ok(Comparison {
        n: labels.len() as u64,
        sentence: verdict.sentence(&differences, labels.len()),
        verdict,
        differences,
        mcnemar,
        bootstrap: options.bootstrap,
        dataset_sha256: None,
    })
}

/// The metrics that are functions of counts, in the order asked for.
fn counted_differences(counts: &PairedCounts, options: &CompareOptions) -> Result<Vec<Difference>> {
    let metrics: Vec<(ComparedMetric, OfCounts)> = options
        .metrics
        .iter()
        .filter_map(|&metric| Some((metric, metric.of_counts()?)))
        .collect();
    let intervals = paired_intervals(counts, &options.bootstrap, metrics.len(), |[a, b], out| {
        for (out, (_, of)) in out.iter_mut().zip(&metrics) {
            *out = of(b) - of(a);
        }
    })?;
    let [a, b] = counts.class_counts();
    let difference = |(&(metric, of), interval): (&(ComparedMetric, OfCounts), _)| Difference {
        metric,
        a: of(a),
        b: of(b),
        difference: Estimate {
            value: of(b) - of(a),
            interval: Some(interval),
        },
    };
    Ok(metrics.iter().zip(intervals).map(difference).collect())
}

/// Log-loss is a mean over rows, so the difference is the mean of the rows' differences.
fn log_loss_difference(
    predictions: [&Predictions; 2],
    labels: &[i64],
    options: &CompareOptions,
) -> Result<Difference> {
    let losses = predictions.map(|predictions| {
        let probabilities = predictions.probabilities_of(labels).into_iter();
        probabilities.map(log_loss_of_probability).collect::<Vec<f64>>()
    });
    let sample = match (&options.groups, options.bootstrap.resampling) {
        (Some(groups), _) => RowSample::grouped(groups)?,
        (None, Resampling::Rows) => RowSample::new(labels.len())?,
        (None, Resampling::Stratified) => RowSample::stratified(labels)?,
    };
    let differences: Vec<f64> = losses[0].iter().zip(&losses[1]).map(|(a, b)| b - a).collect();
    let intervals = row_intervals(&sample, &options.bootstrap, 1, |weights, out| {
        let sum: f64 = weights
            .iter()
            .zip(&differences)
            .map(|(weight, value)| weight * value)
            .sum();
        out[0] = sum / weights.iter().sum::<f64>();
    })?;
    let [a, b] = losses.map(|losses| losses.iter().sum::<f64>() / losses.len() as f64);
    Ok(Difference {
        metric: ComparedMetric::LogLoss,
        a,
        b,
        difference: Estimate {
            value: b - a,
            interval: intervals.first().copied().flatten(),
        },
    })
}

#[cfg(test)]
mod tests;
