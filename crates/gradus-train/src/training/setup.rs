//! Everything before the first step: data, model, optimiser, run folder, and the checkpoint to go on from.

use super::TrainOptions;
use super::log::RunLog;
use super::observer::Plan;
use super::packaging::DataParts;
use super::progress::Progress;
use super::run::Run;
use super::stepper::{Limits, Stepper};
use crate::ema::Ema;
use crate::recipe::Recipe;
use crate::schedules::{RunLength, Schedule};
use crate::settings::{Problem, Problems};
use crate::{Error, Result};
use gradus_data::{Dataset, Loader, LoaderConfig, Prefetch};
use gradus_nn::{Layer, ModelConfig};
use gradus_package::{Checkpoint, RunDir};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Samples per batch of evaluations between epochs: enough for fast products, few enough for little memory.
const EVALUATION_BATCH: usize = 256;

/// A run that is ready for its next step.
pub(crate) struct Prepared<'a> {
    pub run: Run<'a>,
    pub data: DataParts,
    pub config: ModelConfig,
}

/// Loads, builds and checks everything; nothing is written before all of it has worked.
pub(crate) fn prepare<'a>(recipe: &'a Recipe, options: &TrainOptions) -> Result<Prepared<'a>> {
    if is_run(&options.folder) && !options.resume {
        return Err(Error::RunExists {
            path: options.folder.clone(),
        });
    }
    let data = DataParts::from(gradus_data::load(&recipe.data, recipe.folder())?);
    check_data(recipe, &data)?;
    let config = recipe.model_config(data.train.sample_shape(), data.train.num_classes())?;
    check_classes(&config, &data.train)?;
    let model = config.build(recipe.train.seed)?;
    let plan = plan(recipe, &data, &*model);
    let stepper = stepper(recipe, &*model, &plan)?;
    let folder = open_folder(recipe, &options.folder)?;
    let run = assemble(
        Parts {
            recipe,
            data: &data,
            model,
            plan,
            stepper,
            folder,
        },
        options,
    )?;
    Ok(Prepared { run, data, config })
}

/// Whether a folder holds a run, finished or not.
pub(crate) fn is_run(folder: &Path) -> bool {
    folder.join("recipe.toml").is_file()
}

/// The data must be able to answer what the recipe watches.
fn check_data(recipe: &Recipe, data: &DataParts) -> Result<()> {
    use crate::monitor::Monitor;
    if recipe.train.monitor == Monitor::Accuracy && data.validation.is_none() {
        return invalid(
            "train.monitor",
            "accuracy",
            "loss, or validation data (data.validation_fraction = 0.1)",
        );
    }
    Ok(())
}

/// More classes than the data has would be logits without names.
fn check_classes(config: &ModelConfig, train: &Dataset) -> Result<()> {
    let (configured, found) = (config.num_classes(), train.num_classes());
    if configured == found {
        return Ok(());
    }
    let expected =
        format!("{found}, the number of classes in the data; leave it out, or name all in data.class_names");
    invalid("model.num_classes", &configured.to_string(), &expected)
}

fn invalid(key: &str, value: &str, expected: &str) -> Result<()> {
    let problem = Problem {
        key: key.to_owned(),
        value: value.to_owned(),
        expected: expected.to_owned(),
    };
    Err(Error::InvalidSettings {
        problems: Problems(vec![problem]),
    })
}

fn plan(recipe: &Recipe, data: &DataParts, model: &dyn Layer) -> Plan {
    let train_samples = data.train.len();
    let batch_size = recipe.batch_size(train_samples);
    let batches = train_samples.div_ceil(batch_size) as u64;
    let steps_per_epoch = batches.div_ceil(recipe.train.accumulate);
    let total = steps_per_epoch.saturating_mul(recipe.train.epochs);
    Plan {
        train_samples,
        validation_samples: data.validation.as_ref().map_or(0, |validation| validation.len()),
        parameters: model.num_parameters(),
        batch_size,
        epochs: recipe.train.epochs,
        steps_per_epoch,
        total_steps: recipe.train.max_steps.map_or(total, |most| most.min(total)),
        resumed_at: None,
    }
}

