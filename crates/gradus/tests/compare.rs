//! `gradus compare` and the slices, groups and intervals of `gradus evaluate`, from outside.
#![cfg(test)]
#![cfg(feature = "train")]

mod support;

use std::path::Path;

use serde_json::Value;

use support::{refused, succeed};

/// A table that a small network learns; `site` and `family` are no inputs.
const RECIPE: &str = r#"
[data]
train = "visits.csv"
label = "ill"
drop = ["site", "family"]

[model]
model_type = "mlp"
hidden_sizes = [8]

[train]
epochs = EPOCHS
batch_size = 16
seed = 1
"#;

/// A folder with a table and two models of it: `short` has hardly been trained, `long` has.
fn trained() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut table = "site,family,fever,age,ill\n".to_owned();
    for row in 0..400 {
        let (fever, age) = (f64::from(row * 37 % 101) / 101.0, row * 53 % 90);
        let noise = if row % 11 == 0 { 0.5 } else { 0.0 };
        let ill = if fever + noise > 0.55 { "yes" } else { "no" };
        let site = ["north", "south", "east"][row as usize % 3];
        table.push_str(&format!("{site},{},{fever:.3},{age},{ill}\n", row / 4));
    }
    std::fs::write(folder.path().join("visits.csv"), table).unwrap();
    for (name, epochs) in [("short", "1"), ("long", "60")] {
        std::fs::write(
            folder.path().join("recipe.toml"),
            RECIPE.replace("EPOCHS", epochs),
        )
        .unwrap();
        succeed(folder.path(), &["train", "recipe.toml", "--out", name]);
    }
    folder
}

#[test]
fn two_models_are_compared_and_one_is_sliced() {
    let folder = trained();
    let folder = folder.path();
    verdicts(folder);
    slices(folder);
    refusals(folder);
}

fn verdicts(folder: &Path) {
    let compare = [
        "compare",
        "short",
        "long",
        "--data",
        "visits.csv",
        "--allow-trained-rows",
    ];
    let said = succeed(folder, &compare);
    assert!(said.contains("B is better: accuracy +"), "{said}");
    assert!(said.contains("McNemar's p = 0.000"), "{said}");
    let said = succeed(
        folder,
        &[
            "compare",
            "long",
            "long",
            "--data",
            "visits.csv",
            "--allow-trained-rows",
        ],
    );
    assert!(said.contains("no difference can be told with 400 rows"), "{said}");
    let [one, two] = ["1", "2"].map(|threads| {
        let more = [
            "--json",
            "--threads",
            threads,
            "--interval",
            "bca",
            "--metrics",
            "accuracy,log_loss",
        ];
        succeed(folder, &[&compare, more.as_slice()].concat())
    });
    assert_eq!(one, two, "the number of threads changes nothing");
    let comparison: Value = serde_json::from_str(&one).unwrap();
    assert_eq!(comparison["verdict"], "b_better");
    assert_eq!(comparison["differences"].as_array().unwrap().len(), 2);
    assert_eq!(comparison["bootstrap"]["method"], "bca");
    assert!(
        comparison["differences"][1]["difference"]["interval"]["upper"]
            .as_f64()
            .unwrap()
            < 0.0
    );
}

fn slices(folder: &Path) {
    let evaluate = [
        "evaluate",
        "long",
        "--data",
        "visits.csv",
        "--allow-trained-rows",
        "--slices",
        "site,age",
    ];
    let said = succeed(folder, &evaluate);
    assert!(
        said.contains("by site") && said.contains("by age") && said.contains(" to below "),
        "{said}"
    );
    let more = [
        "--cluster",
        "family",
        "--bootstrap",
        "500",
        "--json",
        "--report",
        "r.html",
    ];
    let evaluation = succeed(folder, &[&evaluate, more.as_slice()].concat());
    let evaluation: Value = serde_json::from_str(&evaluation).unwrap();
    assert_eq!(evaluation["groups"], 100);
    let tables = evaluation["slices"].as_array().unwrap();
    for table in tables {
        let slices = table["slices"].as_array().unwrap();
        let accuracy = |slice: &Value| slice["figures"][0]["value"].as_f64().unwrap();
        assert!(
            slices
                .windows(2)
                .all(|pair| accuracy(&pair[0]) <= accuracy(&pair[1])),
            "{table}"
        );
        let rows: u64 = slices.iter().map(|slice| slice["n"].as_u64().unwrap()).sum();
        assert_eq!(rows, 400);
    }
    let page = std::fs::read_to_string(folder.join("r.html")).unwrap();
    assert!(page.contains("By site") && page.contains("100 groups of samples"));
}

fn refusals(folder: &Path) {
    let said = refused(
        folder,
        &[
            "evaluate",
            "long",
            "--data",
            "visits.csv",
            "--allow-trained-rows",
            "--slices",
            "colour",
        ],
    );
    assert!(
        said.contains("has no column `colour`") && said.contains("site"),
        "{said}"
    );
    let said = refused(
        folder,
        &[
            "compare",
            "long",
            "short",
            "--data",
            "visits.csv",
            "--allow-trained-rows",
            "--metrics",
            "beauty",
        ],
    );
    assert!(said.contains("accuracy, macro_f1"), "{said}");
    let said = refused(
        folder,
        &[
            "compare",
            "long",
            "short",
            "--data",
            "visits.csv",
            "--allow-trained-rows",
            "--bootstrap",
            "10",
        ],
    );
    assert!(said.contains("resamples is 10"), "{said}");
}
