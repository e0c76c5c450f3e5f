//! Regression and multilabel from outside: a template's recipe through every command, and what is refused.
#![cfg(test)]
#![cfg(feature = "train")]

mod support;

use std::path::Path;

use serde_json::Value;

use support::{refused, succeed};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/diabetes");

fn metric(metrics: &Value, name: &str) -> f64 {
    let metrics = metrics.as_array().unwrap();
    let found = metrics.iter().find(|metric| metric["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}"))["value"]
        .as_f64()
        .unwrap()
}

#[test]
fn a_regression_goes_the_whole_road() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let recipe = succeed(folder, &["new", "regression"]);
    std::fs::write(folder.join("r.toml"), recipe.replace("data/diabetes", DATA)).unwrap();
    let trained: Value =
        serde_json::from_str(&succeed(folder, &["train", "r.toml", "--out", "run", "--json"])).unwrap();
    assert!(metric(&trained["package"]["metrics"], "r2") > 0.2, "{trained}");
    let test = format!("{DATA}/test.csv");

    let table = succeed(folder, &["evaluate", "run", "--data", &test]);
    assert!(
        table.contains("RMSE") && table.contains("R²") && table.contains("88 samples"),
        "{table}"
    );
    let evaluation: Value =
        serde_json::from_str(&succeed(folder, &["evaluate", "run", "--data", &test, "--json"])).unwrap();
    let r2 = evaluation["r2"]["value"].as_f64().unwrap();
    assert!(
        (r2 - metric(&trained["package"]["metrics"], "r2")).abs() < 1e-12,
        "{evaluation}"
    );

    let answers: Value =
        serde_json::from_str(&succeed(folder, &["predict", "run", "--input", &test, "--json"])).unwrap();
    let first = &answers[0]["values"][0];
    assert_eq!(first["target"], "target");
    assert!(
        (20.0..400.0).contains(&first["value"].as_f64().unwrap()),
        "{first}"
    );
    assert!(succeed(folder, &["predict", "run", "--input", &test]).contains("target"));
    let shown = succeed(folder, &["inspect", "run"]);
    assert!(
        shown.contains("regression") && shown.contains("values f32 [batch, 1]") && shown.contains("targets"),
        "{shown}"
    );

    // Smaller packages answer in the same unit, nearly as well.
    for flags in [&["--quantize", "int8"][..], &["--prune", "0.3"]] {
        let args = [
            &["compress", "run", "--data", &test, "--out", "small", "--json"][..],
            flags,
        ]
        .concat();
        let small: Value = serde_json::from_str(&succeed(folder, &args)).unwrap();
        assert!(metric(&small["manifest"]["metrics"], "r2") > r2 - 0.1, "{small}");
        std::fs::remove_dir_all(folder.join("small")).unwrap();
    }
    succeed(
        folder,
        &["evaluate", "run", "--data", &test, "--report", "r.html"],
    );
    let page = std::fs::read_to_string(folder.join("r.html")).unwrap();
    assert!(page.contains("RMSE") && page.contains("<svg"), "{page}");
    let said = refused(
        folder,
        &[
            "train",
            "r.toml",
            "--out",
            "other",
            "--set",
            "data.label=sex",
            "--set",
            "data.task=ranking",
        ],
    );
    assert!(said.contains("data.task"), "{said}");
}

#[test]
fn labels_go_the_whole_road() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rows: String = (0..200)
        .map(|i| {
            let (x, y) = (i % 20, i / 20);
            let tags = [(x > 9, "right"), (y > 4, "top"), (x + y > 25, "corner")];
            let tags: Vec<&str> = tags
                .iter()
                .filter(|(applies, _)| *applies)
                .map(|(_, name)| *name)
                .collect();
            format!("{x},{y},{}\n", tags.join("|"))
        })
        .collect();
    std::fs::write(folder.join("rows.csv"), format!("x,y,tags\n{rows}")).unwrap();
    let recipe = "[data]\ntrain = 'rows.csv'\ntask = 'multilabel'\nlabel = 'tags'\nlabel_separator = '|'\n\
        [model]\nmodel_type = 'mlp'\nhidden_sizes = [16]\n[train]\nepochs = 60\nlearning_rate = 0.02\n";
    std::fs::write(folder.join("l.toml"), recipe).unwrap();
    let crossval = [
        "crossval",
        "l.toml",
        "--folds",
        "4",
        "--json",
        "--stratify",
        "--out",
        "cv",
    ];
    let folds: Value = serde_json::from_str(&succeed(folder, &crossval)).unwrap();
    let told = |name: &str| fold_values(&folds, name);
    let rows: Vec<f64> = folds["folds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fold| fold["test_rows"].as_f64().unwrap())
        .collect();
    let (mut wrong, mut exact) = (vec![0.0; 4], vec![0.0; 4]);
    for Predicted { fold, cells, .. } in predictions(&folder.join("cv")) {
        let (truth, probabilities) = cells.split_at(cells.len() / 2);
        let off = truth
            .iter()
            .zip(probabilities)
            .filter(|(truth, p)| (**p >= 0.5) != (**truth == 1.0));
        let off = off.count() as f64;
        wrong[fold] += off / truth.len() as f64 / rows[fold];
        exact[fold] += if off == 0.0 { 1.0 / rows[fold] } else { 0.0 };
    }
    assert_close(&told("hamming_loss"), &wrong);
    assert_close(&told("subset_accuracy"), &exact);
    succeed(folder, &["train", "l.toml", "--out", "run"]);
    let table = succeed(
        folder,
        &["evaluate", "run", "--data", "rows.csv", "--allow-trained-rows"],
    );
    assert!(
        table.contains("corner") && table.contains("subset accuracy"),
        "{table}"
    );
    std::fs::write(folder.join("new.csv"), "x,y\n19,9\n0,0\n").unwrap();
    let answers: Value = serde_json::from_str(&succeed(
        folder,
        &["predict", "run", "--input", "new.csv", "--json"],
    ))
    .unwrap();
    assert_eq!(answers[0]["labels"].as_array().unwrap().len(), 3, "{answers}");
    assert_eq!(answers[1]["labels"].as_array().unwrap().len(), 0, "{answers}");
    let table = succeed(folder, &["predict", "run", "--input", "new.csv"]);
    assert!(
        table.contains("corner, right, top") && table.contains("all below"),
        "{table}"
    );
    succeed(
        folder,
        &[
            "compress",
            "run",
            "--quantize",
            "int8",
            "--data",
            "rows.csv",
            "--allow-trained-rows",
            "--out",
            "small",
        ],
    );
}

