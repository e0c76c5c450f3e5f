//! A language model's steps allocate nothing after the first two. Alone in its process, so that the counts are its own.

use gradus_tensor::{PoolStats, pool_stats};
use gradus_train::{Event, Recipe, TrainOptions, train};

#[test]
fn memory_is_flat_from_the_second_step_on() {
    let folder = tempfile::tempdir().unwrap();
    // Longer than all steps read: at the end of an epoch a checkpoint is written.
    let text: String = (0..40_000)
        .map(|index| char::from(b'a' + (index * index % 23) as u8))
        .collect();
    std::fs::write(folder.path().join("text.txt"), text).unwrap();
    for precision in ["f32", "bf16"] {
        let settings = [
            format!("data.text=['{}']", folder.path().join("text.txt").display()),
            format!("train.precision={precision}"),
            "model.n_layer=2".to_owned(),
            "model.n_head=2".to_owned(),
            "model.n_embd=32".to_owned(),
            "train.max_steps=200".to_owned(),
            "train.batch_size=4".to_owned(),
            "train.block_size=16".to_owned(),
            "train.eval_every_steps=1000".to_owned(),
        ];
        let recipe = Recipe::parse(Recipe::template("gpt").unwrap(), &settings).unwrap();
        let mut seen: Vec<PoolStats> = Vec::new();
        let mut observer = |event: &Event<'_>| {
            if let Event::Step(_) = event {
                seen.push(pool_stats());
            }
        };
        train(
            &recipe,
            &TrainOptions::new(folder.path().join(precision)),
            &mut observer,
        )
        .unwrap();
        let (second, last) = (seen[1], seen[199]);
        assert_eq!(last.allocations, second.allocations, "{precision}");
        assert_eq!(
            (last.live_bytes, last.free_bytes, last.peak_bytes),
            (second.live_bytes, second.free_bytes, second.peak_bytes),
            "{precision}"
        );
    }
}
