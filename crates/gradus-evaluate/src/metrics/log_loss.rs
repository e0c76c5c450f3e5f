//! Log-loss: how surprised the model is by the true labels.

use super::confusion_matrix::check_labels;
use super::input::{check_rows, check_weights, weighted_mean};
use super::ranked_scores::Score;
use crate::{Error, Result};

/// A floating-point type that probabilities come in.
///
/// Sealed: scikit-learn's clipping depends on the type's precision, so only the two types it knows are here.
pub trait Probability: Copy + Into<f64> + sealed::Sealed {
    /// Distance from 0 and 1 that probabilities are clipped to: the machine epsilon of the type.
    const CLIP: f64;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

impl Probability for f32 {
    const CLIP: f64 = f32::EPSILON as f64;
}

impl Probability for f64 {
    const CLIP: f64 = f64::EPSILON;
}

/// Mean negative natural logarithm of the probability given to the true class: scikit-learn's `log_loss`.
///
/// `probabilities` is row-major, `labels.len() × num_classes`. They are clipped to `[ε, 1 − ε]`, ε being the
/// machine epsilon of their type, and otherwise taken as they are: rows are not rescaled to sum to 1. Logarithms
/// and the sum are taken in f64 (scikit-learn takes them in the type of the probabilities).
///
/// # Errors
/// Those of [`sample_log_losses`], and [`MetricError`](super::MetricError) for weights that are negative, not finite or all 0.
///
/// ```
/// use gradus_evaluate::metrics::log_loss;
/// let loss = log_loss(&[0, 1], &[0.8, 0.2, 0.5, 0.5], 2, None)?;
/// assert!((loss - (-(0.8f64.ln()) - 0.5f64.ln()) / 2.0).abs() < 1e-15);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn log_loss<P: Probability>(
    labels: &[i64],
    probabilities: &[P],
    num_classes: usize,
    weights: Option<&[f64]>,
) -> Result<f64> {
    let losses = sample_log_losses(labels, probabilities, num_classes)?;
    check_weights(weights, labels.len())?;
    Ok(weighted_mean(losses.into_iter(), weights))
}

/// The log-loss of each sample, clipped as in [`log_loss()`].
///
/// # Errors
/// [`Error::Empty`] without samples, [`Error::LengthMismatch`], [`Error::LabelOutOfRange`], and
/// [`Error::NotInRange`] with the first probability that is NaN or outside [0, 1].
pub fn sample_log_losses<P: Probability>(
    labels: &[i64],
    probabilities: &[P],
    num_classes: usize,
) -> Result<Vec<f64>> {
    check_class_probabilities(labels, probabilities, num_classes)?;
    let rows = probabilities.chunks_exact(num_classes);
    Ok(labels
        .iter()
        .zip(rows)
        .map(|(&label, row)| of_sample(row[label as usize]))
        .collect())
}

/// The log-loss of a sample whose true class has this probability.
pub(crate) fn of_sample<P: Probability>(probability: P) -> f64 {
    -probability.into().clamp(P::CLIP, 1.0 - P::CLIP).ln()
}

/// The log-loss of a sample by the logits of its classes, exact for logits of any size.
pub(crate) fn of_logits(row: &[f32], class: usize) -> f64 {
    let top = row.iter().fold(f32::NEG_INFINITY, |top, &logit| top.max(logit));
    let odds = row.iter().map(|&logit| (f64::from(logit) - f64::from(top)).exp());
    odds.sum::<f64>().ln() + f64::from(top) - f64::from(row[class])
}

/// The log-loss of a label by its logit, `−log σ(x)` where it applies and `−log (1 − σ(x))` where it does not, exact for
/// logits of any size.
pub(crate) fn of_logit(logit: f64, flag: u8) -> f64 {
    let towards = if flag == 1 { logit } else { -logit };
    (-towards).max(0.0) + (-towards.abs()).exp().ln_1p()
}

/// Checks labels and row-major probabilities of `num_classes` classes.
pub(super) fn check_class_probabilities<P: Score>(
    labels: &[i64],
    probabilities: &[P],
    num_classes: usize,
) -> Result<()> {
    let samples = ("labels × classes", labels.len());
    check_rows("probabilities", probabilities.len(), samples, num_classes)?;
    check_labels("true labels", labels, num_classes)?;
    check_probabilities(probabilities)
}

/// Rejects the first number outside [0, 1].
pub(super) fn check_probabilities<P: Score>(probabilities: &[P]) -> Result<()> {
    let outside = |p: f64| !(0.0..=1.0).contains(&p);
    match probabilities.iter().position(|&p| outside(p.into())) {
        None => Ok(()),
        Some(index) => Err(Error::NotInRange {
            what: "probabilities",
            index,
            value: probabilities[index].into(),
            low: 0.0,
            high: 1.0,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clips_by_the_precision_of_the_type() {
        assert_eq!(
            log_loss(&[1], &[1.0f64, 0.0], 2, None).unwrap(),
            -f64::EPSILON.ln()
        );
        assert_eq!(
            log_loss(&[1], &[1.0f32, 0.0], 2, None).unwrap(),
            -f64::from(f32::EPSILON).ln()
        );
        let certain = log_loss(&[0], &[1.0f64, 0.0], 2, None).unwrap();
        assert!(certain > 0.0 && certain < 3e-16, "{certain}");
    }

    #[test]
    fn rejects_nan_and_numbers_that_are_no_probabilities() {
        for bad in [f64::NAN, -0.1, 1.5, f64::INFINITY] {
            let error = log_loss(&[0, 1], &[0.5, 0.5, bad, 0.5], 2, None).unwrap_err();
            assert!(matches!(error, Error::NotInRange { index: 2, .. }), "{error}");
        }
    }

    #[test]
    fn rejects_empty_and_unequal_input() {
        assert!(matches!(
            log_loss::<f64>(&[], &[], 2, None),
            Err(Error::Empty { .. })
        ));
        assert!(matches!(
            log_loss(&[0], &[0.5, 0.5, 0.5], 2, None),
            Err(Error::LengthMismatch { .. })
        ));
        assert!(matches!(
            log_loss(&[2], &[0.5, 0.5], 2, None),
            Err(Error::LabelOutOfRange { .. })
        ));
    }
}
