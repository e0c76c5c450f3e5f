//! `gradus tune`, as it is typed: it finds, it writes, it survives kills, and nobody else gets into its study.
//!
//! A handful of kills by default; `GRADUS_KILLS=50` does as many as a release wants to see.
#![cfg(test)]
#![cfg(feature = "train")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use gradus_tensor::Rng;
use gradus_tune::search::{Settings, Space, Study, Trial, read_study};

/// Kills unless `GRADUS_KILLS` says otherwise.
const DEFAULT_KILLS: usize = 6;

const RECIPE: &str = r#"
[data]
train = "DATA"
max_samples = 600
validation_fraction = 0.25

[model]
model_type = "mlp"
hidden_sizes = [32]

[train]
epochs = 5
monitor = "accuracy"
seed = 3

[optimizer]
name = "adam"
"#;

const SPACE: &str = r#"
train.learning_rate = { low = 1e-4, high = 1e-1, log = true }
train.batch_size = { choices = [16, 32, 64] }
model.hidden_sizes.0 = { low = 8, high = 64, step = 8 }
"#;

fn prepare(folder: &Path) {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/fashion-mnist-sample");
    std::fs::write(folder.join("recipe.toml"), RECIPE.replace("DATA", data)).unwrap();
    std::fs::write(folder.join("space.toml"), SPACE).unwrap();
}

fn tune(folder: &Path, out: &str, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradus"));
    command
        .current_dir(folder)
        .args(["tune", "recipe.toml", "--space", "space.toml", "--out", out]);
    command.args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn succeed(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

#[test]
fn a_search_leaves_a_table_a_recipe_that_trains_and_a_report() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let output = succeed(tune(
        folder.path(),
        "found",
        &["--trials", "6", "--sampler", "sobol", "--jobs", "2", "--json"],
    ));
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["trials"].as_array().unwrap().len(), 6);
    let best = result["best"]["value"].as_f64().unwrap();
    for trial in result["trials"].as_array().unwrap() {
        assert!(
            trial["value"].as_f64().is_none_or(|value| value <= best),
            "{trial}"
        );
    }
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("model.hidden_sizes.0") && text.contains("best"),
        "{text}"
    );
    let page = std::fs::read_to_string(folder.path().join("found/report.html")).unwrap();
    assert!(page.contains("Which settings matter") && page.contains("<svg"));
    assert!(
        !folder.path().join("found/trials/0000").exists(),
        "a finished trial's run is removed"
    );
    let mut train = Command::new(env!("CARGO_BIN_EXE_gradus"));
    train
        .current_dir(folder.path())
        .args(["train", "found/best.toml", "--out", "again"]);
    succeed(train);
    // The same recipe gives the same training, so what was found is found again.
    let metrics = std::fs::read_to_string(folder.path().join("again/metrics.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    assert_eq!(last["validation_accuracy"].as_f64(), Some(best));
}

#[test]
fn mistakes_are_the_users_and_are_told_before_anything_is_trained() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let cases = [
        (
            "train.lerning_rate = { low = 1e-4, high = 1e-1 }",
            "did you mean `learning_rate`",
        ),
        ("train.learning_rate = { low = 1.0, high = 0.1 }", "low end"),
        ("train.learning_rate = 3", "a range or choices"),
    ];
    for (space, expected) in cases {
        std::fs::write(folder.path().join("space.toml"), space).unwrap();
        let output = tune(folder.path(), "none", &["--trials", "2"]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(expected), "{text}");
        let _ = std::fs::remove_dir_all(folder.path().join("none"));
    }
}

#[test]
fn two_processes_cannot_write_one_study() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    succeed(tune(folder.path(), "first", &["--trials", "1"]));
    let path = folder.path().join("first/study.db");
    let (settings, _): (Settings, Vec<Trial>) = read_study(&path).unwrap();
    let held = Study::open(&path, Space::parse(SPACE).unwrap(), settings).unwrap();
    let output = tune(folder.path(), "first", &["--trials", "2"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("in use by another process"), "{text}");
    drop(held);
    let output = tune(folder.path(), "first", &["--trials", "2", "--seed", "9"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("--seed differ"));
    let output = succeed(tune(folder.path(), "first", &["--trials", "2"]));
    assert!(String::from_utf8_lossy(&output.stderr).contains("going on with 1 finished"));
}

fn finished(path: &Path) -> BTreeMap<u64, Trial> {
    if !path.exists() {
        return BTreeMap::new();
    }
    let (_, trials) = read_study(path).unwrap();
    let finished = trials.into_iter().filter(Trial::is_finished);
    finished.map(|trial| (trial.number, trial)).collect()
}

/// A trial without what a kill may change: how long it took, and in how many processes.
fn essence(trial: &Trial) -> Trial {
    Trial {
        attempts: 0,
        seconds: 0.0,
        ..trial.clone()
    }
}

#[test]
fn a_killed_search_loses_no_finished_trial_repeats_none_and_ends_as_if_it_never_was() {
    let kills = std::env::var("GRADUS_KILLS").map_or(DEFAULT_KILLS, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let options = ["--trials", "16", "--pruner", "asha", "--seed", "5"];
    let started = Instant::now();
    succeed(tune(folder.path(), "whole", &options));
    let whole = started.elapsed();
    let expected = finished(&folder.path().join("whole/study.db"));
    assert_eq!(expected.len(), 16);

    let mut rng = Rng::seed_from(u64::from(std::process::id()));
    let (mut killed, mut searches) = (0, 0);
    while killed < kills {
        let out = format!("killed-{searches}");
        let path = folder.path().join(&out).join("study.db");
        let mut before = BTreeMap::new();
        loop {
            let mut child = tune(folder.path(), &out, &options)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            if killed < kills {
                std::thread::sleep(Duration::from_secs_f64(whole.as_secs_f64() * 0.5 * rng.uniform()));
            }
            if killed < kills && child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                child.wait().unwrap();
                killed += 1;
            } else {
                assert!(child.wait().unwrap().success(), "{out} did not end well");
            }
            let now = finished(&path);
            for (number, trial) in &before {
                assert_eq!(
                    now.get(number),
                    Some(trial),
                    "trial {number} was finished before a kill"
                );
            }
            let is_done = now.len() == expected.len();
            before = now;
            if is_done {
                break;
            }
        }
        for (number, trial) in &expected {
            assert_eq!(essence(&before[number]), essence(trial), "{out}, trial {number}");
        }
        searches += 1;
    }
}
