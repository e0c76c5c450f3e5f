//! Whole runs: what they write, when they end, what they refuse.

use crate::common::{assert_same_files, comparable_files, recipe, run};
use gradus_evaluate::Predictor;
use gradus_package::Package;
use gradus_train::training::Silent;
use gradus_train::{Error, Event, Recipe, StopReason, TrainOptions, TrainingData, train, train_on};
use std::path::Path;

fn train_new(recipe: &gradus_train::Recipe, folder: &Path) -> Result<gradus_train::Outcome, Error> {
    train(recipe, &TrainOptions::new(folder), &mut |_: &Event<'_>| {})
}

#[test]
fn a_run_learns_and_leaves_a_package_that_says_how_well() {
    let recipe = recipe(&["data.max_samples=3000", "train.epochs=5"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let outcome = train_new(&recipe, &path).unwrap();
    assert_eq!(outcome.reason, StopReason::Completed);
    let package = Package::open(path.join("model")).unwrap();
    let manifest = package.manifest();
    let accuracy = manifest
        .metrics
        .iter()
        .find(|metric| metric.name == "accuracy")
        .unwrap();
    assert_eq!((accuracy.split.as_str(), accuracy.n), ("test", 1000));
    assert!(accuracy.value > 0.75, "{accuracy:?}");
    assert!(accuracy.lower.unwrap() < accuracy.value && accuracy.value < accuracy.upper.unwrap());
    assert_eq!(manifest.signature.labels[9], "ankle boot");
    assert_eq!(manifest.lineage.seed, Some(1));
    assert_eq!(manifest.reference_statistics.as_ref().unwrap().samples, 2400);
    assert_eq!(outcome.package.unwrap().fingerprint, package.fingerprint());
    assert!(Predictor::from_package(&package).is_ok());
}

#[test]
fn trainings_at_once_on_shared_data_end_as_each_does_alone() {
    let recipes = [1, 2].map(|seed| recipe(&[&format!("train.seed={seed}"), "model.dropout=0.2"]));
    let folder = tempfile::tempdir().unwrap();
    let data = TrainingData::load(&recipes[0]).unwrap();
    std::thread::scope(|scope| {
        for (index, recipe) in recipes.iter().enumerate() {
            let (data, run) = (data.clone(), folder.path().join(format!("shared-{index}")));
            scope.spawn(move || train_on(recipe, &data, &TrainOptions::new(run), &mut Silent).unwrap());
        }
    });
    for (index, recipe) in recipes.iter().enumerate() {
        let alone = folder.path().join(format!("alone-{index}"));
        train_new(recipe, &alone).unwrap();
        let shared = folder.path().join(format!("shared-{index}"));
        assert_same_files(
            &comparable_files(&shared),
            &comparable_files(&alone),
            "shared data",
        );
    }
}

#[test]
fn a_recipe_that_learns_from_text_has_no_samples_to_share() {
    let recipe = Recipe::parse(Recipe::template("gpt").unwrap(), &[]).unwrap();
    assert!(matches!(TrainingData::load(&recipe), Err(Error::NoSamples)));
}

#[test]
fn metrics_hold_a_line_per_interval_and_per_epoch_and_no_times() {
    let recipe = recipe(&["train.log_every_steps=3"]);
    let folder = tempfile::tempdir().unwrap();
    run(&recipe, folder.path(), None);
    let lines = gradus_package::run::read_metrics(&folder.path().join("metrics.jsonl")).unwrap();
    // 640 samples, 128 held out: 8 steps an epoch, 24 in all.
    let (steps, epochs): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.get("loss").is_some());
    assert_eq!((steps.len(), epochs.len()), (8, 3));
    for line in &lines {
        let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
        assert!(
            keys.iter()
                .all(|key| !key.contains("time") && !key.contains("second")),
            "{keys:?}"
        );
    }
    let last = epochs.last().unwrap();
    assert_eq!(
        (last["step"].as_u64(), last["epoch"].as_u64()),
        (Some(24), Some(3))
    );
    assert!(last["validation_loss"].as_f64().unwrap() < epochs[0]["validation_loss"].as_f64().unwrap());
}

#[test]
fn limits_end_a_run_with_a_package() {
    for (settings, reason, step) in [
        (vec!["train.max_steps=11"], StopReason::MaxSteps, Some(11)),
        (vec!["train.max_time_s=0.000001"], StopReason::MaxTime, Some(0)),
        (
            vec![
                "train.early_stopping={patience=1, min_delta=100.0}",
                "train.epochs=9",
            ],
            StopReason::EarlyStopping,
            None,
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let outcome = run(&recipe(&settings), folder.path(), None);
        assert_eq!(outcome.reason, reason);
        assert!(step.is_none_or(|step| step == outcome.step), "{outcome:?}");
        assert!(Package::open(folder.path().join("model")).is_ok());
    }
}

#[test]
fn a_loss_that_is_no_number_stops_with_advice_and_keeps_the_last_checkpoint() {
    let recipe = recipe(&[
        "train.learning_rate=1e30",
        "optimizer.name=sgd",
        "train.checkpoint_every_steps=1",
    ]);
    let folder = tempfile::tempdir().unwrap();
    let error = train_new(&recipe, folder.path()).unwrap_err();
    let Error::Diverged(divergence) = &error else {
        panic!("{error}")
    };
    assert_eq!(divergence.parameter_norms.len(), 4);
    let message = error.to_string();
    assert!(
        message.contains("train.learning_rate") && message.contains("layers.0.weight"),
        "{message}"
    );
    assert!(!message.contains('\n'));
    for entry in std::fs::read_dir(folder.path().join("checkpoints")).unwrap() {
        let checkpoint = gradus_package::Checkpoint::load(&entry.unwrap().path()).unwrap();
        for (name, tensor) in checkpoint
            .tensors
            .iter()
            .filter(|(name, _)| name.starts_with("model."))
        {
            assert!(
                tensor
                    .to_vec::<f32>()
                    .unwrap()
                    .iter()
                    .all(|value| value.is_finite()),
                "{name}"
            );
        }
    }
    assert!(!folder.path().join("model").exists());
}

#[test]
fn a_folder_with_a_run_is_refused_unless_resumed_with_the_same_recipe() {
    let folder = tempfile::tempdir().unwrap();
    run(&recipe(&[]), folder.path(), Some(3));
    let error = train_new(&recipe(&[]), folder.path()).unwrap_err();
    assert!(
        matches!(error, Error::RunExists { .. }) && error.to_string().contains("--resume"),
        "{error}"
    );
    let changed = recipe(&["train.learning_rate=0.5", "schedule.name=polynomial"]);
    let error = train(
        &changed,
        &TrainOptions::resume(folder.path()),
        &mut gradus_train::training::Silent,
    );
    match error.unwrap_err() {
        Error::RecipeChanged { sections, .. } => assert_eq!(sections, ["[schedule]", "[train]"]),
        other => panic!("{other}"),
    }
}

#[test]
fn resuming_a_finished_run_writes_the_same_package_again() {
    let folder = tempfile::tempdir().unwrap();
    let first = run(&recipe(&[]), folder.path(), None);
    std::fs::remove_dir_all(folder.path().join("model")).unwrap();
    let again = run(&recipe(&[]), folder.path(), None);
    assert_eq!(
        first.package.unwrap().fingerprint,
        again.package.unwrap().fingerprint
    );
    assert_eq!(first.step, again.step);
}

#[test]
fn accumulated_batches_are_one_large_batch() {
    let folder = tempfile::tempdir().unwrap();
    let final_loss = |name: &str, settings: &[&str]| {
        let path = folder.path().join(name);
        run(&recipe(settings), &path, None);
        let lines = gradus_package::run::read_metrics(&path.join("metrics.jsonl")).unwrap();
        lines.last().unwrap()["validation_loss"].as_f64().unwrap()
    };
    let sgd = ["optimizer.name=sgd", "train.learning_rate=0.1"];
    // 512 training samples: both cut each epoch into steps of 192, 192 and 128.
    let large = final_loss("large", &[&sgd[..], &["train.batch_size=192"]].concat());
    let small = final_loss(
        "small",
        &[&sgd[..], &["train.batch_size=64", "train.accumulate=3"]].concat(),
    );
    assert!((large - small).abs() < 1e-4 * large, "{large} {small}");
}

#[test]
fn gradient_descent_takes_one_step_an_epoch_and_lowers_the_loss() {
    let text = format!(
        "[data]\ntrain = '{}'\nmax_samples = 500\n[model]\nmodel_type = 'mlp'\nhidden_sizes = [16]\n[train]\nepochs = 5\n\
         learning_rate = 0.1\nlog_every_steps = 1\n[optimizer]\nname = 'gradient_descent'",
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/fashion-mnist-sample")
    );
    let recipe = gradus_train::Recipe::parse(&text, &[]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut losses = Vec::new();
    let mut observer = |event: &Event<'_>| {
        if let Event::Step(report) = event {
            losses.push(report.loss);
        }
    };
    train(&recipe, &TrainOptions::new(folder.path()), &mut observer).unwrap();
    assert_eq!(losses.len(), 5);
    assert!(losses.windows(2).all(|pair| pair[1] < pair[0]), "{losses:?}");
}

#[test]
fn a_steady_step_allocates_no_tensor_memory() {
    let recipe = recipe(&[
        "train.epochs=4",
        "data.validation_fraction=0.0",
        "data.max_samples=1280",
    ]);
    let folder = tempfile::tempdir().unwrap();
    let mut allocations = Vec::new();
    let mut observer = |event: &Event<'_>| {
        if let Event::Step(_) = event {
            allocations.push(gradus_tensor::pool_stats().allocations);
        }
    };
    train(&recipe, &TrainOptions::new(folder.path()), &mut observer).unwrap();
    // The first epoch fills the pool; other tests of this process may add to the count, so most steps must be still.
    let still = allocations[20..]
        .windows(2)
        .filter(|pair| pair[0] == pair[1])
        .count();
    assert!(still * 10 >= allocations[20..].len() * 9, "{allocations:?}");
}

#[test]
fn watching_accuracy_without_validation_data_is_refused() {
    let recipe = recipe(&["data.validation_fraction=0.0", "train.monitor=accuracy"]);
    let folder = tempfile::tempdir().unwrap();
    let error = train_new(&recipe, &folder.path().join("run")).unwrap_err();
    assert!(error.to_string().contains("train.monitor"), "{error}");
    assert!(
        !folder.path().join("run").exists(),
        "nothing is written before all checks have passed"
    );
}
