//! A small text, recipes on it, and ways to stop a run.

use gradus_train::{Event, Outcome, Recipe, TrainOptions, train};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Writes a text that a small model can learn: sentences of a few words, and every printable character once.
pub fn write_text(folder: &Path) {
    let subjects = ["the cat", "a dog", "my neighbour", "the queen"];
    let verbs = ["sees", "follows", "remembers"];
    let objects = ["the river", "a lantern", "an old song", "the garden", "nobody"];
    let mut text: String = (' '..='~').collect();
    for index in 0..400 {
        let (subject, verb) = (subjects[index % 4], verbs[index / 3 % 3]);
        text += &format!("\n{subject} {verb} {}.", objects[index * 7 % 5]);
    }
    std::fs::write(folder.join("text.txt"), text).unwrap();
}

/// The template's recipe on the text in `folder`, very small, with more settings on top.
pub fn recipe(folder: &Path, more: &[&str]) -> Recipe {
    let text = format!("data.text=['{}']", folder.join("text.txt").display());
    let base = [
        "model.n_layer=2",
        "model.n_head=2",
        "model.n_embd=32",
        "train.max_steps=12",
        "train.batch_size=4",
        "train.block_size=16",
        "train.eval_every_steps=5",
        "train.eval_batches=2",
        "train.sample_tokens=8",
        "train.precision=f32",
        "schedule.warmup_steps=3",
    ];
    parse("gpt", text, &base, more)
}

/// A recipe from a template with settings on top.
pub fn parse(template: &str, first: String, base: &[&str], more: &[&str]) -> Recipe {
    let settings = base.iter().chain(more).map(|setting| (*setting).to_owned());
    let overrides: Vec<String> = std::iter::once(first).chain(settings).collect();
    Recipe::parse(Recipe::template(template).unwrap(), &overrides).unwrap()
}

/// Trains, or goes on, until the end or until after `stop_at` steps.
pub fn run(recipe: &Recipe, folder: &Path, stop_at: Option<u64>) -> Outcome {
    let flag: Arc<AtomicBool> = Arc::default();
    let raised = flag.clone();
    let mut observer = move |event: &Event<'_>| {
        if let Event::Step(report) = event
            && stop_at == Some(report.step)
        {
            raised.store(true, Ordering::Relaxed);
        }
    };
    let options = TrainOptions {
        resume: true,
        stop: flag,
        ..TrainOptions::new(folder)
    };
    train(recipe, &options, &mut observer).unwrap()
}

/// The files of a run that must not depend on interruptions, with their bytes.
pub fn comparable_files(run: &Path, folders: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for folder in folders {
        for entry in std::fs::read_dir(run.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
            files.insert(name, std::fs::read(path).unwrap());
        }
    }
    let log = run.join("metrics.jsonl");
    files.insert("metrics.jsonl".to_owned(), std::fs::read(log).unwrap());
    files
}

/// Fails with the name of the first file that differs.
pub fn assert_same(got: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>, context: &str) {
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(got), names(expected), "{context}");
    for (name, bytes) in expected {
        assert!(got[name] == *bytes, "{context}: {name} differs");
    }
}
