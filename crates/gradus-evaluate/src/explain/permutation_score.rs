//! Permutation importance of a package's columns or picture cells, by a score that fits its task.

use gradus_data::{Dataset, Targets};
use serde::{Deserialize, Serialize};

use super::dataset::{columns, shap_features};
use super::{Explained, PermutationImportance, PermutationOptions, permutation_importance};
use crate::metrics::regression::{OutputAverage, RegressionSamples, r2};
use crate::metrics::{
    ConfusionMatrix, MultilabelFlags, accuracy, first_largest, hamming_loss, log_loss_of_logit,
    log_loss_of_logits,
};
use crate::{Error, Predictor, Result};

/// What a permutation may worsen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PermutationScore {
    /// Share of right classes; of several labels, share of right ones among all.
    Accuracy,
    /// Mean logarithm of the true class's probability, in nats; of several labels, the mean over them.
    LogLikelihood,
    /// Coefficient of determination, the mean over the outputs of a regression.
    R2,
}

impl PermutationScore {
    /// Its name, as it is written in options.
    pub fn name(self) -> &'static str {
        match self {
            PermutationScore::Accuracy => "accuracy",
            PermutationScore::LogLikelihood => "log-likelihood",
            PermutationScore::R2 => "r2",
        }
    }

    /// The usual one for what a data set is labelled with.
    pub fn usual_for(targets: &Targets) -> PermutationScore {
        match targets {
            Targets::Classes { .. } | Targets::Labels { .. } => PermutationScore::Accuracy,
            Targets::Values { .. } => PermutationScore::R2,
        }
    }

    /// The score of a model's outputs, row-major.
    ///
    /// # Errors
    /// [`Error::ScoreNotOfTask`] for a score of another task, and those of the metric.
    fn of(self, outputs: &[f32], targets: &Targets) -> Result<f64> {
        let width = targets.names().len();
        match (self, targets) {
            (PermutationScore::Accuracy, Targets::Classes { indices, .. }) => {
                let rows = outputs.chunks_exact(width);
                let predicted: Vec<i64> = rows.map(|row| first_largest(row).0 as i64).collect();
                let matrix = ConfusionMatrix::from_labels(indices, &predicted, width)?;
                Ok(accuracy(&matrix.class_counts()))
            }
            (PermutationScore::Accuracy, Targets::Labels { flags, .. }) => {
                // A probability of one half or more, as everywhere.
                let predicted: Vec<u8> = outputs.iter().map(|&output| u8::from(output >= 0.0)).collect();
                let flags = MultilabelFlags::new(flags, &predicted, width, None)?;
                Ok(1.0 - hamming_loss(&flags))
            }
            (PermutationScore::LogLikelihood, Targets::Classes { indices, .. }) => {
                let rows = outputs.chunks_exact(width).zip(indices);
                let losses = rows.map(|(row, &class)| log_loss_of_logits(row, class as usize));
                Ok(-losses.sum::<f64>() / indices.len() as f64)
            }
            (PermutationScore::LogLikelihood, Targets::Labels { flags, .. }) => {
                let pairs = outputs.iter().zip(flags);
                let losses = pairs.map(|(&output, &flag)| log_loss_of_logit(f64::from(output), flag));
                Ok(-losses.sum::<f64>() / flags.len() as f64)
            }
            (PermutationScore::R2, Targets::Values { values, scales, .. }) => {
                let answers: Vec<f64> = outputs
                    .iter()
                    .enumerate()
                    .map(|(at, &output)| scales[at % width].restore(output))
                    .collect();
                let samples = RegressionSamples::new(values, &answers, width, None)?;
                r2(&samples, OutputAverage::Uniform)
            }
            (PermutationScore::Accuracy | PermutationScore::LogLikelihood, Targets::Values { .. })
            | (PermutationScore::R2, Targets::Classes { .. } | Targets::Labels { .. }) => {
                Err(Error::ScoreNotOfTask {
                    score: self.name(),
                    task: targets.kind().name(),
                })
            }
        }
    }
}

