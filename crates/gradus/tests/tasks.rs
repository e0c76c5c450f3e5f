//! Regression and multilabel from outside: a template's recipe through every command, and what is refused.
#![cfg(test)]
#![cfg(feature = "train")]

mod support;

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
