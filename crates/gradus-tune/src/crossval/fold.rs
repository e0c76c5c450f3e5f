//! One fold: prepared, trained, measured.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gradus_data::split::{Parts, repeat_seed, split_stratified};
use gradus_data::{Dataset, Unprepared};
use gradus_evaluate::Predictor;
use gradus_package::MetricValue;
use gradus_train::training::{Silent, StopReason};
use gradus_train::{Recipe, TrainOptions, TrainingData, train_on};
use serde::{Deserialize, Serialize};

use super::predictions;
use super::store::Store;
use crate::Result;

/// Samples a model predicts at once: enough for fast products, few enough for little memory.
const PREDICT_BATCH: usize = 256;

/// Which fold of which repetition, both from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FoldId {
    /// The repetition.
    pub repeat: usize,
    /// The fold.
    pub fold: usize,
}

/// What a fold came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoldResult {
    /// Which.
    #[serde(flatten)]
    pub id: FoldId,
    /// Rows trained on.
    pub train_rows: usize,
    /// Rows of the training side held out to choose the best moment of the run.
    pub validation_rows: usize,
    /// Rows tested on.
    pub test_rows: usize,
    /// Optimiser steps taken.
    pub steps: u64,
    /// The figures on the test rows.
    pub metrics: Vec<MetricValue>,
    /// SHA-256 of the model's package.
    pub model_sha256: String,
}

/// What all folds share.
pub(super) struct Training<'a> {
    pub recipe: &'a Recipe,
    pub samples: &'a Unprepared,
    pub store: &'a Store,
    pub stop: Arc<AtomicBool>,
    pub keep: bool,
}

/// Trains a fold, or goes on with it; `None` when it was told to stop.
pub(super) fn train_fold(
    training: &Training<'_>,
    id: FoldId,
    train: Vec<usize>,
    test: Vec<usize>,
) -> Result<Option<FoldResult>> {
    let recipe = recipe_of(training.recipe, id.repeat);
    let rows = hold_out(training, &recipe, train, test)?;
    let data = TrainingData::from(training.samples.prepare(&rows)?);
    let folder = training.store.run_folder(id);
    let options = TrainOptions {
        resume: true,
        stop: training.stop.clone(),
        ..TrainOptions::new(&folder)
    };
    let outcome = train_on(&recipe, &data, &options, &mut Silent)?;
    if outcome.reason == StopReason::Interrupted {
        return Ok(None);
    }
    let (Some(package), Some(tested)) = (outcome.package, &data.test) else {
        return Ok(None);
    };
    write_predictions(training, id, &package.folder, &rows, tested)?;
    let result = FoldResult {
        id,
        train_rows: rows.train.len(),
        validation_rows: rows.validation.len(),
        test_rows: rows.test.len(),
        steps: outcome.step,
        metrics: package.evaluation.metrics,
        model_sha256: package.fingerprint,
    };
    training.store.write(&result)?;
    if !training.keep {
        training.store.remove_run(id)?;
    }
    Ok(Some(result))
}

/// The recipe with the seed of a repetition.
fn recipe_of(recipe: &Recipe, repeat: usize) -> Recipe {
    let mut recipe = recipe.clone();
    if repeat > 0 {
        // TOML's integers have a sign.
        recipe.train.seed = repeat_seed(recipe.train.seed, repeat) >> 1;
    }
    recipe
}

/// Takes what the recipe wants to validate on out of the training rows.
fn hold_out(training: &Training<'_>, recipe: &Recipe, train: Vec<usize>, test: Vec<usize>) -> Result<Parts> {
    let task = recipe.task.supervised().ok_or(gradus_train::Error::NoSamples)?;
    let fraction = task.data.held_out_fraction();
    if fraction == 0.0 {
        return Ok(Parts {
            train,
            test,
            ..Parts::default()
        });
    }
    let strata = training.samples.strata();
    let strata: Vec<i64> = train.iter().map(|&row| strata[row]).collect();
    let split = split_stratified(&strata, fraction, task.data.seed)?;
    if split.kept.is_empty() || split.held_out.is_empty() {
        let samples = train.len();
        return Err(gradus_data::Error::TooFewToSplit { samples, fraction }.into());
    }
    let rows = |side: Vec<usize>| side.into_iter().map(|index| train[index]).collect();
    Ok(Parts {
        train: rows(split.kept),
        validation: rows(split.held_out),
        test,
    })
}

fn write_predictions(
    training: &Training<'_>,
    id: FoldId,
    package: &Path,
    rows: &Parts,
    tested: &Dataset,
) -> Result<()> {
    let predictor = Predictor::open(package)?;
    let predicted = predictor.predict_dataset(tested, PREDICT_BATCH)?;
    let rows: Vec<usize> = rows
        .test
        .iter()
        .map(|&sample| training.samples.row(sample))
        .collect();
    let text = predictions::to_csv(id, &rows, tested, &predicted);
    training.store.write_predictions(id, &text)
}
