//! Explanations of a data set's samples, and what they say together.

use gradus_data::{Preprocessing, Samples, TargetKind, TargetScale};
use serde::Serialize;

use super::{
    Attributions, Baseline, Explained, Features, Method, Occlusion, Questions, integrated_gradients,
    kernel_shap, occlusion, saliency, smooth_grad,
};
use crate::{Error, Predictor, Result, Sample};

/// Which output is explained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// The largest of each sample: why this answer; of a regression, its only output.
    #[default]
    Predicted,
    /// Each sample's true class: what speaks for it and against it.
    Truth,
    /// The same for all.
    Output(usize),
}

/// What is explained, and how.
#[derive(Clone, Copy, Debug)]
pub struct ExplainOptions {
    /// The method.
    pub method: Method,
    /// The output.
    pub target: Target,
    /// What inputs are compared with, by methods that compare.
    pub baseline: Baseline,
}

/// The samples to explain.
#[derive(Clone, Copy, Debug)]
pub struct ExplainData<'a> {
    /// Prepared samples, of which the baseline's mean and the background are taken too.
    pub samples: &'a Samples,
    /// Their true classes, where they are known.
    pub labels: Option<&'a [i64]>,
    /// Those to explain.
    pub indices: &'a [usize],
}

/// How much each pixel or column had to do with each answer.
#[derive(Clone, Debug, Serialize)]
pub struct Explanations {
    /// The method and its settings.
    pub method: Method,
    /// What samples were compared with, where the method compares.
    pub baseline: Option<Baseline>,
    /// Names of the outputs.
    pub labels: Vec<String>,
    /// Names of the columns; empty for pictures.
    pub columns: Vec<String>,
    /// Shape of the attributions of one sample: `[columns]`, or `[channels, height, width]` (one channel where a method
    /// explains all at once).
    pub shape: Vec<usize>,
    /// One for each sample that was asked about, in order.
    pub samples: Vec<SampleExplanation>,
    /// Global importances: the mean size of the attributions over the samples, of the same shape.
    pub importances: Vec<f64>,
}

/// How much each pixel or column had to do with one answer.
#[derive(Clone, Debug, Serialize)]
pub struct SampleExplanation {
    /// Its place in the data.
    pub index: usize,
    /// Its true class, where it is known.
    pub label: Option<usize>,
    /// The output that was largest.
    pub predicted: usize,
    /// The output that is explained.
    pub target: usize,
    /// That output: a logit, or of a regression the number in the unit of the data.
    pub score: f64,
    /// The same output of the baseline, where the method's attributions sum to the change from it.
    pub baseline_score: Option<f64>,
    /// The sum of the attributions less that change: how far they are from adding up.
    pub convergence_delta: Option<f64>,
    /// The attributions, row-major.
    pub attributions: Vec<f32>,
    /// The sample itself, where it can be shown; not part of the JSON form.
    #[serde(skip)]
    pub sample: Option<Sample>,
}

/// Explains samples that were prepared by the model's own preprocessing.
///
/// # Errors
/// [`Error::NoSample`] for an index beyond the data, [`Error::WhichOutput`] for a regression of several numbers without a
/// target, [`Error::NoTruth`] when true classes are asked for and not given, and
/// those of the method.
pub fn explain(predictor: &Predictor, data: &ExplainData, options: &ExplainOptions) -> Result<Explanations> {
    let model = Explained::of_predictor(predictor);
    let samples = data.samples;
    if let Some(&index) = data.indices.iter().find(|&&index| index >= samples.len()) {
        return Err(Error::NoSample {
            index,
            len: samples.len(),
        });
    }
    if samples.shape() != model.row_shape() {
        return Err(Error::SampleShape {
            got: samples.shape().to_vec(),
            expected: model.row_shape().to_vec(),
        });
    }
    let mut rows = vec![0.0f32; data.indices.len() * model.row_len()];
    samples.gather(data.indices, &mut rows);
    let predicted = predicted(&model, &rows)?;
    let targets = targets(predictor, data, options.target, &predicted)?;
    let questions = Questions {
        rows: &rows,
        targets: &targets,
    };
    let preprocessing = predictor.preprocessing();
    let mut attributed = attribute(&model, &questions, preprocessing, samples, options)?;
    attributed.restore(&targets, &preprocessing.target_scales());
    let described = data.indices.iter().map(|&index| SampleExplanation {
        index,
        label: data.labels.map(|labels| labels[index] as usize),
        predicted: 0,
        target: 0,
        score: 0.0,
        baseline_score: None,
        convergence_delta: None,
        attributions: Vec::new(),
        sample: Sample::of(samples, Some(preprocessing), index),
    });
    let deltas = attributed.attributions.convergence_deltas();
    let width = attributed.shape.iter().product::<usize>();
    let explained = described.enumerate().map(|(at, sample)| SampleExplanation {
        predicted: predicted[at],
        target: targets[at],
        score: attributed.attributions.scores[at],
        baseline_score: attributed
            .attributions
            .baseline_scores
            .as_ref()
            .map(|scores| scores[at]),
        convergence_delta: deltas.as_ref().map(|deltas| deltas[at]),
        attributions: attributed.shown[at * width..][..width].to_vec(),
        ..sample
    });
    Ok(Explanations {
        method: options.method,
        baseline: options.method.has_baseline().then_some(options.baseline),
        labels: predictor.labels().to_vec(),
        columns: columns(preprocessing),
        samples: explained.collect(),
        importances: mean_sizes(&attributed.shown, width),
        shape: attributed.shape,
    })
}

