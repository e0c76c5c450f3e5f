use std::fs;

use gradus_package::foreign::ForeignModel;

use super::{golden, original};

#[test]
fn pytorch_weights_are_taken_where_there_are_no_others() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.json"), "{}").unwrap();
    fs::copy(
        golden("foreign/torch/protocol5.bin"),
        dir.path().join("pytorch_model.bin"),
    )
    .unwrap();
    let model = ForeignModel::open(dir.path()).unwrap();
    assert_eq!(model.tensors.len(), 2);
    // In shards, as the index says.
    let shards = [
        ("nested.bin", "pytorch_model-00001-of-00002.bin"),
        ("protocol5.bin", "pytorch_model-00002-of-00002.bin"),
    ];
    fs::remove_file(dir.path().join("pytorch_model.bin")).unwrap();
    for (golden_name, name) in shards {
        fs::copy(golden("foreign/torch").join(golden_name), dir.path().join(name)).unwrap();
    }
    let index = r#"{"metadata": {}, "weight_map": {"a": "pytorch_model-00002-of-00002.bin", "0.bias": "pytorch_model-00001-of-00002.bin"}}"#;
    fs::write(dir.path().join("pytorch_model.bin.index.json"), index).unwrap();
    let model = ForeignModel::open(dir.path()).unwrap();
    assert_eq!(
        model
            .tensors
            .iter()
            .map(|tensor| tensor.name())
            .collect::<Vec<_>>(),
        ["0.bias", "a"]
    );
}

#[test]
fn golden_models_of_transformers_are_read() {
    let folders = fs::read_dir(golden("transformers")).unwrap();
    let mut read = 0;
    for folder in folders {
        let name = folder.unwrap().file_name().into_string().unwrap();
        let model = original(&name);
        assert!(
            !model.tensors.is_empty() && model.config["model_type"].is_string(),
            "{name}"
        );
        read += 1;
    }
    assert!(read > 10, "{read}");
}
