//! Precision, recall, F1 and Jaccard's index as functions of any counts and an average.

use crate::metrics::{Average, Counts, LabelSet, f1, jaccard, precision, recall};

/// A ratio, averaged over every known class or label; 0 where it has no denominator.
pub(super) type Ratio = fn(&dyn Counts, Average) -> f64;

pub(super) fn precision_of(counts: &dyn Counts, average: Average) -> f64 {
    precision(&counts, average, LabelSet::Known)
}

pub(super) fn recall_of(counts: &dyn Counts, average: Average) -> f64 {
    recall(&counts, average, LabelSet::Known)
}

pub(super) fn f1_of(counts: &dyn Counts, average: Average) -> f64 {
    f1(&counts, average, LabelSet::Known)
}

pub(super) fn jaccard_of(counts: &dyn Counts, average: Average) -> f64 {
    jaccard(&counts, average, LabelSet::Known)
}
