//! Cohen's kappa: agreement beyond chance.

use super::{ConfusionTable, MetricError};
use crate::Result;

/// How far apart two classes are; scikit-learn's `weights=`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KappaWeights {
    /// Every error counts the same.
    #[default]
    Unweighted,
    /// An error counts as the distance between the classes' numbers.
    Linear,
    /// An error counts as the square of that distance.
    Quadratic,
}

impl KappaWeights {
    fn of(self, truth: usize, predicted: usize) -> f64 {
        let distance = truth.abs_diff(predicted) as f64;
        match self {
            Self::Unweighted => f64::from(truth != predicted),
            Self::Linear => distance,
            Self::Quadratic => distance * distance,
        }
    }
}

/// `1 − disagreement / disagreement expected by chance`, at most 1: scikit-learn's `cohen_kappa_score`.
///
/// # Errors
/// [`MetricError::Undefined`] when truth and predictions are all of one class: chance alone agrees.
///
/// ```
/// use gradus_evaluate::metrics::{ConfusionMatrix, KappaWeights, cohen_kappa};
/// let matrix = ConfusionMatrix::from_labels(&[0, 0, 1, 1], &[0, 1, 1, 1], 2)?;
/// assert_eq!(cohen_kappa(&matrix, KappaWeights::Unweighted)?, 0.5);
/// # Ok::<(), gradus_evaluate::Error>(())
/// ```
pub fn cohen_kappa(matrix: &impl ConfusionTable, weights: KappaWeights) -> Result<f64> {
    let classes = 0..matrix.num_classes();
    let row = |truth: usize| classes.clone().map(|p| matrix.weight(truth, p)).sum::<f64>();
    let column = |predicted: usize| classes.clone().map(|t| matrix.weight(t, predicted)).sum::<f64>();
    let (rows, columns): (Vec<f64>, Vec<f64>) =
        classes.clone().map(|class| (row(class), column(class))).unzip();
    let total: f64 = rows.iter().sum();
    let (mut observed, mut expected) = (0.0, 0.0);
    for truth in classes.clone() {
        for predicted in classes.clone() {
            let weight = weights.of(truth, predicted);
            observed += weight * matrix.weight(truth, predicted);
            expected += weight * rows[truth] * columns[predicted] / total;
        }
    }
    if expected == 0.0 {
        return Err(MetricError::Undefined {
            metric: "cohen_kappa",
            reason: "all samples are of one class and predicted as it",
        }
        .into());
    }
    Ok(1.0 - observed / expected)
}
