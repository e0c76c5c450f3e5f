//! Checks that all metrics share, and sums by weight.

use super::MetricError;
use crate::{Error, Result};

/// Checks that there are samples and that two inputs run in step.
pub(super) fn check_lengths(left: (&'static str, usize), right: (&'static str, usize)) -> Result<()> {
    if right.1 == 0 {
        return Err(Error::Empty { what: right.0 });
    }
    if left.1 != right.1 {
        return Err(Error::LengthMismatch {
            left_name: left.0,
            left: left.1,
            right_name: right.0,
            right: right.1,
        });
    }
    Ok(())
}

/// Checks that `values` are rows of `width` numbers, one for each of `rows` samples, and that there are any.
pub(super) fn check_rows(
    what: &'static str,
    values: usize,
    (samples, rows): (&'static str, usize),
    width: usize,
) -> Result<()> {
    if width == 0 {
        return Err(Error::Empty { what });
    }
    let expected = rows.saturating_mul(width);
    check_lengths((what, values), (samples, expected))
}

/// Checks that weights are one per sample, finite, not negative and not all 0.
pub(crate) fn check_weights(weights: Option<&[f64]>, samples: usize) -> Result<()> {
    let Some(weights) = weights else {
        return Ok(());
    };
    if weights.len() != samples {
        return Err(Error::LengthMismatch {
            left_name: "weights",
            left: weights.len(),
            right_name: "samples",
            right: samples,
        });
    }
    let good = |weight: f64| weight >= 0.0 && weight.is_finite();
    // All are looked at without a branch, which vectorises; only a bad one is searched for.
    let all_good = weights.iter().fold(true, |all, &weight| all & good(weight));
    if let Some(index) = weights.iter().position(|&weight| !all_good && !good(weight)) {
        let value = weights[index];
        return Err(MetricError::Weight { index, value }.into());
    }
    if weights.iter().all(|&weight| weight == 0.0) {
        return Err(MetricError::NoWeight.into());
    }
    Ok(())
}

/// Rejects the first number that is NaN or infinite.
pub(super) fn check_finite<S: Copy + Into<f64>>(what: &'static str, values: &[S]) -> Result<()> {
    match values.iter().position(|&value| !value.into().is_finite()) {
        None => Ok(()),
        Some(index) => Err(MetricError::NotFinite {
            what,
            index,
            value: values[index].into(),
        }
        .into()),
    }
}

/// Rejects the first flag that is neither 0 nor 1.
pub(super) fn check_flags(what: &'static str, flags: &[u8]) -> Result<()> {
    match flags.iter().position(|&flag| flag > 1) {
        None => Ok(()),
        Some(index) => Err(MetricError::Flag {
            what,
            index,
            value: flags[index],
        }
        .into()),
    }
}

/// The mean of one number per sample. The weights, if any, have been checked.
pub(super) fn weighted_mean(values: impl ExactSizeIterator<Item = f64>, weights: Option<&[f64]>) -> f64 {
    match weights {
        None => {
            let count = values.len() as f64;
            values.sum::<f64>() / count
        }
        Some(weights) => {
            let sum: f64 = values.zip(weights).map(|(value, weight)| value * weight).sum();
            sum / weights.iter().sum::<f64>()
        }
    }
}

/// The weight of a sample: 1 without weights.
pub(super) fn weight_at(weights: Option<&[f64]>, index: usize) -> f64 {
    weights.map_or(1.0, |weights| weights[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_must_be_one_a_sample_and_say_something() {
        assert!(check_weights(None, 3).is_ok());
        assert!(check_weights(Some(&[0.0, 1.0, 0.5]), 3).is_ok());
        let refused = |weights: &[f64]| check_weights(Some(weights), 2).unwrap_err();
        assert!(matches!(refused(&[1.0]), Error::LengthMismatch { left: 1, .. }));
        assert!(matches!(
            refused(&[0.0, 0.0]),
            Error::Metric(MetricError::NoWeight)
        ));
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            let error = refused(&[1.0, bad]);
            assert!(
                matches!(error, Error::Metric(MetricError::Weight { index: 1, .. })),
                "{error}"
            );
        }
    }
}
