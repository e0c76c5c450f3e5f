//! From one number per class to one number.

use serde::{Deserialize, Serialize};

use super::{ClassCounts, accuracy};

/// How a per-class metric becomes one number; scikit-learn's `average=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Average {
    /// The plain mean over the classes of a [`LabelSet`].
    Macro,
    /// The metric of all decisions pooled. With one label per sample, precision, recall and F1 then all equal
    /// accuracy, whatever the [`LabelSet`].
    Micro,
    /// The mean weighted by each class's number of true samples.
    Weighted,
}

/// The classes that a macro average covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelSet {
    /// Every class that the model knows, as scikit-learn with `labels=range(num_classes)`. The number is then
    /// comparable between data sets, and a class that the data lack counts as 0.
    #[default]
    Known,
    /// The classes that occur among the true or the predicted labels, as scikit-learn without `labels=`.
    Observed,
}

impl LabelSet {
    fn covers(self, counts: &ClassCounts, class: usize) -> bool {
        match self {
            Self::Known => true,
            Self::Observed => counts.support()[class] + counts.predicted()[class] > 0,
        }
    }
}

impl Average {
    /// Averages `metric` over the classes of `labels`.
    pub(super) fn apply(
        self,
        counts: &ClassCounts,
        labels: LabelSet,
        metric: impl Fn(&ClassCounts, usize) -> f64,
    ) -> f64 {
        let classes = 0..counts.num_classes();
        match self {
            Self::Micro => accuracy(counts),
            Self::Macro => mean(
                classes
                    .filter(|&class| labels.covers(counts, class))
                    .map(|c| (metric(counts, c), 1.0)),
            ),
            Self::Weighted => mean(classes.map(|c| (metric(counts, c), counts.support()[c] as f64))),
        }
    }
}

/// Weighted mean of (value, weight) pairs; 0 without weight.
fn mean(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (sum, weights) = pairs.fold((0.0, 0.0), |(sum, total), (value, w)| {
        (sum + value * w, total + w)
    });
    if weights == 0.0 { 0.0 } else { sum / weights }
}

#[cfg(test)]
mod tests {
    use super::super::{ConfusionMatrix, f1, precision, recall};
    use super::*;

    #[test]
    fn an_absent_class_counts_only_among_the_known() {
        let counts = ConfusionMatrix::from_labels(&[0, 0, 1], &[0, 0, 1], 4)
            .unwrap()
            .class_counts();
        assert_eq!(f1(&counts, Average::Macro, LabelSet::Known), 0.5);
        assert_eq!(f1(&counts, Average::Macro, LabelSet::Observed), 1.0);
        assert_eq!(f1(&counts, Average::Weighted, LabelSet::Known), 1.0);
    }

    #[test]
    fn micro_averages_equal_accuracy() {
        let counts = ConfusionMatrix::from_labels(&[0, 1, 2, 2, 1], &[0, 2, 2, 1, 1], 3)
            .unwrap()
            .class_counts();
        for metric in [precision, recall, f1] {
            assert_eq!(metric(&counts, Average::Micro, LabelSet::Known), 0.6);
        }
    }
}
