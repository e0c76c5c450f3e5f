//! Samples as they were before preparation, and the way back to the model's numbers.

use gradus_data::{Dataset, Features, Preprocessing, TablePreprocessing, Transform};
use gradus_kernels::pool::parallel_chunks_mut;
use gradus_tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::{Error, Predictor, Result};

/// The value of a white pixel.
const WHITE: f32 = 255.0;

/// What severities are measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputUnit {
    /// Pixels: 1 is the range from black to white, which they never leave.
    Pixels,
    /// Numeric columns of a table: 1 is the column's standard deviation in the data at hand. Categories do not move,
    /// except that they may be missing.
    Deviations,
}

/// A model, labelled samples, and how these are disturbed.
pub(super) struct Inputs<'a> {
    predictor: &'a Predictor,
    dataset: &'a Dataset,
    kind: Kind<'a>,
    /// How far one unit of severity moves each raw value of a sample; 0 for what does not move.
    spread: Vec<f32>,
}

enum Kind<'a> {
    /// Raw values are pixels from 0 to 255; `[channels, height, width]` and the factors of each channel.
    Pixels {
        shape: [usize; 3],
        scale: Vec<f32>,
        shift: Vec<f32>,
    },
    /// Raw values are the model's own numbers.
    Columns(&'a TablePreprocessing),
}

/// Raw values of some samples.
pub(super) struct Batch {
    /// Places in the data set.
    pub(super) indices: Vec<usize>,
    /// `[indices, sample_len]`.
    pub(super) values: Vec<f32>,
}

impl<'a> Inputs<'a> {
    /// # Errors
    /// [`Error::SampleShape`] when the samples are not what the model's preparation makes.
    pub(super) fn new(predictor: &'a Predictor, dataset: &'a Dataset) -> Result<Self> {
        let mismatch = || Error::SampleShape {
            got: dataset.sample_shape().to_vec(),
            expected: predictor.preprocessing().sample_shape(),
        };
        let sample_shape = predictor.preprocessing().sample_shape();
        if dataset.sample_shape() != sample_shape || dataset.is_empty() {
            return Err(mismatch());
        }
        let (kind, spread) = match (dataset.samples().features(), predictor.preprocessing()) {
            (Features::U8 { affine, .. }, Preprocessing::Image(image)) => {
                let kind = Kind::Pixels {
                    shape: image.shape,
                    scale: affine.scale.clone(),
                    shift: affine.shift.clone(),
                };
                (kind, vec![WHITE; dataset.samples().sample_len()])
            }
            (Features::F32(values), Preprocessing::Table(table)) => {
                (Kind::Columns(table), deviations(values, table))
            }
            (Features::U8 { .. } | Features::F32(_), _) => return Err(mismatch()),
        };
        Ok(Self {
            predictor,
            dataset,
            kind,
            spread,
        })
    }

    pub(super) fn predictor(&self) -> &'a Predictor {
        self.predictor
    }

    pub(super) fn dataset(&self) -> &'a Dataset {
        self.dataset
    }

    pub(super) fn unit(&self) -> InputUnit {
        match self.kind {
            Kind::Pixels { .. } => InputUnit::Pixels,
            Kind::Columns(_) => InputUnit::Deviations,
        }
    }

    pub(super) fn sample_len(&self) -> usize {
        self.spread.len()
    }

    /// How far one unit of severity moves each raw value of a sample.
    pub(super) fn spread(&self) -> &[f32] {
        &self.spread
    }

    /// `[channels, height, width]` of pictures.
    pub(super) fn picture_shape(&self) -> Option<[usize; 3]> {
        match self.kind {
            Kind::Pixels { shape, .. } => Some(shape),
            Kind::Columns(_) => None,
        }
    }

    /// The columns of a table.
    pub(super) fn table(&self) -> Option<&'a TablePreprocessing> {
        match self.kind {
            Kind::Pixels { .. } => None,
            Kind::Columns(table) => Some(table),
        }
    }

    /// Back into the range that raw values have: pixels between black and white.
    pub(super) fn clip(&self, value: f32) -> f32 {
        match self.kind {
            Kind::Pixels { .. } => value.clamp(0.0, WHITE),
            Kind::Columns(_) => value,
        }
    }

    /// The raw values of the samples at `indices`.
    pub(super) fn batch(&self, indices: Vec<usize>) -> Batch {
        let len = self.sample_len();
        let mut values = Vec::with_capacity(indices.len() * len);
        for &index in &indices {
            match self.dataset.samples().features() {
                Features::U8 { pixels, .. } => {
                    values.extend(pixels[index * len..][..len].iter().map(|&pixel| f32::from(pixel)));
                }
                Features::F32(numbers) => values.extend_from_slice(&numbers[index * len..][..len]),
            }
        }
        Batch { indices, values }
    }

    /// The true classes of a batch.
    pub(super) fn labels(&self, batch: &Batch) -> Vec<i64> {
        batch
            .indices
            .iter()
            .map(|&index| self.dataset.labels()[index])
            .collect()
    }

    /// Raw values as the model takes them: f32 `[samples, ..sample_shape]`.
    pub(super) fn prepare(&self, values: &[f32]) -> Tensor {
        let samples = values.len() / self.sample_len();
        let shape = [&[samples], self.dataset.sample_shape()].concat();
        Tensor::build(shape, |out: &mut [f32]| {
            out.copy_from_slice(values);
            let Kind::Pixels { scale, shift, .. } = &self.kind else {
                return;
            };
            let channels = scale.len();
            parallel_chunks_mut(out, self.sample_len() / channels, |plane, out| {
                let (scale, shift) = (scale[plane % channels], shift[plane % channels]);
                for value in out {
                    *value = *value * scale + shift;
                }
            });
        })
    }

    /// Turns gradients with respect to the model's numbers into those with respect to raw values, in place.
    pub(super) fn unprepare_gradient(&self, gradients: &mut [f32]) {
        let Kind::Pixels { scale, .. } = &self.kind else {
            return;
        };
        let plane_len = self.sample_len() / scale.len();
        for (plane, gradients) in gradients.chunks_exact_mut(plane_len).enumerate() {
            let scale = scale[plane % scale.len()];
            gradients.iter_mut().for_each(|gradient| *gradient *= scale);
        }
    }
}

/// Population standard deviation of each numeric input over all rows, 0 for the inputs of categories.
fn deviations(values: &[f32], table: &TablePreprocessing) -> Vec<f32> {
    let width = table.width();
    let deviation = |at: usize| {
        let column = || {
            values
                .iter()
                .skip(at)
                .step_by(width)
                .map(|&value| f64::from(value))
        };
        let n = column().count() as f64;
        let mean = column().sum::<f64>() / n;
        (column().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt() as f32
    };
    let mut spread = Vec::with_capacity(width);
    for column in &table.columns {
        match &column.transform {
            Transform::Numeric { .. } => spread.push(deviation(spread.len())),
            Transform::Categorical { values } => spread.extend(vec![0.0; values.len()]),
        }
    }
    spread
}
