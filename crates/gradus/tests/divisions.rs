//! `gradus data split`, `gradus crossval` and what `gradus evaluate` refuses, from outside.
#![cfg(test)]
#![cfg(feature = "train")]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use support::{command, gradus, refused, succeed};

/// Passengers of a ship, whose names tell nothing.
fn passengers(folder: &Path) {
    let lines: String = (0..240)
        .map(|row| {
            let woman = row * 5 % 9 < 4;
            let survived = woman != (row % 10 == 0);
            let age = if row % 7 == 0 {
                String::new()
            } else {
                (row * 37 % 70).to_string()
            };
            let sex = if woman { "female" } else { "male" };
            format!("\"Passenger, {row}\",{sex},{age},{}\n", u8::from(survived))
        })
        .collect();
    fs::write(folder.join("ship.csv"), format!("name,sex,age,survived\n{lines}")).unwrap();
}

/// The recipe that `gradus new table` makes of the passengers.
fn recipe(path: &Path) -> String {
    succeed(
        path,
        &["new", "table", "--data", "ship.csv", "--label", "survived"],
    )
}

/// The same, as a file.
fn write_recipe(path: &Path) {
    fs::write(path.join("ship.toml"), recipe(path)).unwrap();
}

#[test]
fn a_bare_table_is_cross_validated_in_one_command() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    passengers(path);
    let args = [
        "crossval",
        "--data",
        "ship.csv",
        "--label",
        "survived",
        "--folds",
        "4",
        "--set",
        "train.epochs=30",
    ];
    let output = gradus(path, &args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("column `name` is left out"), "{said}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(
        table.contains("4 stratified folds") && table.contains("accuracy"),
        "{table}"
    );
    // The same again finds every fold finished.
    let again: Value = serde_json::from_str(&succeed(path, &[&args[..], &["--json"]].concat())).unwrap();
    assert_eq!(again["folds"].as_array().unwrap().len(), 4);
    let accuracy = &again["metrics"][0];
    assert_eq!(accuracy["name"], "accuracy");
    assert!(accuracy["mean"].as_f64().unwrap() > 0.8, "{accuracy}");
    let predictions = fs::read_to_string(path.join("runs/ship-crossval/predictions.csv")).unwrap();
    assert_eq!(predictions.lines().count(), 241);
    // And as a recipe.
    write_recipe(path);
    let args = [
        "crossval",
        "ship.toml",
        "--folds",
        "4",
        "--set",
        "train.epochs=30",
        "--jobs",
        "2",
        "--out",
        "cv",
    ];
    succeed(path, &args);
    assert_eq!(
        fs::read_to_string(path.join("cv/predictions.csv")).unwrap(),
        predictions
    );
}

#[test]
fn a_killed_cross_validation_goes_on_and_repeats_no_finished_fold() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    passengers(path);
    write_recipe(path);
    let args = |out: &'static str| {
        [
            "crossval",
            "ship.toml",
            "--set",
            "train.epochs=60",
            "--folds",
            "3",
            "--out",
            out,
        ]
    };
    succeed(path, &args("whole"));
    let mut child: Child = command(path, &args("killed"))
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let second = path.join("killed/folds/r001-f002.json");
    let start = Instant::now();
    while !second.exists() && start.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none()
    {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let written = fs::metadata(&second).unwrap().modified().unwrap();
    succeed(path, &args("killed"));
    assert_eq!(fs::metadata(&second).unwrap().modified().unwrap(), written);
    let predictions = |out: &str| fs::read_to_string(path.join(out).join("predictions.csv")).unwrap();
    assert_eq!(predictions("whole"), predictions("killed"));
}

#[test]
fn a_table_is_split_and_the_model_refuses_the_rows_it_was_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    passengers(path);
    let split = [
        "data",
        "split",
        "ship.csv",
        "--train",
        "0.75",
        "--test",
        "0.25",
        "--stratify",
        "survived",
    ];
    let written: Value = serde_json::from_str(&succeed(path, &[&split[..], &["--json"]].concat())).unwrap();
    assert_eq!(
        (&written[0]["rows"], &written[1]["rows"]),
        (&180.into(), &60.into())
    );
    let recipe = succeed(
        path,
        &[
            "new",
            "table",
            "--data",
            "ship-split/train.csv",
            "--label",
            "survived",
        ],
    );
    fs::write(path.join("ship.toml"), recipe).unwrap();
    succeed(
        path,
        &[
            "train",
            "ship.toml",
            "--set",
            "data.validation_fraction=0",
            "--set",
            "train.epochs=2",
            "--out",
            "run",
        ],
    );
    let [new, known] = ["ship-split/test.csv", "ship-split/train.csv"];
    let scoring: [&[&str]; 6] = [
        &["evaluate", "run"],
        &["compare", "run", "run"],
        &["stress", "run", "--tests", "noise"],
        &["calibrate", "run", "--force", "--out", "calibrated"],
        &["compress", "run", "--prune", "0.5", "--force", "--out", "pruned"],
        &["explain", "run", "--method", "permutation"],
    ];
    for command in scoring {
        let on = |data, more: &[&'static str]| [command, &["--data", data], more].concat();
        let heard = gradus(path, &on(new, &[]));
        let said = String::from_utf8_lossy(&heard.stderr).into_owned();
        assert!(heard.status.success(), "{said}");
        assert!(
            said.contains("of 60 rows equal a row that the model was trained on"),
            "{said}"
        );
        let said = refused(path, &on(known, &[]));
        assert!(
            said.contains("of these 180 rows") && said.contains("--allow-trained-rows"),
            "{said}"
        );
        succeed(path, &on(known, &["--allow-trained-rows"]));
    }
}

