//! Pictures before and after, for people to look at.

use super::StressTest;
use super::disturb::Disturbance;
use super::inputs::Inputs;
use crate::{Picture, Predictions, Result};

/// Samples shown at most.
const EXAMPLES: usize = 6;

/// A picture in each of its disturbed forms.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Its place in the data set.
    pub index: usize,
    /// Its true class.
    pub label: usize,
    /// The picture as it is, and as each test left it.
    pub views: Vec<View>,
}

/// One form of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The test and its severity; `None` for the picture as it is.
    pub disturbance: Option<(StressTest, f64)>,
    /// The pixels, rounded to bytes; the model saw them unrounded.
    pub picture: Picture,
    /// The class it is predicted as.
    pub predicted: usize,
    /// The probability of that class.
    pub confidence: f64,
}

/// The first sample of each class, for the first classes, that the model gets right undisturbed. Empty for tables.
pub(super) fn examples(
    inputs: &Inputs<'_>,
    clean: &Predictions,
    shown: &[Disturbance],
) -> Result<Vec<Example>> {
    let Some(shape) = inputs.picture_shape() else {
        return Ok(Vec::new());
    };
    let labels = inputs.dataset().labels();
    let classes = clean.classes();
    let first_right =
        |class: usize| (0..labels.len()).find(|&at| labels[at] == class as i64 && classes[at] == labels[at]);
    let chosen: Vec<usize> = (0..clean.num_classes())
        .filter_map(first_right)
        .take(EXAMPLES)
        .collect();
    if chosen.is_empty() {
        return Ok(Vec::new());
    }
    let batch = inputs.batch(chosen);
    let mut examples: Vec<Example> = batch
        .indices
        .iter()
        .map(|&index| Example {
            index,
            label: labels[index] as usize,
            views: Vec::new(),
        })
        .collect();
    let mut show = |disturbance, values: &[f32]| -> Result<()> {
        let logits = inputs.predictor().predict_batch(&inputs.prepare(values))?;
        let predictions = inputs.predictor().predictions(logits.to_vec::<f32>()?)?;
        let samples = values.chunks_exact(inputs.sample_len()).enumerate();
        for ((row, sample), example) in samples.zip(&mut examples) {
            let predicted = predictions.classes()[row] as usize;
            example.views.push(View {
                disturbance,
                picture: Picture {
                    shape,
                    pixels: sample.iter().map(|value| value.round() as u8).collect(),
                },
                predicted,
                confidence: predictions.probabilities(row)[predicted],
            });
        }
        Ok(())
    };
    show(None, &batch.values)?;
    for disturbance in shown {
        let disturbed = disturbance.apply(inputs, &batch)?;
        show(
            Some((disturbance.test(), disturbance.severity())),
            &disturbed.values,
        )?;
    }
    Ok(examples)
}
