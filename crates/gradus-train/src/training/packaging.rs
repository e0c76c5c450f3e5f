//! From a trained model to its package: measured, described, and traceable to where it came from.

use crate::Result;
use crate::recipe::Recipe;
use gradus_data::{Dataset, Splits};
use gradus_evaluate::{EvaluateOptions, Evaluation, Predictor, evaluate, reference_statistics};
use gradus_nn::{Layer, ModelConfig, Module};
use gradus_package::{Encoding, Lineage, Manifest, Package, PackageContents, Saved, Signature, TensorSpec};
use gradus_tensor::DType;
use std::path::Path;

/// The task of every model that this loop trains.
const CLASSIFICATION: &str = "classification";

/// What a package is made of.
pub(crate) struct Trained<'a> {
    pub recipe: &'a Recipe,
    pub config: &'a ModelConfig,
    pub model: Box<dyn Layer>,
    pub data: &'a DataParts,
}

/// The data of a run, shared with its loaders.
pub(crate) struct DataParts {
    pub train: std::sync::Arc<Dataset>,
    pub validation: Option<std::sync::Arc<Dataset>>,
    pub test: Option<Dataset>,
    pub preprocessing: gradus_data::Preprocessing,
}

impl From<Splits> for DataParts {
    fn from(splits: Splits) -> DataParts {
        DataParts {
            train: splits.train.into(),
            validation: splits.validation.map(Into::into),
            test: splits.test,
            preprocessing: splits.preprocessing,
        }
    }
}

impl DataParts {
    /// The samples that the package's figures come from: the test set, else what else there is, with its name.
    fn measured(&self) -> (&Dataset, &'static str) {
        match (&self.test, &self.validation) {
            (Some(test), _) => (test, "test"),
            (None, Some(validation)) => (validation, "validation"),
            (None, None) => (&self.train, "train"),
        }
    }
}

/// The figures of a finished run.
#[derive(Clone, Debug)]
pub struct FinalEvaluation {
    /// The samples they were measured on: `test`, else `validation`, else `train`.
    pub split: &'static str,
    /// The figures.
    pub evaluation: Evaluation,
}

impl Trained<'_> {
    /// Measures the model and writes its package, all or nothing.
    pub fn package(self, folder: &Path) -> Result<(Saved, FinalEvaluation)> {
        let tensors = self.model.state_dict();
        let mut manifest = self.manifest()?;
        let config = serde_json::to_value(self.config).expect("bug: a model's config is plain data");
        let (dataset, split) = self.data.measured();
        let predictor = Predictor::from_parts(self.model, manifest.clone())?;
        let evaluation = evaluate(&predictor, dataset, &EvaluateOptions::default())?;
        manifest.metrics = evaluation.metric_values(split);
        let contents = PackageContents {
            config,
            tensors,
            manifest,
            encoding: Encoding::Dense,
        };
        let saved = Package::save(folder, &contents)?;
        Ok((saved, FinalEvaluation { split, evaluation }))
    }

    fn manifest(&self) -> Result<Manifest> {
        let DataParts {
            train, preprocessing, ..
        } = self.data;
        let lineage = Lineage {
            recipe: Some(self.recipe.to_portable_toml()?),
            data_sha256: Some(train.fingerprint().to_owned()),
            seed: Some(self.recipe.train.seed),
            ..Lineage::by_this_build()
        };
        let mut manifest = Manifest::new(CLASSIFICATION, self.signature(), preprocessing.clone(), lineage);
        manifest.reference_statistics = Some(reference_statistics(train, preprocessing));
        Ok(manifest)
    }

    fn signature(&self) -> Signature {
        let spec = |name: &str, row: &[usize]| TensorSpec {
            name: name.to_owned(),
            dtype: DType::F32,
            shape: std::iter::once(None)
                .chain(row.iter().copied().map(Some))
                .collect(),
        };
        let train = &self.data.train;
        Signature {
            inputs: vec![spec("input", train.sample_shape())],
            outputs: vec![spec("logits", &[train.num_classes()])],
            labels: train.label_names().to_vec(),
        }
    }
}
