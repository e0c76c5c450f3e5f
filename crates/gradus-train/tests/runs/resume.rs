//! A run that is stopped and resumed, anywhere and any number of times, ends in the bytes of one that never was.

use crate::common::{assert_same_files, comparable_files, recipe, run};
use gradus_tensor::Rng;
use gradus_train::StopReason;

/// Recipes that together use everything a checkpoint must hold.
fn demanding_recipes() -> Vec<(&'static str, Vec<&'static str>)> {
    vec![
        (
            "adam with dropout, averaged weights and checkpoints inside epochs",
            vec![
                "model.dropout=0.3",
                "train.ema_decay=0.9",
                "train.checkpoint_every_steps=3",
                "train.log_every_steps=4",
                "train.clip_norm=0.5",
            ],
        ),
        (
            "momentum, accumulation, warm-up and cosine",
            vec![
                "optimizer.name=sgd",
                "optimizer.momentum=0.9",
                "optimizer.nesterov=true",
                "train.accumulate=3",
                "train.log_every_steps=2",
                "train.learning_rate=0.05",
                "schedule.name=cosine",
                "schedule.warmup_steps=4",
                "train.restore_best=true",
            ],
        ),
        (
            "plateau, early stopping, amsgrad and few checkpoints",
            vec![
                "optimizer.amsgrad=true",
                "train.learning_rate=0.05",
                "train.epochs=6",
                "schedule.name=reduce_on_plateau",
                "schedule.patience=0",
                "train.early_stopping={patience=2, min_delta=0.05}",
                "train.checkpoint_every_epochs=3",
                "train.monitor=accuracy",
                "train.log_every_steps=5",
            ],
        ),
    ]
}

#[test]
fn stopped_and_resumed_runs_end_in_the_same_bytes() {
    let mut rng = Rng::seed_from(5);
    for (name, settings) in demanding_recipes() {
        let recipe = recipe(&settings);
        let folder = tempfile::tempdir().unwrap();
        let whole = folder.path().join("whole");
        let outcome = run(&recipe, &whole, None);
        let expected = comparable_files(&whole);
        for attempt in 0..3 {
            let cut = folder.path().join(format!("cut-{attempt}"));
            let mut stop_at = 1 + rng.below(5) as u64;
            while stop_at < outcome.step {
                let stopped = run(&recipe, &cut, Some(stop_at));
                assert_eq!(
                    (stopped.reason, stopped.step),
                    (StopReason::Interrupted, stop_at),
                    "{name}"
                );
                stop_at += 1 + rng.below(9) as u64;
            }
            let resumed = run(&recipe, &cut, None);
            assert_eq!(
                (resumed.reason, resumed.step, resumed.best),
                (outcome.reason, outcome.step, outcome.best)
            );
            let mut files = comparable_files(&cut);
            // The signals' own checkpoints displace older ones; the last and the best are the same.
            let last = format!("checkpoints/step-{:08}.safetensors", outcome.step);
            let kept = |name: &String| !name.starts_with("checkpoints/step-") || *name == last;
            files.retain(|name, _| kept(name));
            let mut expected = expected.clone();
            expected.retain(|name, _| kept(name));
            // Positions in TensorBoard's log lie in the last checkpoint: equal, since events have one size.
            assert_same_files(&files, &expected, name);
        }
    }
}

#[test]
fn a_crash_after_the_last_checkpoint_repeats_the_steps_to_the_same_bytes() {
    let recipe = recipe(&["model.dropout=0.2", "train.log_every_steps=3"]);
    let folder = tempfile::tempdir().unwrap();
    let (whole, cut) = (folder.path().join("whole"), folder.path().join("cut"));
    run(&recipe, &whole, None);
    run(&recipe, &cut, Some(12));
    // What a kill leaves: lines behind the checkpoint, half a line, a temporary file.
    let metrics = cut.join("metrics.jsonl");
    let text = std::fs::read_to_string(&metrics).unwrap();
    std::fs::write(
        &metrics,
        text + "{\"step\":13,\"epoch\":2,\"loss\":0.1}\n{\"step\":1",
    )
    .unwrap();
    std::fs::write(
        cut.join("checkpoints/.step-00000013.safetensors.gradus-tmp-1-0"),
        b"half",
    )
    .unwrap();
    run(&recipe, &cut, None);
    let model = |name: &str| std::fs::read(folder.path().join(name).join("model/model.safetensors")).unwrap();
    assert_eq!(model("whole"), model("cut"));
    assert_eq!(
        std::fs::read(whole.join("metrics.jsonl")).unwrap(),
        std::fs::read(metrics).unwrap()
    );
}

#[test]
fn a_damaged_last_checkpoint_falls_back_to_the_one_before() {
    let recipe = recipe(&["train.checkpoint_every_steps=4"]);
    let folder = tempfile::tempdir().unwrap();
    let (whole, cut) = (folder.path().join("whole"), folder.path().join("cut"));
    run(&recipe, &whole, None);
    run(&recipe, &cut, Some(10));
    let last = cut.join("checkpoints/step-00000010.safetensors");
    let mut bytes = std::fs::read(&last).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&last, bytes).unwrap();
    run(&recipe, &cut, None);
    let model = |name: &str| std::fs::read(folder.path().join(name).join("model/model.safetensors")).unwrap();
    assert_eq!(model("whole"), model("cut"));
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let recipe = recipe(&[
        "model.dropout=0.2",
        "model.hidden_sizes=[128]",
        "data.max_samples=1280",
    ]);
    let folder = tempfile::tempdir().unwrap();
    let mut runs = Vec::new();
    for threads in [1, 2] {
        gradus_kernels::pool::set_threads(threads);
        let path = folder.path().join(threads.to_string());
        run(&recipe, &path, None);
        runs.push(comparable_files(&path));
    }
    assert_same_files(&runs[1], &runs[0], "2 threads against 1");
}
