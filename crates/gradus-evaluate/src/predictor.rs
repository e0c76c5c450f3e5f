//! A package made ready to answer.

use std::path::Path;

use gradus_data::{Dataset, Preprocessing, Samples, TargetEncoding, TargetKind, TargetScale};
use gradus_nn::{Layer, ModelConfig};
use gradus_package::{CalibrationMethod, Manifest, Package, Signature, TensorSpec};
use gradus_tensor::{DType, Tensor, no_grad};
use serde_json::Value;

use crate::{Error, Predictions, Result};

/// A model with its preparation and its signature. It may be shared between threads; predicting changes nothing in it.
///
/// Every way in (data sets, JSON, picture files) goes through the preparation that is stored in the package, so an
/// answer cannot depend on where the sample came from.
pub struct Predictor {
    model: Box<dyn Layer>,
    manifest: Manifest,
    preprocessing: Preprocessing,
    temperature: f64,
    task: TargetKind,
    /// How each output of a regression becomes the target's unit; empty for classes and labels.
    scales: Vec<TargetScale>,
}

impl Predictor {
    /// Opens the package in a folder.
    ///
    /// # Errors
    /// Those of [`Package::open`] and [`Self::from_package`].
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        Self::from_package(&Package::open(folder)?)
    }

    /// Builds a package's model and loads its weights.
    ///
    /// # Errors
    /// [`Error::ModelConfig`] when `config.json` is no architecture of this build, [`Error::Model`] when the weights do
    /// not fit it, and those of [`Self::from_parts`].
    pub fn from_package(package: &Package) -> Result<Self> {
        // A package of text names families that are no `ModelConfig`; its task says so in plainer words.
        task_of(package.manifest())?;
        let config: ModelConfig = serde_json::from_value(package.config().clone())
            .map_err(|source| Error::ModelConfig { source })?;
        Self::from_parts(config.load(package.tensors())?, package.manifest().clone())
    }

    /// A predictor from a model in memory, which is put into evaluation mode, and what a manifest says about it.
    ///
    /// # Errors
    /// [`Error::Task`] for another task than classification, regression and multilabel, [`Error::NoPreprocessing`] for a
    /// manifest that does not say how inputs are made, [`Error::Signature`] when inputs, outputs or labels do not
    /// agree with each other or with the preprocessing, [`Error::Temperature`] and [`Error::CalibrationMethod`] for a
    /// calibration that cannot be applied.
    pub fn from_parts(model: Box<dyn Layer>, manifest: Manifest) -> Result<Self> {
        let task = task_of(&manifest)?;
        let preprocessing = manifest.preprocessing.clone().ok_or(Error::NoPreprocessing)?;
        preprocessing.validate()?;
        check_signature(&manifest.signature, &preprocessing.sample_shape())?;
        let temperature = temperature_of(&manifest)?;
        let scales = preprocessing.target_scales();
        check_targets(task, &preprocessing, manifest.signature.labels.len())?;
        model.eval();
        Ok(Self {
            model,
            manifest,
            preprocessing,
            temperature,
            task,
            scales,
        })
    }

    /// What the model tells about a sample.
    pub fn task(&self) -> TargetKind {
        self.task
    }

    /// Makes sure that the model is for this task, where only such a model will do.
    ///
    /// # Errors
    /// [`Error::Task`] when it is not.
    pub fn require(&self, task: TargetKind) -> Result<()> {
        if self.task == task {
            return Ok(());
        }
        Err(Error::Task {
            found: self.task.name().to_owned(),
            expected: task.name(),
        })
    }

    /// Inputs, outputs and labels.
    pub fn signature(&self) -> &Signature {
        &self.manifest.signature
    }

    /// Names of the classes, of the labels, or of a regression's targets, in the order of the outputs.
    pub fn labels(&self) -> &[String] {
        &self.manifest.signature.labels
    }

    /// What is done to a raw sample.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// Everything that the package says about the model.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The model itself, in evaluation mode.
    pub fn model(&self) -> &dyn Layer {
        &*self.model
    }

    /// What logits are divided by on their way to probabilities: the package's calibration, or 1.
    pub fn temperature(&self) -> f64 {
        self.temperature
    }

    /// The model's outputs `[batch, labels]` for prepared inputs, f32 `[batch, ..sample_shape]`: logits, or numbers that
    /// are still standardised.
    ///
    /// # Errors
    /// [`Error::SampleShape`] for inputs of another shape, [`Error::Model`] when the model refuses them.
    pub fn predict_batch(&self, inputs: &Tensor) -> Result<Tensor> {
        let sample_shape = self.preprocessing().sample_shape();
        if inputs.rank() == 0 || inputs.shape()[1..] != sample_shape {
            let got = inputs.shape().iter().skip(1).copied().collect();
            return Err(Error::SampleShape {
                got,
                expected: sample_shape,
            });
        }
        let _no_grad = no_grad();
        let logits = self.model.forward(inputs)?;
        let expected = [inputs.shape()[0], self.labels().len()];
        if logits.shape() != expected {
            return Err(Error::LogitsShape {
                got: logits.shape().to_vec(),
                expected: format!("{expected:?}"),
            });
        }
        Ok(logits)
    }

    /// The probabilities `[batch, labels]` of prepared inputs, f32: of each class, the softmax of the logits; of each
    /// label, the sigmoid of its own; the logits divided by [`Self::temperature`].
    ///
    /// # Errors
    /// As [`Self::predict_batch`]; [`Error::Task`] for a regression.
    pub fn predict_probabilities(&self, inputs: &Tensor) -> Result<Tensor> {
        let logits = || -> Result<Tensor> {
            let logits = self.predict_batch(inputs)?;
            match self.temperature {
                1.0 => Ok(logits),
                temperature => Ok(logits.mul_scalar(1.0 / temperature)?),
            }
        };
        match self.task {
            TargetKind::Classification => Ok(logits()?.softmax(1)?),
            TargetKind::Multilabel => Ok(logits()?.sigmoid()?),
            TargetKind::Regression => Err(Error::Task {
                found: self.task.name().to_owned(),
                expected: "classification or multilabel",
            }),
        }
    }

    /// What a client is told about prepared inputs, f32 `[batch, labels]`: probabilities, or numbers in the targets'
    /// units.
    ///
    /// # Errors
    /// As [`Self::predict_batch`].
    pub fn predict_answers(&self, inputs: &Tensor) -> Result<Tensor> {
        if self.task != TargetKind::Regression {
            return self.predict_probabilities(inputs);
        }
        let outputs = self.predict_batch(inputs)?.contiguous()?;
        let outputs = outputs.as_slice::<f32>()?;
        let width = self.scales.len();
        Ok(Tensor::build(
            [outputs.len() / width, width],
            |out: &mut [f32]| {
                for (at, (out, &output)) in out.iter_mut().zip(outputs).enumerate() {
                    *out = self.scales[at % width].restore(output) as f32;
                }
            },
        ))
    }

    /// What a client is told about one of the samples that were predicted: the probability of each class or of each
    /// label, or numbers in the targets' units.
    ///
    /// # Panics
    /// When there is no sample `index`, or the predictions are another model's and of another width.
    pub fn answer(&self, predictions: &Predictions, index: usize) -> Vec<f64> {
        match self.task {
            TargetKind::Classification => predictions.probabilities(index),
            TargetKind::Multilabel => predictions.label_probabilities(index),
            TargetKind::Regression => {
                let restored = self.scales.iter().zip(predictions.row(index));
                restored.map(|(scale, &output)| scale.restore(output)).collect()
            }
        }
    }

    /// Predictions for prepared samples, `batch_size` at a time.
    ///
    /// # Errors
    /// [`Error::BatchSize`] for 0, [`Error::Empty`] without samples, those of [`Self::predict_batch`] and
    /// [`Predictions::new`].
    pub fn predict_samples(&self, samples: &Samples, batch_size: usize) -> Result<Predictions> {
        if batch_size == 0 {
            return Err(Error::BatchSize);
        }
        let mut logits = Vec::with_capacity(samples.len() * self.labels().len());
        for start in (0..samples.len()).step_by(batch_size) {
            let batch = samples.tensor(start..samples.len().min(start + batch_size));
            logits.extend_from_slice(self.predict_batch(&batch)?.contiguous()?.as_slice()?);
        }
        self.predictions(logits)
    }

    /// Logits of this model, row by row, as predictions.
    pub(crate) fn predictions(&self, logits: Vec<f32>) -> Result<Predictions> {
        Ok(Predictions::new(logits, self.labels().len())?.with_temperature(self.temperature))
    }

    /// Predictions for the samples of a data set, `batch_size` at a time.
    ///
    /// # Errors
    /// As [`Self::predict_samples`].
    pub fn predict_dataset(&self, dataset: &Dataset, batch_size: usize) -> Result<Predictions> {
        self.predict_samples(dataset.samples(), batch_size)
    }

    /// Prepares raw samples given as JSON (see [`Preprocessing::json_sample`]): f32 `[samples, ..sample_shape]`.
    ///
    /// # Errors
    /// [`Error::InSample`] with the place of the first sample that cannot be prepared.
    pub fn encode_json(&self, samples: &[Value]) -> Result<Tensor> {
        self.encode(samples, |sample, out| {
            self.preprocessing().json_sample(sample, out)
        })
    }

    /// Prepares the bytes of PNG or JPEG files: f32 `[files, ..sample_shape]`.
    ///
    /// # Errors
    /// [`Error::InSample`] with the place of the first file that cannot be prepared.
    pub fn encode_pictures(&self, files: &[impl AsRef<[u8]>]) -> Result<Tensor> {
        self.encode(files, |file, out| {
            self.preprocessing().picture_sample(file.as_ref(), out)
        })
    }

    fn encode<S>(
        &self,
        samples: &[S],
        prepare: impl Fn(&S, &mut [f32]) -> gradus_data::Result<()>,
    ) -> Result<Tensor> {
        let shape = self.preprocessing().sample_shape();
        let sample_len = self.preprocessing().sample_len();
        Tensor::try_build([&[samples.len()], shape.as_slice()].concat(), |out| {
            for (index, (sample, row)) in samples.iter().zip(out.chunks_exact_mut(sample_len)).enumerate() {
                prepare(sample, row).map_err(|source| Error::InSample {
                    index,
                    source: Box::new(source),
                })?;
            }
            Ok(())
        })
    }
}

