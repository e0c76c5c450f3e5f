//! `gradus stress` from outside: a trained package, its table and its JSON, and what it refuses.
#![cfg(test)]
#![cfg(feature = "train")]

mod support;

use serde_json::Value;

use support::{refused, succeed};

/// Enough of a training for a model to have something to lose.
const RECIPE: &str = r#"
[data]
train = "DATA"
max_samples = 600

[model]
model_type = "mlp"
hidden_sizes = [16]

[train]
epochs = 2
"#;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/fashion-mnist-sample");

/// A folder with a trained package `run/model`.
fn trained() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("recipe.toml"), RECIPE.replace("DATA", DATA)).unwrap();
    succeed(folder.path(), &["train", "recipe.toml", "--out", "run"]);
    folder
}

#[test]
fn a_model_is_stressed_in_words_and_in_json() {
    let folder = trained();
    let folder = folder.path();
    let stress = [
        "stress",
        "run",
        "--data",
        DATA,
        "--tests",
        "noise,pgd",
        "--epsilon",
        "0.02,0.1",
    ];
    let table = succeed(folder, &stress);
    assert!(table.contains("clean") && table.contains("pgd"), "{table}");
    assert!(!table.contains("blur") && !table.contains("fgsm"), "{table}");

    let [one, two] = ["1", "2"].map(|threads| {
        succeed(
            folder,
            &[&stress, ["--json", "--threads", threads].as_slice()].concat(),
        )
    });
    assert_eq!(one, two, "the number of threads changes nothing");
    let report: Value = serde_json::from_str(&one).unwrap();
    assert_eq!(report["unit"], "pixels");
    let severities = report["tests"][1]["severities"].as_array().unwrap();
    let accuracy = |value: &Value| value["accuracy"].as_f64().unwrap();
    assert!(accuracy(&report["clean"]) > accuracy(&severities[0]));
    assert!(
        accuracy(&severities[0]) > accuracy(&severities[1]),
        "{severities:?}"
    );

    succeed(
        folder,
        &["compress", "run", "--quantize", "int8", "--out", "int8"],
    );
    let said = refused(
        folder,
        &["compress", "run", "--quantize", "int8", "--out", "int8"],
    );
    assert!(said.contains("int8 exists") && said.contains("--force"), "{said}");
    let said = refused(folder, &["stress", "int8", "--data", DATA, "--tests", "fgsm"]);
    assert!(said.contains("compressed from"), "{said}");
    let said = refused(
        folder,
        &["explain", "int8", "--data", DATA, "--method", "saliency"],
    );
    assert!(said.contains("occlusion, permutation and kernel-shap"), "{said}");
    let unasked = succeed(folder, &["stress", "int8", "--data", DATA, "--json"]);
    let unasked: Value = serde_json::from_str(&unasked).unwrap();
    assert_eq!(unasked["tests"].as_array().unwrap().len(), 5);
    assert_eq!(unasked["skipped"][0]["test"], "fgsm");
    let said = refused(folder, &["stress", "run", "--data", DATA, "--epsilon", "1.5"]);
    assert!(said.contains("epsilon is 1.5"), "{said}");
}

#[test]
fn a_calibrated_package_is_surer_of_nothing_it_gets_wrong() {
    let folder = trained();
    let folder = folder.path();
    let calibrate = ["calibrate", "run", "--data", DATA, "--split", "test"];
    let said = succeed(
        folder,
        &[&calibrate, ["--report", "calibration.html"].as_slice()].concat(),
    );
    assert!(
        said.contains("temperature") && said.contains("run-calibrated"),
        "{said}"
    );
    assert!(folder.join("calibration.html").is_file());
    let said = refused(folder, &calibrate);
    assert!(said.contains("--force"), "{said}");
    let found = succeed(
        folder,
        &[&calibrate, ["--json", "--out", "other"].as_slice()].concat(),
    );
    let found: Value = serde_json::from_str(&found).unwrap();
    let number = |value: &Value| value.as_f64().unwrap();
    assert!(number(&found["after"]["log_loss"]) < number(&found["before"]["log_loss"]));
    assert!(succeed(folder, &["inspect", "other"]).contains("calibrated   temperature"));

    let [plain, calibrated] = ["run", "other"].map(|model| {
        let scored = succeed(
            folder,
            &["evaluate", model, "--data", DATA, "--bootstrap", "0", "--json"],
        );
        serde_json::from_str::<Value>(&scored).unwrap()
    });
    assert_eq!(plain["confusion"], calibrated["confusion"], "no class changes");
    let difference = number(&calibrated["log_loss"]) - number(&found["after"]["log_loss"]);
    assert!(difference.abs() < 1e-9, "evaluate applies the temperature");
}
