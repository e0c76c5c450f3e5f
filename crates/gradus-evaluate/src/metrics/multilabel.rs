//! Samples that carry several labels: what precision, recall, F and Jaccard are made of, and accuracy and Hamming loss.

use super::Counts;
use super::input::{check_flags, check_rows, check_weights, weight_at, weighted_mean};
use crate::Result;

/// True and predicted flags of samples that carry any number of labels, checked once.
#[derive(Clone, Copy, Debug)]
pub struct MultilabelFlags<'a> {
    truth: &'a [u8],
    predicted: &'a [u8],
    num_labels: usize,
    weights: Option<&'a [f64]>,
}

impl<'a> MultilabelFlags<'a> {
    /// `truth` and `predicted` are row-major `[samples, num_labels]`, 1 where a label applies and else 0.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty), [`Error::LengthMismatch`](crate::Error::LengthMismatch), and
    /// [`MetricError`](super::MetricError) for a flag that is neither 0 nor 1 or weights that are negative, not finite or
    /// all 0.
    pub fn new(
        truth: &'a [u8],
        predicted: &'a [u8],
        num_labels: usize,
        weights: Option<&'a [f64]>,
    ) -> Result<Self> {
        let samples = truth.len() / num_labels.max(1);
        check_rows(
            "true labels",
            truth.len(),
            ("samples × labels", samples),
            num_labels,
        )?;
        check_rows(
            "predicted labels",
            predicted.len(),
            ("samples × labels", samples),
            num_labels,
        )?;
        check_flags("true labels", truth)?;
        check_flags("predicted labels", predicted)?;
        check_weights(weights, samples)?;
        Ok(Self {
            truth,
            predicted,
            num_labels,
            weights,
        })
    }

    /// The same flags under other weights, which are one per sample, finite and not negative.
    pub(crate) fn weighing(&self, weights: Option<&'a [f64]>) -> Self {
        Self { weights, ..*self }
    }

    fn rows(&self) -> impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> {
        let truth = self.truth.chunks_exact(self.num_labels);
        truth.zip(self.predicted.chunks_exact(self.num_labels))
    }
}

/// Per label or per sample: how many there are, are predicted, and are both. Weighted where the samples are.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelCounts {
    support: Vec<f64>,
    predicted: Vec<f64>,
    true_positives: Vec<f64>,
    total: Vec<f64>,
    importance: Option<Vec<f64>>,
}

impl LabelCounts {
    fn zeros(entries: usize) -> Self {
        Self {
            support: vec![0.0; entries],
            predicted: vec![0.0; entries],
            true_positives: vec![0.0; entries],
            total: vec![0.0; entries],
            importance: None,
        }
    }

    fn add(&mut self, entry: usize, (truth, predicted): (u8, u8), weight: f64) {
        self.support[entry] += f64::from(truth) * weight;
        self.predicted[entry] += f64::from(predicted) * weight;
        self.true_positives[entry] += f64::from(truth & predicted) * weight;
        self.total[entry] += weight;
    }

    /// One entry per label: for macro, micro and weighted averages.
    ///
    /// ```
    /// use gradus_evaluate::metrics::{Average, LabelCounts, LabelSet, MultilabelFlags, f1};
    /// let flags = MultilabelFlags::new(&[1, 0, 1, 1], &[1, 0, 0, 1], 2, None)?;
    /// assert_eq!(f1(&LabelCounts::by_label(&flags), Average::Micro, LabelSet::Known), 0.8);
    /// # Ok::<(), gradus_evaluate::Error>(())
    /// ```
    pub fn by_label(flags: &MultilabelFlags<'_>) -> Self {
        let mut counts = Self::zeros(flags.num_labels);
        for (sample, (truth, predicted)) in flags.rows().enumerate() {
            let weight = weight_at(flags.weights, sample);
            for (label, pair) in truth.iter().copied().zip(predicted.iter().copied()).enumerate() {
                counts.add(label, pair, weight);
            }
        }
        counts
    }

    /// One entry per sample: a macro average of it is scikit-learn's `average='samples'`.
    pub fn by_sample(flags: &MultilabelFlags<'_>) -> Self {
        let mut counts = Self::zeros(flags.rows().len());
        for (sample, (truth, predicted)) in flags.rows().enumerate() {
            let weight = weight_at(flags.weights, sample);
            for pair in truth.iter().copied().zip(predicted.iter().copied()) {
                counts.add(sample, pair, weight);
            }
        }
        counts.importance = flags.weights.map(<[f64]>::to_vec);
        counts
    }
}

impl Counts for LabelCounts {
    fn num_classes(&self) -> usize {
        self.support.len()
    }

    fn support_of(&self, class: usize) -> f64 {
        self.support[class]
    }

    fn predicted_of(&self, class: usize) -> f64 {
        self.predicted[class]
    }

    fn true_positives_of(&self, class: usize) -> f64 {
        self.true_positives[class]
    }

    fn total_of(&self, class: usize) -> f64 {
        self.total[class]
    }

    fn is_observed(&self, _class: usize) -> bool {
        true
    }

    fn importance_of(&self, class: usize) -> f64 {
        weight_at(self.importance.as_deref(), class)
    }
}

/// The share of samples whose labels are all right, in [0, 1]: scikit-learn's `accuracy_score` of multilabel samples.
pub fn subset_accuracy(flags: &MultilabelFlags<'_>) -> f64 {
    let right = flags
        .rows()
        .map(|(truth, predicted)| f64::from(truth == predicted));
    weighted_mean(right, flags.weights)
}

/// The share of labels that are wrong, in [0, 1]: scikit-learn's `hamming_loss` of multilabel samples. With one class a
/// sample it is 1 − [`accuracy`](super::accuracy()).
///
/// ```
/// use gradus_evaluate::metrics::{MultilabelFlags, hamming_loss, subset_accuracy};
/// let flags = MultilabelFlags::new(&[1, 0, 1, 1], &[1, 0, 0, 1], 2, None)?;
/// assert_eq!((hamming_loss(&flags), subset_accuracy(&flags)), (0.25, 0.5));
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn hamming_loss(flags: &MultilabelFlags<'_>) -> f64 {
    let wrong = flags.rows().map(|(truth, predicted)| {
        let differ = truth.iter().zip(predicted).filter(|(t, p)| t != p).count();
        differ as f64 / flags.num_labels as f64
    });
    weighted_mean(wrong, flags.weights)
}
