//! A package from disk answers the same however its samples come in, and refuses what does not fit.

use crate::support::{contents, dataset, pixels_of};
use gradus_evaluate::{Error, EvaluateOptions, Predictor, evaluate};
use gradus_package::{Package, PackageContents};
use gradus_tensor::Tensor;
use serde_json::{Value, json};

fn saved(contents: &PackageContents) -> (tempfile::TempDir, Predictor) {
    let folder = tempfile::tempdir().expect("a valid fixture");
    Package::save(folder.path().join("model"), contents).expect("a valid fixture");
    let predictor = Predictor::open(folder.path().join("model")).expect("a valid fixture");
    (folder, predictor)
}

#[test]
fn a_predictor_is_shared_between_threads() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Predictor>();
}

#[test]
fn data_sets_and_json_give_the_same_bits() {
    let (_folder, predictor) = saved(&contents());
    let dataset = dataset();
    let from_dataset = predictor.predict_dataset(&dataset, 4).unwrap();
    let samples: Vec<Value> = (0..dataset.len()).map(|at| json!(pixels_of(at))).collect();
    let from_json = predictor
        .predict_batch(&predictor.encode_json(&samples).unwrap())
        .unwrap();
    assert_eq!(from_json.to_vec::<f32>().unwrap(), from_dataset.logits());
}

#[test]
fn the_batch_size_changes_nothing() {
    let (_folder, predictor) = saved(&contents());
    let whole = predictor.predict_dataset(&dataset(), 1000).unwrap();
    for batch_size in [1, 3, 7] {
        assert_eq!(predictor.predict_dataset(&dataset(), batch_size).unwrap(), whole);
    }
    assert!(matches!(
        predictor.predict_dataset(&dataset(), 0),
        Err(Error::BatchSize)
    ));
}

#[test]
fn probabilities_are_the_softmax_of_the_logits() {
    let (_folder, predictor) = saved(&contents());
    let inputs = dataset().samples().tensor(0..5);
    let probabilities = predictor
        .predict_probabilities(&inputs)
        .unwrap()
        .to_vec::<f32>()
        .unwrap();
    let predictions = predictor.predict_dataset(&dataset(), 5).unwrap();
    for (at, row) in probabilities.chunks_exact(3).enumerate() {
        for (&found, expected) in row.iter().zip(predictions.probabilities(at)) {
            assert!((f64::from(found) - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}

#[test]
fn an_evaluation_says_what_is_right_and_what_is_worst() {
    let (_folder, predictor) = saved(&contents());
    let evaluation = evaluate(&predictor, &dataset(), &EvaluateOptions::default()).unwrap();
    // The brightest pixel decides; every fifth label was turned to the next class.
    assert_eq!(evaluation.n, 30);
    assert_eq!(evaluation.report.accuracy.value, 0.8);
    assert_eq!(evaluation.worst_errors.len(), 6);
    assert!(evaluation.worst_errors.iter().all(|error| error.index % 5 == 0));
    assert!(
        evaluation
            .worst_errors
            .windows(2)
            .all(|pair| pair[0].loss >= pair[1].loss)
    );
    assert_eq!(evaluation.dataset_sha256, dataset().fingerprint());
    let metrics = evaluation.metric_values("test");
    assert_eq!(
        (metrics[0].name.as_str(), metrics[0].value, metrics[0].n),
        ("accuracy", 0.8, 30)
    );
    assert!(metrics[0].lower.unwrap() < 0.8 && metrics[0].confidence == Some(0.95));
    assert_eq!(metrics[4].name, "log_loss");
    assert!(metrics[4].lower.unwrap() < metrics[4].value && metrics[4].value < metrics[4].upper.unwrap());
}

#[test]
fn inputs_of_another_shape_are_refused() {
    let (_folder, predictor) = saved(&contents());
    let inputs = Tensor::from_vec(vec![0.0f32; 8], [2, 4]).unwrap();
    let error = predictor.predict_batch(&inputs).unwrap_err();
    assert!(
        matches!(error, Error::SampleShape { ref expected, .. } if *expected == [1, 1, 3]),
        "{error}"
    );
    let error = predictor
        .encode_json(&[json!([1, 2, 3]), json!("no picture")])
        .unwrap_err();
    assert!(matches!(error, Error::InSample { index: 1, .. }), "{error}");
}

#[test]
fn a_manifest_that_contradicts_itself_is_refused() {
    let refused = |change: fn(&mut PackageContents)| {
        let mut contents = contents();
        change(&mut contents);
        let folder = tempfile::tempdir().unwrap();
        Package::save(folder.path().join("model"), &contents).unwrap();
        Predictor::open(folder.path().join("model")).unwrap_err()
    };
    let error = refused(|contents| contents.manifest.task = "translation".to_owned());
    assert!(matches!(error, Error::Task { .. }), "{error}");
    let error = refused(|contents| contents.manifest.signature.labels.truncate(2));
    assert!(
        matches!(error, Error::Signature { field: "output", .. }),
        "{error}"
    );
    let error = refused(|contents| contents.manifest.signature.inputs[0].shape = vec![None, Some(7)]);
    assert!(
        matches!(error, Error::Signature { field: "input", .. }),
        "{error}"
    );
    let error = refused(|contents| contents.manifest.signature.outputs.clear());
    assert!(
        matches!(
            error,
            Error::Signature {
                field: "inputs and outputs",
                ..
            }
        ),
        "{error}"
    );
    let error = refused(|contents| contents.config = json!({"model_type": "perceptron of the future"}));
    assert!(matches!(error, Error::ModelConfig { .. }), "{error}");
    let error = refused(|contents| contents.tensors.truncate(1));
    assert!(matches!(error, Error::Model(_)), "{error}");
}

#[test]
fn labels_that_disagree_with_the_weights_are_found_before_answering() {
    let mut contents = contents();
    contents.manifest.signature.labels.push("one too many".to_owned());
    contents.manifest.signature.outputs[0].shape[1] = Some(4);
    let (_folder, predictor) = saved(&contents);
    let error = predictor
        .predict_batch(&dataset().samples().tensor(0..2))
        .unwrap_err();
    assert!(matches!(error, Error::LogitsShape { .. }), "{error}");
}

#[test]
fn a_data_set_with_other_classes_is_refused() {
    let (_folder, predictor) = saved(&contents());
    let other = crate::support::dataset_with_labels(["left", "right", "middle"]);
    let error = evaluate(&predictor, &other, &EvaluateOptions::default()).unwrap_err();
    assert!(matches!(error, Error::LabelNames { .. }), "{error}");
}
