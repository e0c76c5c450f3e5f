//! From a trained model to its package: measured, described, and traceable to where it came from.

use super::super::observer::SampleUnit;
use super::super::packaged::{FinalEvaluation, Packaged};
use super::Supervised;
use super::data::TrainingData;
use super::goal::Goal;
use crate::Result;
use crate::recipe::Recipe;
use gradus_data::SplitConfig;
use gradus_evaluate::trained_rows::{TrainedRows, record_split};
use gradus_evaluate::{EvaluateOptions, Predictor, evaluate_task, reference_statistics};
use gradus_nn::Module;
use gradus_package::{
    Encoding, ExtraFiles, Lineage, MAX_TRAINED_ROWS, Manifest, Package, PackageContents, Signature,
    SplitRecord, TRAINED_ROWS_FILE, TensorSpec,
};
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
    let (record, trained) = divided(&data, recipe);
    manifest.lineage.split = Some(record);
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
        files: trained,
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

/// How the rows were divided, and the file that remembers those that were trained on.
fn divided(data: &TrainingData, recipe: &Recipe) -> (SplitRecord, ExtraFiles) {
    let config = recipe.task.supervised().map(|task| &task.data);
    let division = config.and_then(|config| {
        let division = config.split.clone()?;
        let seed = Some(division.seed.unwrap_or(config.seed));
        Some(SplitConfig { seed, ..*division })
    });
    let (validation, test) = (data.validation.as_deref(), data.test.as_deref());
    let held_out = config
        .filter(|config| config.split.is_none() && config.validation_fraction > 0.0)
        .map(|config| config.hold_out());
    let record = record_split((division, held_out), &data.train, validation, test);
    let is_kept = data.train.len() <= MAX_TRAINED_ROWS;
    let file = is_kept.then(|| {
        (
            TRAINED_ROWS_FILE.to_owned(),
            TrainedRows::new(&data.train).to_bytes(),
        )
    });
    (record, file.into_iter().collect())
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
