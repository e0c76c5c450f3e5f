//! What the tests of whole runs share: a small recipe on real images, and ways to stop a run.

use gradus_train::{Event, Observer, Outcome, Recipe, TrainOptions, train};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A recipe on 640 images of the sample, ten batches of 64 but for validation, with more settings on top.
pub fn recipe(more: &[&str]) -> Recipe {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/fashion-mnist-sample");
    let train = format!("data.train={data}");
    let base = [
        "data.max_samples=640",
        "data.validation_fraction=0.2",
        "train.epochs=3",
        "model.hidden_sizes=[32]",
    ];
    let overrides: Vec<String> = [train.as_str()]
        .into_iter()
        .chain(base)
        .chain(more.iter().copied())
        .map(str::to_owned)
        .collect();
    Recipe::parse(Recipe::template("classifier").unwrap(), &overrides).unwrap()
}

/// Raises the stop flag after given steps.
pub struct StopAt {
    pub step: Option<u64>,
    pub flag: Arc<AtomicBool>,
    pub steps_seen: u64,
}

impl StopAt {
    pub fn new(step: Option<u64>) -> StopAt {
        StopAt {
            step,
            flag: Arc::default(),
            steps_seen: 0,
        }
    }
}

impl Observer for StopAt {
    fn on_event(&mut self, event: &Event<'_>) {
        if let Event::Step(report) = event {
            self.steps_seen += 1;
            if self.step == Some(report.step) {
                self.flag.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// Trains, or goes on, until the end or until `stop_at`.
pub fn run(recipe: &Recipe, folder: &Path, stop_at: Option<u64>) -> Outcome {
    let mut observer = StopAt::new(stop_at);
    let options = TrainOptions {
        resume: true,
        stop: observer.flag.clone(),
        ..TrainOptions::new(folder)
    };
    train(recipe, &options, &mut observer).unwrap()
}

/// Every file of a run that must not depend on interruptions, with its bytes.
pub fn comparable_files(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for folder in ["model", "checkpoints"] {
        for entry in std::fs::read_dir(run.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
            files.insert(name, std::fs::read(path).unwrap());
        }
    }
    files.insert(
        "metrics.jsonl".to_owned(),
        std::fs::read(run.join("metrics.jsonl")).unwrap(),
    );
    files
}

/// Fails with the name of the first file that differs.
pub fn assert_same_files(
    got: &BTreeMap<String, Vec<u8>>,
    expected: &BTreeMap<String, Vec<u8>>,
    context: &str,
) {
    assert_eq!(
        got.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>(),
        "{context}"
    );
    for (name, bytes) in expected {
        assert!(got[name] == *bytes, "{context}: {name} differs");
    }
}
