//! Models that start from nothing.

use crate::common::{assert_same, comparable_files, recipe, run, write_text};
use gradus_evaluate::language_model::LanguageModel;
use gradus_nn::families::transformer::WeightType;
use gradus_package::Package;
use gradus_train::{Error, StopReason, TrainOptions, train};

/// Settings of a Llama in place of the template's GPT-2.
fn llama(folder: &std::path::Path, more: &[&str]) -> gradus_train::Recipe {
    let text = format!(
        "[data]\ntext = ['{}']\ntokenizer = 'characters'\n[model]\nmodel_type = 'llama'\nhidden_size = 32\n\
         intermediate_size = 48\nnum_hidden_layers = 2\nnum_attention_heads = 4\nnum_key_value_heads = 2\n[train]\n\
         max_steps = 12\nbatch_size = 4\nblock_size = 16\nlearning_rate = 0.01\n[optimizer]\nname = 'adamw'",
        folder.join("text.txt").display()
    );
    let overrides: Vec<String> = more.iter().map(|setting| (*setting).to_owned()).collect();
    gradus_train::Recipe::parse(&text, &overrides).unwrap()
}

#[test]
fn a_run_learns_and_leaves_a_package_that_writes() {
    let folder = tempfile::tempdir().unwrap();
    write_text(folder.path());
    let path = folder.path().join("run");
    let recipe = recipe(
        folder.path(),
        &[
            "train.max_steps=120",
            "train.eval_every_steps=40",
            "train.learning_rate=0.01",
        ],
    );
    let outcome = run(&recipe, &path, None);
    assert_eq!((outcome.reason, outcome.step), (StopReason::MaxSteps, 120));
    let lines = gradus_package::run::read_metrics(&path.join("metrics.jsonl")).unwrap();
    let evaluations: Vec<_> = lines
        .iter()
        .filter(|line| line.get("validation_loss").is_some())
        .collect();
    assert_eq!(evaluations.len(), 3);
    let loss = |index: usize| evaluations[index]["validation_loss"].as_f64().unwrap();
    // Over 90 characters as likely as each other are 4.5 nats.
    assert!(loss(2) < loss(0) && loss(2) < 2.0, "{} {}", loss(0), loss(2));
    // A token is a character, and a character of this text a byte, but for the end of the text.
    let bits = evaluations[2]["validation_bits_per_byte"].as_f64().unwrap();
    assert!((bits - loss(2) / 2f64.ln()).abs() < 0.01 * bits, "{bits}");
    assert!(evaluations[2]["sample"].as_str().unwrap().starts_with("The "));

    let package = Package::open(path.join("model")).unwrap();
    assert_eq!(package.manifest().task, "causal_lm");
    let names: Vec<&str> = package
        .manifest()
        .metrics
        .iter()
        .map(|metric| metric.name.as_str())
        .collect();
    assert_eq!(names, ["loss", "bits_per_byte"]);
    let model = LanguageModel::open(path.join("model"), WeightType::F32).unwrap();
    assert_eq!(
        model
            .tokenizer()
            .decode(&model.prompt("the cat").unwrap())
            .unwrap(),
        "the cat"
    );
    assert_eq!(model.model().config().max_position_embeddings, 16);
}

#[test]
fn stopped_and_resumed_runs_end_in_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    write_text(folder.path());
    let kept = [
        "train.keep_last=1",
        "train.checkpoint_every_steps=4",
        "train.log_every_steps=2",
    ];
    let gpt = |more: &[&str]| recipe(folder.path(), &[&kept[..], more].concat());
    let recipes = [
        (
            "gpt2 with dropout and averaged weights",
            gpt(&["model.resid_pdrop=0.1", "train.ema_decay=0.9"]),
        ),
        (
            "gpt2 in bf16, accumulated",
            gpt(&["train.precision=bf16", "train.accumulate=3"]),
        ),
        (
            "llama, activations computed again",
            llama(
                folder.path(),
                &[
                    "train.activation_checkpointing=true",
                    "train.checkpoint_every_steps=5",
                    "train.keep_last=1",
                ],
            ),
        ),
    ];
    for (index, (name, recipe)) in recipes.iter().enumerate() {
        let place = |kind: &str| folder.path().join(format!("{kind}-{index}"));
        let whole = run(recipe, &place("whole"), None);
        for stop in [3, 5, 10] {
            let stopped = run(recipe, &place("cut"), Some(stop));
            assert_eq!(
                (stopped.reason, stopped.step),
                (StopReason::Interrupted, stop),
                "{name}"
            );
        }
        let resumed = run(recipe, &place("cut"), None);
        assert_eq!(
            (resumed.reason, resumed.step, resumed.best),
            (whole.reason, whole.step, whole.best),
            "{name}"
        );
        let files = |kind: &str| comparable_files(&place(kind), &["model", "checkpoints"]);
        assert_same(&files("cut"), &files("whole"), name);
    }
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    write_text(folder.path());
    let recipe = recipe(
        folder.path(),
        &["train.precision=bf16", "model.n_embd=64", "train.block_size=32"],
    );
    let mut runs = Vec::new();
    for threads in [1, 2] {
        gradus_kernels::pool::set_threads(threads);
        let path = folder.path().join(threads.to_string());
        run(&recipe, &path, None);
        runs.push(comparable_files(&path, &["model"]));
    }
    assert_same(&runs[1], &runs[0], "2 threads against 1");
}

#[test]
fn a_model_larger_than_the_memory_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    write_text(folder.path());
    let refusal = |more: &[&str]| {
        let options = TrainOptions::new(folder.path().join("run"));
        let silent = &mut gradus_train::training::Silent;
        let error = train(&recipe(folder.path(), more), &options, silent).unwrap_err();
        assert!(matches!(error, Error::OutOfMemory(_)), "{error}");
        error.to_string()
    };
    let large = refusal(&["model.n_embd=16384", "model.n_layer=96", "model.n_head=64"]);
    assert!(large.contains("smaller model"), "{large}");
    let wide = refusal(&["train.batch_size=100000000"]);
    assert!(
        wide.contains("train.batch_size") && wide.contains("activation_checkpointing"),
        "{wide}"
    );
    assert!(!folder.path().join("run/recipe.toml").exists());
}

#[test]
fn settings_of_the_other_kind_of_model_are_refused() {
    let error = |text: &str| gradus_train::Recipe::parse(text, &[]).unwrap_err().to_string();
    let classifier =
        error("[data]\ntrain='x'\n[model]\nmodel_type='mlp'\nhidden_sizes=[4]\n[train]\nblock_size=8");
    assert!(classifier.contains("train.block_size"), "{classifier}");
    let misspelt = error("[data]\ntext=['x']\n[model]\nmodel_type='gpt2'\nn_layers=4");
    assert!(misspelt.contains("did you mean `n_layer`?"), "{misspelt}");
    let smoothed = error("[data]\ntext=['x']\n[model]\nmodel_type='gpt2'\n[train]\nlabel_smoothing=0.1");
    assert!(smoothed.contains("label_smoothing"), "{smoothed}");
}
