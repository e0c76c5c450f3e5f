#![cfg(test)]
//! `gradus evaluate --tasks` from outside, with a golden model.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../golden")
        .join(name)
}

/// A folder with a tiny model and the tokenizer of the golden tasks.
fn model() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in [
        "transformers/llama/config.json",
        "transformers/llama/model.safetensors",
        "lm_tasks/tokenizer.json",
        "lm_tasks/tokenizer_config.json",
    ] {
        let from = golden(file);
        std::fs::copy(&from, folder.path().join(from.file_name().unwrap())).unwrap();
    }
    folder
}

fn evaluate(model: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gradus"))
        .current_dir(golden("lm_tasks"))
        .arg("evaluate")
        .arg(model)
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn tasks_are_answered_written_down_and_reported() {
    let folder = model();
    let (samples, report) = (
        folder.path().join("samples.jsonl"),
        folder.path().join("report.html"),
    );
    let arguments = [
        "--tasks",
        "choices.jsonl",
        "answers.jsonl",
        "texts.jsonl",
        "--limit",
        "6",
        "--samples",
        samples.to_str().unwrap(),
        "--report",
        report.to_str().unwrap(),
        "--max-tokens",
        "8",
        "--json",
    ];
    let output = evaluate(folder.path(), &arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
    let tasks = outcome["tasks"].as_array().unwrap();
    assert_eq!(
        tasks
            .iter()
            .map(|task| task["task"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["choices", "answers", "texts"]
    );
    assert_eq!(tasks[0]["documents"], 6);
    let accuracy = &tasks[0]["multiple_choice"]["acc"];
    assert!(accuracy["value"].is_f64() && accuracy["interval"]["lower"].is_f64());
    assert!(tasks[1]["generation"]["chrf"].is_f64() && tasks[2]["perplexity"]["bits_per_byte"].is_f64());
    let lines = std::fs::read_to_string(&samples).unwrap();
    assert_eq!(lines.lines().count(), 6 + 6 + 3);
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["task"].is_string() && line["doc"].is_object() && line["filtered_resps"].is_array());
    }
    let page = std::fs::read_to_string(&report).unwrap();
    assert!(
        page.contains("Wrong answers") && !page.contains("http:") && !page.contains("https:"),
        "the page shows wrong answers and needs no network"
    );

    let output = evaluate(
        folder.path(),
        &[
            "--tasks",
            "choices.jsonl",
            "--limit",
            "3",
            "--shots",
            "2",
            "--shots-from",
            "shots.jsonl",
            "--bootstrap",
            "0",
        ],
    );
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && table.contains("acc_norm") && table.contains("tokens read"),
        "{table}"
    );
}

#[test]
fn mistakes_are_the_users_and_name_their_place() {
    let folder = model();
    let bad = folder.path().join("bad.jsonl");
    std::fs::write(
        &bad,
        "{\"text\": \"a\"}\n{\"query\": \"q\", \"choices\": [\"x\", \"y\"], \"gold\": 2}\n",
    )
    .unwrap();
    let bad = bad.to_str().unwrap();
    for (arguments, told) in [
        (&["--tasks", bad][..], "bad.jsonl, line 2: `gold` is 2"),
        (&["--tasks", "absent.jsonl"], "cannot read absent.jsonl"),
        (
            &[
                "--tasks",
                "choices.jsonl",
                "--shots",
                "9",
                "--shots-from",
                "shots.jsonl",
            ],
            "shots.jsonl has 3 documents",
        ),
        (&["--tasks", "choices.jsonl", "--shots", "1"], "--shots-from"),
        (&["--tasks", "choices.jsonl", "--text", "a.txt"], "--text"),
        (&["--tasks", "choices.jsonl", "--limit", "0"], "--limit"),
        (&[], "--data"),
    ] {
        let output = evaluate(folder.path(), arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(told), "{arguments:?}: {said}");
    }
}
