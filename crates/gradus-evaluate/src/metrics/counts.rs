//! What precision, recall, F and Jaccard are functions of.

/// Per class (or per label, or per sample of a multilabel task): how much of it there is, how much is predicted, and how
/// much is both.
///
/// [`ClassCounts`](super::ClassCounts) counts samples, [`WeightedCounts`](super::WeightedCounts) adds up their weights, and
/// [`LabelCounts`](super::LabelCounts) is for samples that carry several labels.
pub trait Counts {
    /// Number of classes, those that never occur included.
    fn num_classes(&self) -> usize;
    /// Samples of a class.
    fn support_of(&self, class: usize) -> f64;
    /// Samples predicted as a class.
    fn predicted_of(&self, class: usize) -> f64;
    /// Samples of a class that were predicted as it.
    fn true_positives_of(&self, class: usize) -> f64;
    /// Samples that either are of a class or are not: all of them.
    fn total_of(&self, class: usize) -> f64;
    /// Whether a class is among the true or the predicted labels, be it with weight 0.
    fn is_observed(&self, class: usize) -> bool;
    /// What a class weighs in a macro average; 1 but for [`LabelCounts::by_sample`](super::LabelCounts::by_sample).
    fn importance_of(&self, class: usize) -> f64 {
        let _ = class;
        1.0
    }
}

/// Counts of samples that are each of one class and predicted as one class.
pub trait OneClassEach: Counts {}

impl<C: Counts + ?Sized> Counts for &C {
    fn num_classes(&self) -> usize {
        (**self).num_classes()
    }

    fn support_of(&self, class: usize) -> f64 {
        (**self).support_of(class)
    }

    fn predicted_of(&self, class: usize) -> f64 {
        (**self).predicted_of(class)
    }

    fn true_positives_of(&self, class: usize) -> f64 {
        (**self).true_positives_of(class)
    }

    fn total_of(&self, class: usize) -> f64 {
        (**self).total_of(class)
    }

    fn is_observed(&self, class: usize) -> bool {
        (**self).is_observed(class)
    }

    fn importance_of(&self, class: usize) -> f64 {
        (**self).importance_of(class)
    }
}

impl<C: OneClassEach + ?Sized> OneClassEach for &C {}

/// The 2 × 2 table of each class against the rest, `[[true negatives, false positives], [false negatives, true
/// positives]]`: scikit-learn's `multilabel_confusion_matrix`.
///
/// ```
/// use gradus_evaluate::metrics::{ConfusionMatrix, one_vs_rest};
/// let matrix = ConfusionMatrix::from_labels(&[0, 0, 1, 2], &[0, 1, 1, 2], 3)?;
/// assert_eq!(one_vs_rest(&matrix.class_counts())[1], [[2.0, 1.0], [0.0, 1.0]]);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn one_vs_rest(counts: &impl Counts) -> Vec<[[f64; 2]; 2]> {
    let table = |class| {
        let both = counts.true_positives_of(class);
        let false_positives = counts.predicted_of(class) - both;
        let false_negatives = counts.support_of(class) - both;
        let neither = counts.total_of(class) - both - false_positives - false_negatives;
        [[neither, false_positives], [false_negatives, both]]
    };
    (0..counts.num_classes()).map(table).collect()
}
