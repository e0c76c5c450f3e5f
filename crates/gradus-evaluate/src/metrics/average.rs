//! From one number per class to one number.

use serde::{Deserialize, Serialize};

use super::Counts;

/// How a per-class metric becomes one number; scikit-learn's `average=`.
///
/// Its `average='samples'` is [`Average::Macro`] of [`LabelCounts::by_sample`](super::LabelCounts::by_sample).
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
    /// The metric of class 1, of a task of two classes.
    Binary,
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

/// What a ratio without a denominator is: the precision of a class that is never predicted, the recall of one that never
/// occurs; scikit-learn's `zero_division=`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZeroDivision {
    /// 0, also scikit-learn's default (where it warns).
    #[default]
    Zero,
    /// 1.
    One,
    /// NaN, and averages leave the class out.
    Nan,
}

/// Which classes an average covers and what it takes for a ratio that is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Averaging {
    /// The classes that a macro average covers.
    pub labels: LabelSet,
    /// What a ratio without a denominator is.
    pub zero_division: ZeroDivision,
}

impl From<LabelSet> for Averaging {
    fn from(labels: LabelSet) -> Self {
        Self {
            labels,
            zero_division: ZeroDivision::default(),
        }
    }
}

impl LabelSet {
    fn covers(self, counts: &impl Counts, class: usize) -> bool {
        match self {
            Self::Known => true,
            Self::Observed => counts.is_observed(class),
        }
    }
}

impl ZeroDivision {
    /// `numerator / denominator`, or what stands for it when the denominator is 0.
    pub(super) fn divide(self, numerator: f64, denominator: f64) -> f64 {
        if denominator != 0.0 {
            return numerator / denominator;
        }
        match self {
            Self::Zero => 0.0,
            Self::One => 1.0,
            Self::Nan => f64::NAN,
        }
    }
}

/// The sums of one class, or of all of them.
#[derive(Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) support: f64,
    pub(super) predicted: f64,
    pub(super) true_positives: f64,
}

impl Sums {
    pub(super) fn of_class(counts: &impl Counts, class: usize) -> Self {
        Self {
            support: counts.support_of(class),
            predicted: counts.predicted_of(class),
            true_positives: counts.true_positives_of(class),
        }
    }

    fn of_all(counts: &impl Counts) -> Self {
        (0..counts.num_classes()).fold(Self::default(), |sum, class| Self {
            support: sum.support + counts.support_of(class),
            predicted: sum.predicted + counts.predicted_of(class),
            true_positives: sum.true_positives + counts.true_positives_of(class),
        })
    }
}

impl Average {
    /// Averages a ratio over the classes; `parts` gives its numerator and denominator.
    pub(super) fn apply<C: Counts>(
        self,
        counts: &C,
        Averaging {
            labels,
            zero_division,
        }: Averaging,
        parts: impl Fn(Sums) -> (f64, f64),
    ) -> f64 {
        let ratio = |sums: Sums| {
            let (numerator, denominator) = parts(sums);
            zero_division.divide(numerator, denominator)
        };
        let of_class = |class: usize| ratio(Sums::of_class(counts, class));
        let covered = (0..counts.num_classes()).filter(|&class| labels.covers(counts, class));
        match self {
            Self::Micro => ratio(Sums::of_all(counts)),
            Self::Macro => mean(covered.map(|class| (of_class(class), counts.importance_of(class)))),
            Self::Weighted => mean(covered.map(|class| (of_class(class), counts.support_of(class)))),
            Self::Binary => of_class(1),
        }
    }
}

/// Weighted mean of (value, weight) pairs that leaves NaN out; the plain mean when they weigh nothing, NaN when nothing
/// is left.
fn mean(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (mut weighted, mut weights, mut plain, mut count) = (0.0, 0.0, 0.0, 0.0);
    for (value, weight) in pairs.filter(|(value, _)| !value.is_nan()) {
        weighted += value * weight;
        weights += weight;
        plain += value;
        count += 1.0;
    }
    if weights == 0.0 {
        plain / count
    } else {
        weighted / weights
    }
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
    fn what_is_not_defined_counts_as_the_caller_says() {
        let counts = ConfusionMatrix::from_labels(&[0, 0], &[1, 1], 2)
            .unwrap()
            .class_counts();
        let with = |zero_division| {
            let averaging = Averaging {
                labels: LabelSet::Known,
                zero_division,
            };
            [
                precision(&counts, Average::Macro, averaging),
                recall(&counts, Average::Macro, averaging),
            ]
        };
        assert_eq!(with(ZeroDivision::Zero), [0.0, 0.0]);
        assert_eq!(with(ZeroDivision::One), [0.5, 0.5]);
        assert_eq!(with(ZeroDivision::Nan), [0.0, 0.0]);
    }

    #[test]
    fn micro_averages_equal_accuracy() {
        let counts = ConfusionMatrix::from_labels(&[0, 1, 2, 2, 1], &[0, 2, 2, 1, 1], 3)
            .unwrap()
            .class_counts();
        for average in [precision, recall, f1].map(|metric| metric(&counts, Average::Micro, LabelSet::Known))
        {
            assert_eq!(average, 0.6);
        }
    }
}