fn stepper(recipe: &Recipe, model: &dyn Layer, plan: &Plan) -> Result<Stepper> {
    let parameters = model.parameters();
    let length = RunLength {
        steps_per_epoch: plan.steps_per_epoch,
        total_steps: plan.total_steps,
    };
    let base = recipe.learning_rate();
    let ema = recipe
        .train
        .ema_decay
        .map(|decay| Ema::new(parameters.clone(), decay))
        .transpose()?;
    let mut optimizer = recipe.optimizer.build(parameters, base);
    let schedule = Schedule::new(recipe.schedule.clone(), base, length)?;
    if schedule
        .momentum(0)
        .is_some_and(|momentum| !optimizer.set_momentum(momentum))
    {
        invalid(
            "schedule.cycle_momentum",
            "true",
            "false: this optimizer has no momentum to cycle",
        )?;
    }
    Ok(Stepper {
        optimizer,
        schedule,
        ema,
        limits: Limits::from(&recipe.train),
        seed: recipe.train.seed,
        step: 0,
    })
}

/// Opens the run that is there, if it was begun with the same recipe, or creates one.
fn open_folder(recipe: &Recipe, path: &Path) -> Result<RunDir> {
    let text = recipe.to_toml()?;
    if !is_run(path) {
        return Ok(RunDir::create(path, &text)?);
    }
    let folder = RunDir::open(path)?;
    let sections = changed_sections(&folder.recipe()?, &text);
    if sections.is_empty() {
        return Ok(folder);
    }
    Err(Error::RecipeChanged {
        path: path.to_owned(),
        sections,
    })
}

/// Names of the sections in which two recipes differ.
fn changed_sections(old: &str, new: &str) -> Vec<String> {
    let table = |text: &str| text.parse::<toml::Table>().unwrap_or_default();
    let (old, new) = (table(old), table(new));
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| format!("[{name}]"))
        .collect()
}

struct Parts<'a, 'd> {
    recipe: &'a Recipe,
    data: &'d DataParts,
    model: Box<dyn Layer>,
    plan: Plan,
    stepper: Stepper,
    folder: RunDir,
}

/// The run at its beginning, or at its last whole checkpoint.
fn assemble<'a>(parts: Parts<'a, '_>, options: &TrainOptions) -> Result<Run<'a>> {
    let Parts {
        recipe,
        data,
        model,
        plan,
        stepper,
        folder,
    } = parts;
    let fingerprint = data.train.fingerprint();
    let found = latest_checkpoint(&folder, fingerprint)?;
    let positions = found.as_ref().map(|found| found.progress.logs);
    let interval = recipe.train.log_interval(plan.steps_per_epoch);
    let mut run = Run {
        train: train_loader(recipe, &data.train, plan.batch_size)?,
        validation: data.validation.as_ref().map(evaluation_loader).transpose()?,
        config: &recipe.train,
        log: RunLog::open(&folder, interval, positions)?,
        progress: Progress::new(stepper.schedule.state(), fingerprint.to_owned()),
        unsaved_best: None,
        stop: options.stop.clone(),
        started: Instant::now(),
        model,
        stepper,
        plan,
        folder,
    };
    if let Some(Found { progress, checkpoint }) = found {
        run.resume(progress, &checkpoint)?;
    }
    Ok(run)
}

/// A checkpoint to go on from.
struct Found {
    progress: Progress,
    checkpoint: Checkpoint,
}

/// The newest whole checkpoint, if it was taken on these data.
fn latest_checkpoint(folder: &RunDir, data_sha256: &str) -> Result<Option<Found>> {
    let search = folder.latest_good()?;
    for skipped in &search.skipped {
        tracing::warn!(path = %skipped.path.display(), error = %skipped.error, "skipped a damaged checkpoint");
    }
    let Some((step, checkpoint)) = search.found else {
        return Ok(None);
    };
    let progress = Progress::of_checkpoint(step, &checkpoint)?;
    if progress.data_sha256 != data_sha256 {
        let (expected, got) = (progress.data_sha256, data_sha256.to_owned());
        return Err(Error::DataChanged {
            path: folder.path().to_owned(),
            expected,
            got,
        });
    }
    Ok(Some(Found { progress, checkpoint }))
}

fn train_loader(recipe: &Recipe, dataset: &Arc<Dataset>, batch_size: usize) -> Result<Loader> {
    let shuffle_seed = (!recipe.optimizer.is_full_batch()).then_some(recipe.train.seed);
    let config = LoaderConfig {
        batch_size,
        shuffle_seed,
        drop_last: false,
        prefetch: Prefetch::Auto,
    };
    Ok(Loader::new(dataset.clone(), config)?)
}

fn evaluation_loader(dataset: &Arc<Dataset>) -> Result<Loader> {
    Ok(Loader::new(dataset.clone(), LoaderConfig::new(EVALUATION_BATCH))?)
}