/// Global importances by permutation.
#[derive(Clone, Debug, Serialize)]
pub struct GlobalImportance {
    /// What was scored.
    pub metric: PermutationScore,
    /// How often.
    pub options: PermutationOptions,
    /// Number of samples.
    pub n: usize,
    /// Names of the columns; empty for pictures, whose features are the cells of a square grid, row by row.
    pub columns: Vec<String>,
    /// What is lost without each.
    #[serde(flatten)]
    pub importance: PermutationImportance,
}

/// What a model loses on a data set when the values of one column (or of one cell of `cells × cells` over its pictures)
/// change places between samples.
///
/// # Errors
/// [`Error::ScoreNotOfTask`], [`Error::LabelNames`] when the data set names other outputs than the model,
/// [`Error::SampleShape`], and those of [`permutation_importance`].
pub fn permutation_of_dataset(
    predictor: &Predictor,
    dataset: &Dataset,
    metric: PermutationScore,
    cells: usize,
    options: &PermutationOptions,
) -> Result<GlobalImportance> {
    if dataset.label_names() != predictor.labels() {
        return Err(Error::LabelNames {
            model: predictor.labels().to_vec(),
            data: dataset.label_names().to_vec(),
        });
    }
    let model = Explained::of_predictor(predictor);
    if dataset.sample_shape() != model.row_shape() {
        return Err(Error::SampleShape {
            got: dataset.sample_shape().to_vec(),
            expected: model.row_shape().to_vec(),
        });
    }
    let preprocessing = predictor.preprocessing();
    let indices: Vec<usize> = (0..dataset.len()).collect();
    let mut rows = vec![0.0; dataset.len() * model.row_len()];
    dataset.samples().gather(&indices, &mut rows);
    let features = shap_features(preprocessing, cells);
    // Probabilities are those that the package gives; which is the largest does not depend on the temperature.
    let temperature = predictor.temperature();
    let is_tempered = metric == PermutationScore::LogLikelihood && temperature != 1.0;
    let score = |outputs: &[f32]| match is_tempered {
        true => {
            let tempered = outputs
                .iter()
                .map(|&output| (f64::from(output) / temperature) as f32);
            metric.of(&tempered.collect::<Vec<_>>(), dataset.targets())
        }
        false => metric.of(outputs, dataset.targets()),
    };
    Ok(GlobalImportance {
        metric,
        options: *options,
        n: dataset.len(),
        columns: columns(preprocessing),
        importance: permutation_importance(&model, &rows, &features, options, &score)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_data::TargetScale;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|at| at.to_string()).collect()
    }

    #[test]
    fn scores_are_those_of_their_task() {
        let classes = Targets::Classes {
            indices: vec![0, 1],
            names: names(2),
        };
        let outputs = [1.0, 0.0, 3.0, 3.0];
        assert_eq!(
            PermutationScore::Accuracy.of(&outputs, &classes).unwrap(),
            0.5,
            "the first of equals"
        );
        let likelihood = PermutationScore::LogLikelihood.of(&outputs, &classes).unwrap();
        assert!((likelihood - 0.5 * (-(1.0 + (-1f64).exp()).ln() - 2f64.ln())).abs() < 1e-12);
        let labels = Targets::Labels {
            flags: vec![1, 0, 0, 1],
            names: names(2),
        };
        assert_eq!(
            PermutationScore::Accuracy
                .of(&[1.0, -1.0, 1.0, 1.0], &labels)
                .unwrap(),
            0.75
        );
        let certain = PermutationScore::LogLikelihood
            .of(&[900.0, -900.0, -900.0, 900.0], &labels)
            .unwrap();
        assert_eq!(certain, 0.0);
        let values = Targets::Values {
            values: vec![1.0, 3.0],
            scales: vec![TargetScale { mean: 2.0, std: 2.0 }],
            names: names(1),
        };
        assert_eq!(PermutationScore::R2.of(&[-0.5, 0.5], &values).unwrap(), 1.0);
        assert_eq!(PermutationScore::R2.of(&[0.0, 0.0], &values).unwrap(), 0.0);
        assert!(PermutationScore::R2.of(&outputs, &classes).is_err());
        assert!(PermutationScore::Accuracy.of(&[0.0, 0.0], &values).is_err());
    }
}