/// Names of a table's columns; none for pictures.
pub(super) fn columns(preprocessing: &Preprocessing) -> Vec<String> {
    match preprocessing {
        Preprocessing::Table(table) => table.columns.iter().map(|column| column.name.clone()).collect(),
        Preprocessing::Image(_) => Vec::new(),
    }
}

fn predicted(model: &Explained, rows: &[f32]) -> Result<Vec<usize>> {
    let row_len = model.row_len();
    let mut predicted = Vec::with_capacity(rows.len() / row_len);
    model.evaluate(
        rows.len() / row_len,
        |row, out| out.copy_from_slice(&rows[row * row_len..][..row_len]),
        |_, outputs| {
            let largest = (1..outputs.len()).fold(0, |best, at| match outputs[at] > outputs[best] {
                true => at,
                false => best,
            });
            predicted.push(largest);
        },
    )?;
    Ok(predicted)
}

fn targets(
    predictor: &Predictor,
    data: &ExplainData,
    target: Target,
    predicted: &[usize],
) -> Result<Vec<usize>> {
    match target {
        // The largest of several numbers to learn says nothing; which one is meant must be said.
        Target::Predicted if predictor.preprocessing().target_kind() == TargetKind::Regression => {
            match predictor.labels().len() {
                1 => Ok(vec![0; predicted.len()]),
                _ => Err(Error::WhichOutput {
                    outputs: predictor.labels().to_vec(),
                }),
            }
        }
        Target::Predicted => Ok(predicted.to_vec()),
        Target::Output(output) => Ok(vec![output; predicted.len()]),
        Target::Truth => {
            let labels = data.labels.ok_or(Error::NoTruth)?;
            Ok(data.indices.iter().map(|&index| labels[index] as usize).collect())
        }
    }
}

/// Attributions as the method gives them, and as they are shown.
struct Attributed {
    attributions: Attributions,
    /// `[rows, ..shape]`.
    shown: Vec<f32>,
    shape: Vec<usize>,
}

impl Attributed {
    /// Outputs of a regression in the unit of the data; others as they are.
    fn restore(&mut self, targets: &[usize], scales: &[TargetScale]) {
        if scales.is_empty() {
            return;
        }
        let Attributions {
            values,
            scores,
            baseline_scores,
        } = &mut self.attributions;
        let (width, shown) = (values.len() / targets.len(), self.shown.len() / targets.len());
        for (at, &target) in targets.iter().enumerate() {
            let TargetScale { mean, std } = scales[target];
            let stretch = |value: &mut f32| *value = (f64::from(*value) * std) as f32;
            values[at * width..][..width].iter_mut().for_each(stretch);
            self.shown[at * shown..][..shown].iter_mut().for_each(stretch);
            scores[at] = scores[at] * std + mean;
            if let Some(scores) = baseline_scores {
                scores[at] = scores[at] * std + mean;
            }
        }
    }
}

