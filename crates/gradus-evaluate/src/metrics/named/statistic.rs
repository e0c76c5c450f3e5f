//! A metric of given answers, as a function of what each sample weighs.

use crate::Result;
use crate::metrics::input::weighted_mean;
use crate::metrics::{OneClassEach, WeightedCounts};

/// A metric of given answers: what does not depend on weights (losses of samples, an order of scores) is already there, so
/// that it can be computed under the weights of many resamples.
pub(crate) enum Statistic<'a> {
    /// Of the counts of true and predicted classes. It is a number for any counts that are not all 0, so a bootstrap may
    /// draw counts in place of rows.
    Counts(Counted<'a>),
    /// Of one weight per row; an error where they leave it undefined.
    Rows(Box<OfWeights<'a>>),
}

/// A metric of one weight per row, if there are weights.
pub(crate) type OfWeights<'a> = dyn Fn(Option<&[f64]>) -> Result<f64> + Sync + 'a;

/// A metric of counts.
pub(crate) type OfCounts = fn(&dyn OneClassEach) -> f64;

/// A metric of the counts of some classes.
pub(crate) struct Counted<'a> {
    pub(crate) truth: &'a [i64],
    pub(crate) predicted: &'a [i64],
    pub(crate) num_classes: usize,
    pub(crate) of: OfCounts,
}

impl<'a> Statistic<'a> {
    /// A metric of weights.
    pub(super) fn rows(of: impl Fn(Option<&[f64]>) -> Result<f64> + Sync + 'a) -> Self {
        Self::Rows(Box::new(of))
    }

    /// The mean of one number per sample.
    pub(super) fn mean(values: Vec<f64>) -> Self {
        Self::rows(move |weights| Ok(weighted_mean(values.iter().copied(), weights)))
    }

    /// Its value under weights, which are one per sample, finite and not negative; each sample weighs 1 without.
    pub(crate) fn value(&self, weights: Option<&[f64]>) -> Result<f64> {
        match self {
            Self::Rows(of) => of(weights),
            Self::Counts(counted) => {
                let pairs = counted
                    .truth
                    .iter()
                    .copied()
                    .zip(counted.predicted.iter().copied());
                let counts = WeightedCounts::of_pairs(pairs, counted.num_classes, weights);
                Ok((counted.of)(&counts))
            }
        }
    }
}
