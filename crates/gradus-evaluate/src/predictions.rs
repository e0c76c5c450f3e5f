//! What a model answered for a set of samples.

use gradus_tensor::{DType, Tensor};

use crate::{Error, Result};

/// What a model put out for `len` samples, row by row, checked to be finite: logits of classes or of labels, or the
/// standardised numbers of a regression ([`Predictor::answer`](crate::Predictor::answer) gives them in their units).
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    logits: Vec<f32>,
    num_classes: usize,
    /// What logits are divided by on their way to probabilities.
    temperature: f64,
}

impl Predictions {
    /// Predictions from row-major logits.
    ///
    /// # Errors
    /// [`Error::Empty`] without logits, [`Error::LengthMismatch`] unless they are whole rows, and
    /// [`Error::LogitNotFinite`] for the first NaN or infinity: a model that answers so cannot be scored.
    pub fn new(logits: Vec<f32>, num_classes: usize) -> Result<Self> {
        if logits.is_empty() || num_classes == 0 {
            return Err(Error::Empty { what: "logits" });
        }
        if !logits.len().is_multiple_of(num_classes) {
            return Err(Error::LengthMismatch {
                left_name: "logits",
                left: logits.len(),
                right_name: "whole rows of classes",
                right: logits.len().next_multiple_of(num_classes),
            });
        }
        if let Some(at) = logits.iter().position(|logit| !logit.is_finite()) {
            let (row, class) = (at / num_classes, at % num_classes);
            return Err(Error::LogitNotFinite {
                row,
                class,
                value: logits[at],
            });
        }
        Ok(Self {
            logits,
            num_classes,
            temperature: 1.0,
        })
    }

    /// Predictions from a tensor `[rows, classes]` of any float type.
    ///
    /// # Errors
    /// [`Error::LogitsShape`] for another rank; those of [`Self::new`].
    pub fn from_logits(logits: &Tensor) -> Result<Self> {
        let &[_, num_classes] = logits.shape() else {
            return Err(Error::LogitsShape {
                got: logits.shape().to_vec(),
                expected: "[rows, classes]".to_owned(),
            });
        };
        Self::new(logits.to_dtype(DType::F32)?.to_vec::<f32>()?, num_classes)
    }

    /// The same with probabilities of the logits divided by `temperature`, a number greater than 0; 1 at first. Logits and
    /// classes stay.
    pub fn with_temperature(self, temperature: f64) -> Self {
        Self { temperature, ..self }
    }

    /// Number of samples; never 0.
    pub fn len(&self) -> usize {
        self.logits.len() / self.num_classes
    }

    /// Always false: there are no empty predictions.
    pub fn is_empty(&self) -> bool {
        self.logits.is_empty()
    }

    /// Number of classes.
    pub fn num_classes(&self) -> usize {
        self.num_classes
    }

    /// All logits, row-major.
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// The class with the largest logit of each sample; of equal ones the first.
    pub fn classes(&self) -> Vec<i64> {
        self.rows().map(|row| largest(row) as i64).collect()
    }

    /// The probabilities of a sample's classes: the softmax of its logits, divided by the temperature, in f64.
    ///
    /// # Panics
    /// When there is no sample `index`.
    pub fn probabilities(&self, index: usize) -> Vec<f64> {
        let row = self.row(index);
        let top = f64::from(row[largest(row)]);
        let odds: Vec<f64> = row
            .iter()
            .map(|&logit| ((f64::from(logit) - top) / self.temperature).exp())
            .collect();
        let sum: f64 = odds.iter().sum();
        odds.into_iter().map(|odds| odds / sum).collect()
    }

    /// The probability that each label applies to a sample: the sigmoid of its logit, divided by the temperature, in f64.
    ///
    /// # Panics
    /// When there is no sample `index`.
    pub fn label_probabilities(&self, index: usize) -> Vec<f64> {
        self.row(index)
            .iter()
            .map(|&logit| 1.0 / (1.0 + (-f64::from(logit) / self.temperature).exp()))
            .collect()
    }

    /// The outputs of a sample.
    ///
    /// # Panics
    /// When there is no sample `index`.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.logits[index * self.num_classes..][..self.num_classes]
    }

    /// The probability that each sample's own class is given.
    pub(crate) fn probabilities_of(&self, labels: &[i64]) -> Vec<f64> {
        let of = |(row, &label): (&[f32], &i64)| {
            let own = f64::from(row[label as usize]);
            1.0 / row
                .iter()
                .map(|&logit| ((f64::from(logit) - own) / self.temperature).exp())
                .sum::<f64>()
        };
        self.rows().zip(labels).map(of).collect()
    }

    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.logits.chunks_exact(self.num_classes)
    }
}

/// Index of the largest number; of equal ones the first.
fn largest(row: &[f32]) -> usize {
    (1..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_first_class() {
        let predictions = Predictions::new(vec![1.0, 1.0, 0.0, -1.0, 3.0, 3.0], 3).unwrap();
        assert_eq!(predictions.classes(), [0, 1]);
    }

    #[test]
    fn probabilities_sum_to_one_even_for_huge_logits() {
        let predictions = Predictions::new(vec![3e38, 0.0, -3e38, 1.0, 2.0, 3.0], 3).unwrap();
        assert_eq!(predictions.probabilities(0), [1.0, 0.0, 0.0]);
        let second = predictions.probabilities(1);
        assert!((second.iter().sum::<f64>() - 1.0).abs() < 1e-15);
        assert!((second[2] / second[1] - 1f64.exp()).abs() < 1e-14);
        let own = predictions.probabilities_of(&[2, 1]);
        assert_eq!(own[0], 0.0);
        assert!((own[1] - second[1]).abs() < 1e-16);
    }

    #[test]
    fn names_the_place_of_a_nan() {
        let error = Predictions::new(vec![0.0, 1.0, 2.0, f32::NAN], 2).unwrap_err();
        assert!(matches!(error, Error::LogitNotFinite { row: 1, class: 1, .. }));
        assert!(matches!(Predictions::new(vec![], 2), Err(Error::Empty { .. })));
        assert!(matches!(
            Predictions::new(vec![0.0; 3], 2),
            Err(Error::LengthMismatch { .. })
        ));
    }
}