fn attribute(
    model: &Explained,
    questions: &Questions,
    preprocessing: &Preprocessing,
    samples: &Samples,
    options: &ExplainOptions,
) -> Result<Attributed> {
    let baseline = || options.baseline.row(preprocessing, samples);
    match &options.method {
        Method::Saliency => Ok(of_inputs(saliency(model, questions)?, preprocessing)),
        Method::SmoothGrad(settings) => {
            Ok(of_inputs(smooth_grad(model, questions, settings)?, preprocessing))
        }
        Method::IntegratedGradients(settings) => {
            let attributions = integrated_gradients(model, questions, &baseline()?, settings)?;
            Ok(of_inputs(attributions, preprocessing))
        }
        Method::Occlusion { window, stride } => match preprocessing {
            Preprocessing::Image(image) => {
                let size = window.unwrap_or((image.shape[1].min(image.shape[2]) / 7).max(1));
                let stride = stride.unwrap_or((size / 2).max(1));
                let parts = Occlusion::Window {
                    shape: image.shape,
                    size: [size; 2],
                    stride: [stride; 2],
                };
                Ok(of_inputs(
                    occlusion(model, questions, &baseline()?, &parts)?,
                    preprocessing,
                ))
            }
            Preprocessing::Table(table) => {
                let features = Features::columns(table);
                let parts = Occlusion::Features(&features);
                Ok(of_features(
                    occlusion(model, questions, &baseline()?, &parts)?,
                    &features,
                    preprocessing,
                ))
            }
        },
        Method::KernelShap {
            options: settings,
            cells,
            background,
        } => {
            let features = shap_features(preprocessing, cells.unwrap_or(7));
            let background = match background {
                0 => baseline()?,
                count => background_rows(samples, *count),
            };
            let attributions = kernel_shap(model, questions, &background, &features, settings)?;
            Ok(of_features(attributions, &features, preprocessing))
        }
    }
}

/// The columns of a table, or the cells of a square grid over pictures.
pub(super) fn shap_features(preprocessing: &Preprocessing, cells: usize) -> Features {
    match preprocessing {
        Preprocessing::Image(image) => Features::grid(image.shape, [cells; 2]),
        Preprocessing::Table(table) => Features::columns(table),
    }
}

/// Rows spread over the data.
fn background_rows(samples: &Samples, count: usize) -> Vec<f32> {
    let count = count.min(samples.len());
    let indices: Vec<usize> = (0..count).map(|at| at * samples.len() / count).collect();
    let mut rows = vec![0.0; count * samples.sample_len()];
    samples.gather(&indices, &mut rows);
    rows
}

/// Attributions to inputs: shown as they are for pictures, summed by column for tables.
fn of_inputs(attributions: Attributions, preprocessing: &Preprocessing) -> Attributed {
    match preprocessing {
        Preprocessing::Image(_) => Attributed {
            shown: attributions.values.clone(),
            shape: preprocessing.sample_shape(),
            attributions,
        },
        Preprocessing::Table(table) => {
            let features = Features::columns(table);
            let rows = attributions.values.chunks_exact(preprocessing.sample_len());
            Attributed {
                shown: rows.flat_map(|row| features.sums(row)).collect(),
                shape: vec![features.len()],
                attributions,
            }
        }
    }
}

/// Attributions to features: as they are for columns, as a plane of pixels for cells.
fn of_features(attributions: Attributions, features: &Features, preprocessing: &Preprocessing) -> Attributed {
    match preprocessing {
        Preprocessing::Table(_) => Attributed {
            shown: attributions.values.clone(),
            shape: vec![features.len()],
            attributions,
        },
        Preprocessing::Image(image) => {
            let [_, height, width] = image.shape;
            let rows = attributions.values.chunks_exact(features.len());
            Attributed {
                shown: rows
                    .flat_map(|row| features.spread(row).into_iter().take(height * width))
                    .collect(),
                shape: vec![1, height, width],
                attributions,
            }
        }
    }
}

fn mean_sizes(shown: &[f32], width: usize) -> Vec<f64> {
    let mut sums = vec![0.0f64; width];
    for row in shown.chunks_exact(width) {
        sums.iter_mut()
            .zip(row)
            .for_each(|(sum, &value)| *sum += f64::from(value.abs()));
    }
    let rows = (shown.len() / width) as f64;
    sums.into_iter().map(|sum| sum / rows).collect()
}
