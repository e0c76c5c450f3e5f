//! `gradus evaluate --metrics` gives scikit-learn's figures (golden/requested_metrics.json), weighted and not, of every task.
#![cfg(test)]

mod support;

use std::path::Path;

use gradus_data::{
    ColumnTransform, Preprocessing, TablePreprocessing, TargetEncoding, Transform, ValueColumn,
};
use gradus_package::{Encoding, Lineage, Manifest, Package, PackageContents, Signature, TensorSpec};
use gradus_tensor::{DType, Tensor};
use serde_json::{Value, json};

use support::{refused, succeed};

const TOLERANCE: f64 = 1e-12;

fn cases() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/requested_metrics.json");
    let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    golden["cases"].as_array().unwrap().clone()
}

fn names(width: usize) -> Vec<String> {
    (0..width).map(|at| format!("y{at}")).collect()
}

fn targets(task: &str, width: usize) -> Option<TargetEncoding> {
    let column = |name| ValueColumn {
        name,
        mean: 0.0,
        std: 1.0,
    };
    match task {
        "classification" => None,
        "multilabel" => Some(TargetEncoding::Labels {
            columns: names(width),
        }),
        _ => Some(TargetEncoding::Values {
            columns: names(width).into_iter().map(column).collect(),
        }),
    }
}

/// Saves a model that answers with its inputs.
fn save_identity(folder: &Path, task: &str, width: usize) {
    let column = |at: usize| ColumnTransform {
        name: format!("x{at}"),
        transform: Transform::Numeric {
            mean: 0.0,
            std: 1.0,
            fill: 0.0,
        },
    };
    let preprocessing = Preprocessing::Table(TablePreprocessing {
        label: "y0".to_owned(),
        columns: (0..width).map(column).collect(),
        targets: targets(task, width),
    });
    let spec = |name: &str| TensorSpec {
        name: name.to_owned(),
        dtype: DType::F32,
        shape: vec![None, Some(width)],
    };
    let signature = Signature {
        inputs: vec![spec("input")],
        outputs: vec![spec("output")],
        labels: names(width),
    };
    let diagonal = (0..width * width).map(|at| f32::from(u8::from(at % (width + 1) == 0)));
    let contents = PackageContents {
        config: json!({
            "model_type": "mlp", "input_shape": [width], "hidden_sizes": [], "num_classes": width, "activation": "relu",
        }),
        tensors: vec![
            (
                "layers.0.weight".into(),
                Tensor::from_vec::<f32>(diagonal.collect(), [width, width]).unwrap(),
            ),
            ("layers.0.bias".into(), Tensor::zeros([width], DType::F32)),
        ],
        manifest: Manifest::new(task, signature, preprocessing, Lineage::by_this_build()),
        encoding: Encoding::Dense,
        files: Default::default(),
    };
    Package::save(folder.join("model"), &contents).unwrap();
}

fn prepared(case: &Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let width = case["width"].as_u64().unwrap() as usize;
    save_identity(folder.path(), case["task"].as_str().unwrap(), width);
    std::fs::write(folder.path().join("rows.csv"), case["csv"].as_str().unwrap()).unwrap();
    folder
}

/// What `gradus evaluate` answers in JSON.
fn evaluated(folder: &Path, more: &[&str]) -> Value {
    let args = [&["evaluate", "model", "--data", "rows.csv", "--json"][..], more].concat();
    serde_json::from_str(&succeed(folder, &args)).unwrap()
}

fn assert_figures(found: &Value, expected: &Value, what: &str) {
    let found = found["metrics"].as_array().unwrap();
    let expected = expected.as_object().unwrap();
    assert_eq!(found.len(), expected.len(), "{what}");
    for figure in found {
        let name = figure["name"].as_str().unwrap();
        let (value, truth) = (
            figure["value"].as_f64().unwrap(),
            expected[name].as_f64().unwrap(),
        );
        assert!(
            (value - truth).abs() <= TOLERANCE * truth.abs().max(1.0),
            "{what}, {name}: {value}, scikit-learn {truth}"
        );
    }
}

