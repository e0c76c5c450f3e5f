//! What a run says it will take against what the system saw it take. Alone in its process, for its peak to be its own.
#![cfg(test)]
#![cfg(target_os = "linux")]

use gradus_train::{Event, Recipe, TrainOptions, train};

/// How far off the estimate may be.
const TOLERANCE: f64 = 0.15;

/// What this process holds that the system cannot take back, in bytes: files that are mapped, such as the checkpoint read
/// at the end, do not count. Freed tensors wait for the next step, so the end of a step tells what its middle took.
fn held_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn the_estimate_is_close_to_the_peak() {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (0..40_000)
        .map(|index| char::from(b'a' + (index * index % 23) as u8))
        .collect();
    std::fs::write(folder.path().join("text.txt"), text).unwrap();
    // From the smallest to the largest, as the allocator does not return all: mostly activations, then mostly weights.
    for (name, shape) in [
        (
            "activations computed again",
            [
                "model.n_embd=192",
                "train.activation_checkpointing=true",
                "train.batch_size=24",
            ],
        ),
        (
            "activations",
            [
                "model.n_embd=256",
                "train.activation_checkpointing=false",
                "train.batch_size=8",
            ],
        ),
        (
            "weights",
            [
                "model.n_embd=640",
                "train.activation_checkpointing=false",
                "train.batch_size=1",
            ],
        ),
    ] {
        let fixed = [
            format!("data.text=['{}']", folder.path().join("text.txt").display()),
            "model.n_layer=6".to_owned(),
            "model.n_head=4".to_owned(),
            "train.max_steps=2".to_owned(),
            "train.block_size=256".to_owned(),
            "train.eval_every_steps=2".to_owned(),
            "train.eval_batches=1".to_owned(),
            "train.sample_tokens=2".to_owned(),
        ];
        let settings: Vec<String> = fixed.into_iter().chain(shape.map(str::to_owned)).collect();
        let recipe = Recipe::parse(Recipe::template("gpt").unwrap(), &settings).unwrap();
        let (mut estimate, mut peak) = (None, 0);
        let mut observer = |event: &Event<'_>| {
            peak = peak.max(held_bytes());
            if let Event::Started(plan) = event {
                estimate = plan.memory.clone();
            }
        };
        train(
            &recipe,
            &TrainOptions::new(folder.path().join(name)),
            &mut observer,
        )
        .unwrap();
        gradus_tensor::pool_trim();
        let (estimate, peak) = (estimate.unwrap(), peak as f64);
        let ratio = estimate.total() as f64 / peak;
        println!(
            "{name}: {estimate:?}, {:.0} MB of {:.0} MB",
            estimate.total() as f64 / 1e6,
            peak / 1e6
        );
        assert!(
            (ratio - 1.0).abs() < TOLERANCE,
            "{name}: estimated {estimate:?}, took {peak}"
        );
    }
}