#[test]
fn validation_rows_held_out_by_a_fraction_are_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    passengers(path);
    write_recipe(path);
    let train = [
        "train",
        "ship.toml",
        "--set",
        "data.validation_fraction=0.25",
        "--set",
        "train.epochs=2",
    ];
    let trained = succeed(path, &[&train[..], &["--out", "run", "--json"]].concat());
    let trained: Value = serde_json::from_str(&trained).unwrap();
    let measured = trained["package"]["metrics"].as_array().unwrap();
    let evaluate = ["evaluate", "run", "--data", "ship.csv", "--split"];
    let found = succeed(path, &[&evaluate[..], &["validation", "--json"]].concat());
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["n"], 60);
    let accuracy = measured
        .iter()
        .find(|metric| metric["name"] == "accuracy")
        .unwrap();
    assert_eq!(accuracy["split"], "validation");
    assert_eq!(
        found["report"]["accuracy"]["value"], accuracy["value"],
        "the very rows of the training"
    );
    // The whole file is no test data, as most of it was trained on.
    let said = refused(path, &[&evaluate[..], &["test"]].concat());
    assert!(said.contains("of these 240 rows"), "{said}");
    // Two models of one division are compared on what both left out.
    let compare = [
        "compare",
        "run",
        "run",
        "--data",
        "ship.csv",
        "--split",
        "validation",
    ];
    assert!(succeed(path, &compare).contains("60 rows"));
}

#[test]
fn the_test_rows_of_a_recipes_split_are_scored_on_its_whole_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    passengers(path);
    let recipe = recipe(path);
    let recipe = recipe.replace(
        "\n[model]",
        "\n[data.split]\ntrain = 0.7\nvalidation = 0.1\ntest = 0.2\n\n[model]",
    );
    fs::write(path.join("ship.toml"), recipe).unwrap();
    let said = refused(path, &["train", "ship.toml", "--out", "run"]);
    assert!(said.contains("validation_fraction"), "{said}");
    let args = [
        "train",
        "ship.toml",
        "--set",
        "data.validation_fraction=0",
        "--set",
        "train.epochs=2",
        "--out",
        "run",
    ];
    succeed(path, &args);
    let evaluation = succeed(
        path,
        &[
            "evaluate", "run", "--data", "ship.csv", "--split", "test", "--json",
        ],
    );
    let evaluation: Value = serde_json::from_str(&evaluation).unwrap();
    assert_eq!(evaluation["n"], 48);
    // A temperature is fitted to one part and measured on another.
    let calibrate = [
        "calibrate",
        "run",
        "--data",
        "ship.csv",
        "--measure-split",
        "test",
    ];
    let found = succeed(
        path,
        &[&calibrate[..], &["--out", "calibrated", "--json"]].concat(),
    );
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!((&found["split"], &found["n"]), (&"validation".into(), &24.into()));
    let measured = &found["measured"];
    assert_eq!((&measured["split"], &measured["n"]), (&"test".into(), &48.into()));
    let loss = |value: &Value| value.as_f64().unwrap();
    assert!((loss(&measured["before"]["log_loss"]) - loss(&evaluation["log_loss"])).abs() < 1e-9);
    let args = [
        "evaluate",
        "calibrated",
        "--data",
        "ship.csv",
        "--split",
        "test",
        "--json",
    ];
    let calibrated: Value = serde_json::from_str(&succeed(path, &args)).unwrap();
    assert!((loss(&measured["after"]["log_loss"]) - loss(&calibrated["log_loss"])).abs() < 1e-9);
    let same = [&calibrate[..], &["--fit-split", "test", "--out", "other"]].concat();
    let said = refused(path, &same);
    assert!(said.contains("48 of the 48 rows to measure on"), "{said}");
    let plain = ["calibrate", "run", "--data", "ship.csv", "--out", "other"];
    assert!(succeed(path, &plain).contains("measured on the same"));
}

#[test]
fn says_what_cannot_be_split() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    passengers(path);
    let said = refused(
        path,
        &["data", "split", "ship.csv", "--train", "0.9", "--test", "0.2"],
    );
    assert!(said.contains("more than 1"), "{said}");
    let said = refused(path, &["data", "split", "ship.csv", "--train", "1"]);
    assert!(said.contains("nothing is split off"), "{said}");
    let said = refused(path, &["data", "split", "ship.csv", "--group", "user"]);
    assert!(said.contains("no column `user`"), "{said}");
    let said = refused(
        path,
        &[
            "crossval", "--data", "ship.csv", "--label", "survived", "--folds", "999",
        ],
    );
    assert!(said.contains("999"), "{said}");
}
