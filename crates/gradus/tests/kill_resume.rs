//! `gradus train`, killed without warning and resumed, ends in the weights of a run that never was.
//!
//! A handful of kills by default; `GRADUS_KILLS=50` does as many as a release wants to see.
#![cfg(test)]
#![cfg(feature = "train")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gradus_package::RunDir;
use gradus_tensor::Rng;

/// Kills per thread count unless `GRADUS_KILLS` says otherwise.
const DEFAULT_KILLS: usize = 4;

/// Files of a run that must not depend on kills.
const COMPARED: [&str; 5] = [
    "model/model.safetensors",
    "model/gradus.json",
    "model/config.json",
    "metrics.jsonl",
    "checkpoints/best.safetensors",
];

/// A small network with something of everything that a checkpoint must hold, checkpointed every few milliseconds.
const RECIPE: &str = r#"
[data]
train = "DATA"
max_samples = 1000
validation_fraction = 0.2

[model]
model_type = "mlp"
hidden_sizes = [64]
dropout = 0.2

[train]
epochs = 12
batch_size = 32
seed = 3
ema_decay = 0.9
log_every_steps = 5
checkpoint_every_steps = 6
restore_best = true

[optimizer]
name = "adam"

[schedule]
name = "cosine"
warmup_steps = 20
"#;

fn kills() -> usize {
    let wanted = std::env::var("GRADUS_KILLS").ok();
    wanted.map_or(DEFAULT_KILLS, |text| {
        text.parse().expect("GRADUS_KILLS is a number")
    })
}

fn start(folder: &Path, run: &str, threads: usize) -> Child {
    Command::new(env!("CARGO_BIN_EXE_gradus"))
        .current_dir(folder)
        .args([
            "train",
            "recipe.toml",
            "--resume",
            "--out",
            run,
            "--threads",
            &threads.to_string(),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn finish(folder: &Path, run: &str, threads: usize) {
    assert!(
        start(folder, run, threads).wait().unwrap().success(),
        "{run} did not end well"
    );
}

fn assert_same(folder: &Path, run: &str, reference: &str) {
    for name in COMPARED {
        let [got, expected] = [run, reference].map(|run| std::fs::read(folder.join(run).join(name)).unwrap());
        assert!(
            got == expected,
            "{run}: {name} differs from the uninterrupted run's"
        );
    }
}

/// No kill may leave a checkpoint that cannot be used.
fn assert_no_broken_checkpoint(run: &Path) {
    if run.join("recipe.toml").exists() {
        let search = RunDir::open(run).unwrap().latest_good().unwrap();
        assert!(search.skipped.is_empty(), "{:?}", search.skipped);
    }
}

/// As [`RECIPE`], for a language model: tokens are made first, and evaluations fall inside the only epoch.
const LANGUAGE_RECIPE: &str = r#"
[data]
text = ["DATA"]
tokenizer = "bpe"
vocab_size = 300

[model]
model_type = "llama"
hidden_size = 32
intermediate_size = 64
num_hidden_layers = 2
num_attention_heads = 4
num_key_value_heads = 2

[train]
max_steps = 120
batch_size = 4
block_size = 32
precision = "bf16"
accumulate = 2
seed = 3
clip_norm = 1.0
log_every_steps = 5
checkpoint_every_steps = 7
eval_every_steps = 20
eval_batches = 4
sample_tokens = 16
restore_best = true

[optimizer]
name = "adamw"
weight_decay_scope = "matrices"

[schedule]
name = "cosine"
warmup_steps = 20
"#;

#[test]
fn killed_runs_resume_to_the_weights_of_uninterrupted_ones() {
    let folder = tempfile::tempdir().unwrap();
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/fashion-mnist-sample");
    std::fs::write(folder.path().join("recipe.toml"), RECIPE.replace("DATA", data)).unwrap();
    kill_again_and_again(folder.path());
}

#[test]
fn killed_language_models_resume_to_the_weights_of_uninterrupted_ones() {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (0..3000u32)
        .map(|index| {
            format!(
                "{} and {} make {}.\n",
                index % 37,
                index % 11,
                index % 37 + index % 11
            )
        })
        .collect();
    let path = folder.path().join("sums.txt");
    std::fs::write(&path, text).unwrap();
    let recipe = LANGUAGE_RECIPE.replace("DATA", &path.display().to_string());
    std::fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
    kill_again_and_again(folder.path());
}

/// Trains the folder's recipe whole, and again with kills at random moments, with one thread and with two.
fn kill_again_and_again(folder: &Path) {
    let started = Instant::now();
    finish(folder, "whole-1", 1);
    let whole = started.elapsed();
    finish(folder, "whole-2", 2);
    assert_same(folder, "whole-2", "whole-1");

    let mut rng = Rng::seed_from(u64::from(std::process::id()));
    for threads in [1, 2] {
        let (mut killed, mut runs) = (0, 0);
        while killed < kills() {
            let run = format!("killed-{threads}-{runs}");
            // Most kills fall inside the training; some before its first step or while the package is written.
            while killed < kills() {
                let mut child = start(folder, &run, threads);
                std::thread::sleep(Duration::from_secs_f64(whole.as_secs_f64() * rng.uniform()));
                if child.try_wait().unwrap().is_some() {
                    break;
                }
                child.kill().unwrap();
                child.wait().unwrap();
                killed += 1;
                assert_no_broken_checkpoint(&folder.join(&run));
            }
            finish(folder, &run, threads);
            assert_same(folder, &run, "whole-1");
            runs += 1;
        }
    }
}