#[test]
fn every_requested_figure_is_scikit_learns() {
    for case in cases() {
        let folder = prepared(&case);
        for (kind, weights) in [("plain", &[][..]), ("weighted", &["--sample-weight", "w"][..])] {
            let expected = &case[kind];
            let asked: Vec<&str> = expected.as_object().unwrap().keys().map(String::as_str).collect();
            let metrics = asked.join(",");
            let args = [&["--bootstrap", "0", "--metrics", &metrics][..], weights].concat();
            let found = evaluated(folder.path(), &args);
            assert_figures(&found, expected, &format!("{} {kind}", case["task"]));
            if case["task"] == "regression" && kind == "plain" {
                let usual = asked.iter().map(|name| {
                    let value = &found[name]["value"];
                    json!({"name": name, "value": value})
                });
                assert_figures(
                    &json!({"metrics": usual.collect::<Value>()}),
                    expected,
                    "the usual",
                );
            }
            let column = found["sample_weight"].as_str();
            assert_eq!(column, (kind == "weighted").then_some("w"));
        }
    }
}

#[test]
fn intervals_hold_their_figures_and_groups_and_weights_change_them() {
    for (task, metrics) in [
        ("classification", "accuracy,cohen_kappa,log_loss,roc_auc"),
        ("multilabel", "macro_f1,samples_f1,roc_auc"),
        ("regression", "mae,median_absolute_error,r2"),
    ] {
        let cases = cases();
        let case = cases.iter().find(|case| case["task"] == task).unwrap();
        let folder = prepared(case);
        let ends = |more: &[&str]| -> Vec<[f64; 3]> {
            let found = evaluated(folder.path(), &[&["--metrics", metrics][..], more].concat());
            let figures = found["metrics"].as_array().unwrap().iter();
            let number = |value: &Value| value.as_f64().unwrap();
            figures
                .map(|figure| {
                    let interval = &figure["interval"];
                    [&interval["lower"], &figure["value"], &interval["upper"]].map(number)
                })
                .collect()
        };
        let plain = ends(&[]);
        for more in [
            &["--sample-weight", "w"][..],
            &["--cluster", "w"],
            &["--interval", "bca"],
        ] {
            let other = ends(more);
            for [lower, value, upper] in &other {
                assert!(lower < value && value < upper, "{task} {more:?}: {other:?}");
            }
            assert_ne!(other, plain, "{task} {more:?}");
        }
        let page = folder.path().join("r.html");
        let more = ["--metrics", metrics, "--sample-weight", "w", "--report", "r.html"];
        let table = succeed(
            folder.path(),
            &[&["evaluate", "model", "--data", "rows.csv"][..], &more].concat(),
        );
        assert!(table.contains("metric, rows weighted by w"), "{table}");
        let page = std::fs::read_to_string(page).unwrap();
        let last = metrics.rsplit(',').next().unwrap();
        assert!(page.contains(&format!("<th scope=\"row\">{last}</th>")), "{task}");
    }
}

#[test]
fn names_and_weights_that_cannot_be_used_are_refused_in_plain_words() {
    let case = &cases()[0];
    let folder = prepared(case);
    let folder = folder.path();
    let with = |more: &[&str]| {
        let said = refused(
            folder,
            &[&["evaluate", "model", "--data", "rows.csv"][..], more].concat(),
        );
        assert!(!said.contains("panicked"), "{said}");
        said
    };
    let said = with(&["--metrics", "acuracy"]);
    assert!(
        said.contains("`acuracy`") && said.contains("macro_f1") && !said.contains("rmse"),
        "{said}"
    );
    let said = with(&["--metrics", "accuracy,rmse"]);
    assert!(
        said.contains("`rmse`") && said.contains("classification") && said.contains("cohen_kappa"),
        "{said}"
    );
    assert!(with(&["--sample-weight", "w"]).contains("--metrics"));
    let weighted = |column: &str| with(&["--metrics", "accuracy", "--sample-weight", column]);
    assert!(weighted("weight").contains("weight"));
    assert!(weighted("y0").contains("text"));
    for (weight, said) in [("-1", "-1"), ("", "row 0 has none"), ("inf", "w"), ("nan", "w")] {
        let csv = case["csv"].as_str().unwrap();
        let mut lines: Vec<String> = csv.lines().map(str::to_owned).collect();
        let kept = lines[1].rsplit_once(',').unwrap().0.to_owned();
        lines[1] = format!("{kept},{weight}");
        std::fs::write(folder.join("rows.csv"), lines.join("\n")).unwrap();
        assert!(weighted("w").contains(said), "{weight}: {}", weighted("w"));
    }
    let rows = case["csv"].as_str().unwrap().lines().enumerate();
    let zeros: String = rows
        .map(|(at, line)| match (at, line.rsplit_once(',')) {
            (0, _) | (_, None) => format!("{line}\n"),
            (_, Some((kept, _))) => format!("{kept},0\n"),
        })
        .collect();
    std::fs::write(folder.join("rows.csv"), zeros).unwrap();
    assert!(weighted("w").contains("all of them are 0"));
}
