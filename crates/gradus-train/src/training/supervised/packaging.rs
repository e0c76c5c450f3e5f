//! From a trained model to its package: measured, described, and traceable to where it came from.

use super::super::observer::SampleUnit;
use super::super::packaged::{FinalEvaluation, Packaged};
use super::Supervised;
use super::data::TrainingData;
use super::goal::Goal;
use crate::Result;
use crate::recipe::Recipe;
use gradus_evaluate::{EvaluateOptions, Predictor, evaluate_task, reference_statistics};
use gradus_nn::Module;
use gradus_package::{Encoding, Lineage, Manifest, Package, PackageContents, Signature, TensorSpec};
use gradus_tensor::DType;
use std::path::PathBuf;

/// Measures the model and writes its package, all or nothing.
pub(super) fn package(trained: Supervised, recipe: &Recipe, folder: PathBuf) -> Result<Packaged> {
    let Supervised {
        model,
        config,
        data,
        goal,
        ..
    } = trained;
    let tensors = model.state_dict();
    let mut manifest = manifest(&data, &goal, recipe)?;
    let config = serde_json::to_value(config).expect("bug: a model's config is plain data");
    let (dataset, split) = data.measured();
    let predictor = Predictor::from_parts(model, manifest.clone())?;
    let evaluation = evaluate_task(&predictor, dataset, &EvaluateOptions::default())?;
    manifest.metrics = evaluation.metric_values(split);
    let contents = PackageContents {
        config,
        tensors,
        manifest,
        encoding: Encoding::Dense,
        files: Default::default(),
    };
    let saved = Package::save(&folder, &contents)?;
    Ok(Packaged {
        folder,
        fingerprint: saved.fingerprint,
        evaluation: FinalEvaluation {
            split,
            samples: evaluation.n(),
            unit: SampleUnit::Sample,
            metrics: contents.manifest.metrics,
        },
    })
}

fn manifest(data: &TrainingData, goal: &Goal, recipe: &Recipe) -> Result<Manifest> {
    let TrainingData {
        train, preprocessing, ..
    } = data;
    let lineage = Lineage {
        recipe: Some(recipe.to_portable_toml()?),
        data_sha256: Some(train.fingerprint().to_owned()),
        seed: Some(recipe.train.seed),
        ..Lineage::by_this_build()
    };
    let mut manifest = Manifest::new(
        goal.kind().name(),
        signature(data, goal),
        preprocessing.clone(),
        lineage,
    );
    manifest.reference_statistics = Some(reference_statistics(train, preprocessing));
    Ok(manifest)
}

fn signature(data: &TrainingData, goal: &Goal) -> Signature {
    let spec = |name: &str, row: &[usize]| TensorSpec {
        name: name.to_owned(),
        dtype: DType::F32,
        shape: std::iter::once(None)
            .chain(row.iter().copied().map(Some))
            .collect(),
    };
    let train = &data.train;
    Signature {
        inputs: vec![spec("input", train.sample_shape())],
        outputs: vec![spec(goal.output_name(), &[train.num_classes()])],
        labels: train.label_names().to_vec(),
    }
}