impl std::fmt::Debug for Predictor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Predictor")
            .field("signature", self.signature())
            .finish_non_exhaustive()
    }
}

/// The temperature of a package's calibration; 1 for a package without.
fn temperature_of(manifest: &Manifest) -> Result<f64> {
    let Some(calibration) = &manifest.calibration else {
        return Ok(1.0);
    };
    match calibration.method {
        CalibrationMethod::Temperature { temperature } if temperature.is_finite() && temperature > 0.0 => {
            Ok(temperature)
        }
        CalibrationMethod::Temperature { temperature } => Err(Error::Temperature { temperature }),
        // The enum may grow in its crate.
        _ => Err(Error::CalibrationMethod),
    }
}

/// The manifest's task, if it is one of samples and not of text.
fn task_of(manifest: &Manifest) -> Result<TargetKind> {
    TargetKind::from_name(&manifest.task).ok_or_else(|| Error::Task {
        found: manifest.task.clone(),
        expected: "classification, regression or multilabel",
    })
}

/// The preprocessing must know the targets of the task, one for each output.
fn check_targets(task: TargetKind, preprocessing: &Preprocessing, outputs: usize) -> Result<()> {
    if preprocessing.target_kind() != task {
        return Err(Error::Signature {
            field: "task",
            got: task.name().to_owned(),
            expected: format!(
                "{}, which the preprocessing was fitted for",
                preprocessing.target_kind().name()
            ),
        });
    }
    let targets = match preprocessing {
        Preprocessing::Table(table) => table.targets.as_ref(),
        Preprocessing::Image(_) => None,
    };
    let known = match targets {
        Some(TargetEncoding::Values { columns }) => columns.len(),
        Some(TargetEncoding::Labels { columns }) => columns.len(),
        Some(TargetEncoding::SeparatedLabels { .. }) | None => outputs,
    };
    if known == outputs {
        return Ok(());
    }
    Err(Error::Signature {
        field: "labels",
        got: format!("{outputs} names"),
        expected: format!("{known}, one for each target column of the preprocessing"),
    })
}

/// One f32 input as the preprocessing makes it, one output with a name for each of its places.
fn check_signature(signature: &Signature, sample_shape: &[usize]) -> Result<()> {
    let ([input], [output]) = (signature.inputs.as_slice(), signature.outputs.as_slice()) else {
        let (inputs, outputs) = (signature.inputs.len(), signature.outputs.len());
        return Err(Error::Signature {
            field: "inputs and outputs",
            got: format!("{inputs} and {outputs}"),
            expected: "one of each".to_owned(),
        });
    };
    check_spec("input", input, sample_shape)?;
    check_spec("output", output, &[signature.labels.len()])
}

fn check_spec(field: &'static str, spec: &TensorSpec, row: &[usize]) -> Result<()> {
    let agrees = |(found, expected): (&Option<usize>, &usize)| found.is_none_or(|found| found == *expected);
    let shape_fits = spec.shape.len() == row.len() + 1 && spec.shape[1..].iter().zip(row).all(agrees);
    if spec.dtype == DType::F32 && shape_fits && !row.contains(&0) {
        return Ok(());
    }
    Err(Error::Signature {
        field,
        got: format!("{} {:?}", spec.dtype.name(), spec.shape),
        expected: format!("f32, a batch of {row:?}"),
    })
}
