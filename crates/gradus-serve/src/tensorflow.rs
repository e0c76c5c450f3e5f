//! TensorFlow Serving's documents about a model: its versions and its signature.

use gradus_data::{Preprocessing, TargetKind, Transform};
use gradus_evaluate::Predictor;
use serde_json::{Value, json};

use crate::request::SIGNATURE_NAME;
use crate::store::{ModelStore, Version, VersionState};

/// The name under which answers come, where a format names them.
fn output_name(task: TargetKind) -> &'static str {
    match task {
        TargetKind::Classification | TargetKind::Multilabel => "probabilities",
        TargetKind::Regression => "values",
    }
}

/// The state of these versions, newest first as TensorFlow Serving lists them.
pub(crate) fn status(versions: &[Version]) -> Value {
    let state = |version: &Version| {
        let (state, code, message) = match &version.state {
            VersionState::Available(_) => ("AVAILABLE", "OK", ""),
            VersionState::Failed { reason } => ("END", "FAILED_PRECONDITION", reason.as_str()),
        };
        let status = json!({"error_code": code, "error_message": message});
        json!({"version": version.number.to_string(), "state": state, "status": status})
    };
    json!({"model_version_status": versions.iter().rev().map(state).collect::<Vec<_>>()})
}

/// The signature; and, under `gradus`, what TensorFlow has no field for.
pub(crate) fn metadata(store: &ModelStore, at: usize) -> Value {
    let predictor = &store.servable(at).predictor;
    let manifest = predictor.manifest();
    let (width, output) = (predictor.labels().len(), output_name(predictor.task()));
    let signature = json!({
        "inputs": inputs(predictor),
        "outputs": {output: tensor_info(output, "DT_FLOAT", &[width])},
        "method_name": "tensorflow/serving/predict",
    });
    json!({
        "model_spec": {"name": store.name, "signature_name": "", "version": store.versions[at].number.to_string()},
        "metadata": {
            "signature_def": {"signature_def": {SIGNATURE_NAME: signature}},
            "gradus": {
                "task": predictor.task().name(),
                "labels": predictor.labels(),
                "sample": predictor.preprocessing().describe_input(),
                "metrics": manifest.metrics,
                "fingerprint": store.servable(at).fingerprint,
                "created_by": manifest.lineage.created_by,
            },
        },
    })
}

/// One tensor of pixels, or one for each column of a table.
fn inputs(predictor: &Predictor) -> Value {
    let name = &predictor.signature().inputs[0].name;
    match predictor.preprocessing() {
        Preprocessing::Image(image) => json!({name: tensor_info(name, "DT_FLOAT", &image.shape)}),
        Preprocessing::Table(table) => {
            let column = |column: &gradus_data::ColumnTransform| {
                let dtype = match column.transform {
                    Transform::Numeric { .. } => "DT_FLOAT",
                    Transform::Categorical { .. } => "DT_STRING",
                };
                (column.name.clone(), tensor_info(&column.name, dtype, &[]))
            };
            Value::Object(table.columns.iter().map(column).collect())
        }
    }
}

/// A tensor with a batch of any length in front of `shape`.
fn tensor_info(name: &str, dtype: &str, shape: &[usize]) -> Value {
    let sizes = std::iter::once("-1".to_owned()).chain(shape.iter().map(usize::to_string));
    let dims: Vec<Value> = sizes.map(|size| json!({"size": size, "name": ""})).collect();
    json!({"dtype": dtype, "tensor_shape": {"dim": dims, "unknown_rank": false}, "name": name})
}