/// A row of `predictions.csv`: truths, then answers.
struct Predicted {
    fold: usize,
    row: usize,
    cells: Vec<f64>,
}

fn predictions(folder: &Path) -> Vec<Predicted> {
    let text = std::fs::read_to_string(folder.join("predictions.csv")).unwrap();
    let parse = |line: &str| {
        let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        Predicted {
            fold: cells[1] as usize,
            row: cells[2] as usize,
            cells: cells[3..].to_vec(),
        }
    };
    text.lines().skip(1).map(parse).collect()
}

/// What a cross-validation tells of a metric, fold by fold.
fn fold_values(result: &Value, metric: &str) -> Vec<f64> {
    let metrics = result["metrics"].as_array().unwrap();
    let found = metrics.iter().find(|found| found["name"] == metric).unwrap();
    let values = found["values"].as_array().unwrap();
    values.iter().map(|value| value.as_f64().unwrap()).collect()
}

fn assert_close(found: &[f64], expected: &[f64]) {
    let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-9;
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(close),
        "{found:?} against {expected:?}"
    );
}

#[test]
fn a_regression_is_cross_validated_and_its_figures_are_those_of_its_predictions() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let truth = |row: usize| (row * 7 % 20 * 2 + row % 3) as f64;
    let rows: String = (0..200)
        .map(|row| format!("{},{},{}\n", row * 7 % 20, row % 3, truth(row)))
        .collect();
    std::fs::write(folder.join("rows.csv"), format!("x,y,z\n{rows}")).unwrap();
    let recipe = "[data]\ntrain = 'rows.csv'\ntask = 'regression'\nlabel = 'z'\n\
        [model]\nmodel_type = 'mlp'\nhidden_sizes = [8]\n[train]\nepochs = 5\nlearning_rate = 0.02\n";
    std::fs::write(folder.join("r.toml"), recipe).unwrap();
    let crossval = ["crossval", "r.toml", "--folds", "4", "--json", "--out", "cv"];
    let result: Value = serde_json::from_str(&succeed(folder, &crossval)).unwrap();
    let predicted = predictions(&folder.join("cv"));
    let mut seen: Vec<usize> = predicted.iter().map(|predicted| predicted.row).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..200).collect::<Vec<_>>(), "each row is predicted once");
    let of_fold = |fold: usize, error: fn(f64, f64) -> f64| {
        let rows = predicted.iter().filter(|predicted| predicted.fold == fold);
        rows.map(|predicted| error(predicted.cells[0], predicted.cells[1]))
            .sum::<f64>()
            / 50.0
    };
    let means = |error| [0, 1, 2, 3].map(|fold| of_fold(fold, error));
    assert!(
        predicted
            .iter()
            .all(|predicted| predicted.cells[0] == truth(predicted.row))
    );
    assert_close(
        &fold_values(&result, "mae"),
        &means(|truth, answer| (truth - answer).abs()),
    );
    let squares = means(|truth, answer| (truth - answer).powi(2));
    assert_close(&fold_values(&result, "mse"), &squares);
    assert_close(&fold_values(&result, "rmse"), &squares.map(f64::sqrt));
    let said = refused(folder, &["crossval", "r.toml", "--stratify", "--out", "other"]);
    assert!(said.contains("classes or labels"), "{said}");
}

#[test]
fn a_language_model_is_refused_in_plain_words() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let tiny = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/transformers/gpt2");
    succeed(folder, &["import", tiny, "--out", "lm"]);
    let said = refused(
        folder,
        &["compress", "lm", "--quantize", "int8", "--out", "small"],
    );
    assert!(
        said.contains("`causal_lm`") && !said.contains("variant"),
        "{said}"
    );
    #[cfg(feature = "serve")]
    {
        let said = refused(folder, &["serve", "lm", "--port", "0"]);
        assert!(
            said.contains("`causal_lm`") && said.contains("regression") && !said.contains("variant"),
            "{said}"
        );
    }
}
