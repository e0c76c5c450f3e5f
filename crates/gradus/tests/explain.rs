//! `gradus explain`, from a package on disk to what a person or a program reads.
#![cfg(test)]

use std::path::Path;
use std::process::{Command, Output};

use gradus_data::text::{TextError, Tokenizer};
use gradus_data::{ColumnTransform, Preprocessing, TablePreprocessing, Transform};
use gradus_package::{Encoding, Lineage, Manifest, Package, PackageContents, Signature, TensorSpec};
use gradus_tensor::{DType, Tensor};
use serde_json::{Value, json};

/// A linear model of one number and one category: `no` = 0, `yes` = 2·age + 3·(deck = a) − 1·(deck = b).
fn save_package(folder: &Path) {
    let numeric = Transform::Numeric {
        mean: 30.0,
        std: 10.0,
        fill: 30.0,
    };
    let categorical = Transform::Categorical {
        values: vec!["a".into(), "b".into()],
    };
    let column = |name: &str, transform| ColumnTransform {
        name: name.into(),
        transform,
    };
    let preprocessing = Preprocessing::Table(TablePreprocessing {
        label: "survived".into(),
        columns: vec![column("age", numeric), column("deck", categorical)],
        targets: None,
    });
    let spec = |name: &str, width| TensorSpec {
        name: name.into(),
        dtype: DType::F32,
        shape: vec![None, Some(width)],
    };
    let signature = Signature {
        inputs: vec![spec("input", 3)],
        outputs: vec![spec("logits", 2)],
        labels: vec!["no".into(), "yes".into()],
    };
    let weight = vec![0.0f32, 0.0, 0.0, 2.0, 3.0, -1.0];
    let contents = PackageContents {
        config: json!({"model_type": "mlp", "input_shape": [3], "hidden_sizes": [], "num_classes": 2}),
        tensors: vec![
            (
                "layers.0.weight".into(),
                Tensor::from_vec(weight, [2, 3]).unwrap(),
            ),
            (
                "layers.0.bias".into(),
                Tensor::from_vec(vec![0.0f32; 2], [2]).unwrap(),
            ),
        ],
        manifest: Manifest::new(
            "classification",
            signature,
            preprocessing,
            Lineage::by_this_build(),
        ),
        encoding: Encoding::Dense,
        files: Default::default(),
    };
    Package::save(folder.join("model"), &contents).unwrap();
    std::fs::write(
        folder.join("rows.csv"),
        "age,deck,survived\n40,a,yes\n25,b,no\n30,a,yes\n10,b,no\n50,b,yes\n20,a,no\n",
    )
    .unwrap();
}

fn explain(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gradus"))
        .current_dir(folder)
        .args(["explain", "model", "--data", "rows.csv"])
        .args(arguments)
        .output()
        .unwrap()
}

fn answer(folder: &Path, arguments: &[&str]) -> Value {
    let output = explain(folder, &[arguments, &["--json"]].concat());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn attributions(sample: &Value) -> Vec<f64> {
    let values = sample["attributions"].as_array().unwrap();
    values.iter().map(|value| value.as_f64().unwrap()).collect()
}

#[test]
fn every_method_attributes_a_linear_model_to_its_columns() {
    let folder = tempfile::tempdir().unwrap();
    save_package(folder.path());
    for method in ["integrated-gradients", "occlusion", "kernel-shap"] {
        let found = answer(folder.path(), &["--method", method, "--target", "yes"]);
        assert_eq!(found["columns"], json!(["age", "deck"]));
        let samples = found["samples"].as_array().unwrap();
        assert_eq!(samples.len(), 6);
        // 40 years are one deviation above the mean, and deck a stands against no deck.
        for (got, expected) in attributions(&samples[0]).iter().zip([2.0, 3.0]) {
            assert!(
                (got - expected).abs() < 1e-5,
                "{method}: {got}, expected {expected}"
            );
        }
        assert_eq!(samples[0]["label"], 1);
    }
    let found = answer(
        folder.path(),
        &["--method", "saliency", "--target", "yes", "--index", "0"],
    );
    assert_eq!(
        attributions(&found["samples"][0]),
        [2.0, 4.0],
        "the sizes of a column's slopes add up"
    );
}

#[test]
fn permutation_says_what_the_model_goes_by() {
    let folder = tempfile::tempdir().unwrap();
    save_package(folder.path());
    let found = answer(folder.path(), &["--method", "permutation", "--repeats", "20"]);
    assert_eq!(found["metric"], "accuracy");
    assert_eq!(found["n"], 6);
    assert!(found["features"][1]["mean"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_person_reads_tables_and_mistakes_end_with_2() {
    let folder = tempfile::tempdir().unwrap();
    save_package(folder.path());
    let output = explain(folder.path(), &["--samples", "2"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("deck = a: +3.000") && text.contains("mean |attribution|"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "no colours in a pipe");
    for (arguments, part) in [
        (["--target", "maybe"], "knows [\"no\", \"yes\"]"),
        (["--index", "6"], "has 6"),
        (["--baseline", "black"], "needs pictures"),
        (["--steps", "0"], "steps is 0"),
        (["--method", "attention"], "only language models"),
    ] {
        let output = explain(folder.path(), &arguments);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(part), "{message}");
    }
}

/// A language model of 67 tokens, with a letter for each of the first.
fn save_language_model(folder: &Path) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/transformers/llama");
    std::fs::create_dir_all(folder.join("llama")).unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(golden.join(name), folder.join("llama").join(name)).unwrap();
    }
    let letters = ('a'..='z').map(|letter| letter.to_string());
    let tokenizer = Tokenizer::characters(letters.map(Ok::<_, TextError>)).unwrap();
    tokenizer.save(&folder.join("llama")).unwrap();
}

#[test]
fn a_language_models_answer_is_attributed_to_its_tokens() {
    let folder = tempfile::tempdir().unwrap();
    save_language_model(folder.path());
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_gradus"))
            .current_dir(folder.path())
            .args([&["explain", "llama"], arguments].concat())
            .output()
            .unwrap()
    };
    for method in [
        "integrated-gradients",
        "saliency",
        "smoothgrad",
        "occlusion",
        "kernel-shap",
        "attention",
    ] {
        let output = run(&["--text", "hello", "--answer", "xyz", "--method", method, "--json"]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let tokens = found[0]["tokens"].as_array().unwrap();
        assert_eq!(
            tokens
                .iter()
                .filter_map(|token| token["text"].as_str())
                .collect::<String>(),
            "hello",
            "{method}"
        );
        assert_eq!(found[0]["answer"].as_array().unwrap().len(), 3);
    }
    std::fs::write(
        folder.path().join("lines.jsonl"),
        "{\"text\": \"abc\"}\n{\"prompt\": \"d\", \"answer\": \"e\"}\n",
    )
    .unwrap();
    let output = run(&["--data", "lines.jsonl"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.matches("log-probability").count(), 2, "{text}");
    assert!(!text.contains('\u{1b}'), "no colours in a pipe");
    for (arguments, part) in [
        (["--text", "a", "--method", "permutation"], "labelled data sets"),
        (["--text", "a", "--baseline", "black"], "no black or white"),
        (["--text", "a", "--target", "truth"], "--answer"),
    ] {
        let output = run(&arguments);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(part), "{message}");
    }
}
