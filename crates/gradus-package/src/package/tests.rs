use std::collections::BTreeMap;

use gradus_tensor::{DType, Tensor};
use serde_json::json;

use super::*;
use crate::manifest::{Lineage, Signature, TensorSpec};

/// A language model with a tokenizer, as far as a package minds.
fn contents() -> PackageContents {
    let spec = |name: &str, dtype, width| TensorSpec {
        name: name.to_owned(),
        dtype,
        shape: [None, None].into_iter().chain(width).collect(),
    };
    let signature = Signature {
        inputs: vec![spec("input_ids", DType::I64, None)],
        outputs: vec![spec("logits", DType::F32, Some(Some(7)))],
        labels: Vec::new(),
    };
    let names = ["a", "b", "c", "d"];
    let tensor = |i: usize| Tensor::from_vec(vec![i as f32; 25], [5, 5]).unwrap();
    PackageContents {
        config: json!({ "model_type": "llama" }),
        tensors: (0..4).map(|i| (names[i].to_owned(), tensor(i))).collect(),
        manifest: Manifest::new(crate::CAUSAL_LM, signature, None, Lineage::by_this_build()),
        encoding: Encoding::Dense,
        files: BTreeMap::from([
            ("tokenizer.json".to_owned(), b"{}"[..].into()),
            ("1_Pooling/config.json".to_owned(), b"{\"a\": 1}"[..].into()),
        ]),
    }
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_language_model_comes_back_with_its_tokenizer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    Package::save(&path, &contents()).unwrap();
    for verification in [Verification::Full, Verification::Quick] {
        let package = Package::open_with(&path, verification).unwrap();
        assert_eq!(&package.files()["tokenizer.json"][..], b"{}");
        assert_eq!(&package.files()["1_Pooling/config.json"][..], b"{\"a\": 1}");
        assert_eq!(package.manifest().task, crate::CAUSAL_LM);
        assert_eq!(package.manifest().preprocessing, None);
        assert_eq!(package.to_contents().files, contents().files);
    }
    fs::write(path.join("1_Pooling/config.json"), b"{\"a\": 2}").unwrap();
    assert!(matches!(
        Package::open_with(&path, Verification::Quick),
        Err(Error::Checksum { .. })
    ));
    fs::remove_file(path.join("1_Pooling/config.json")).unwrap();
    assert!(matches!(Package::open(&path), Err(Error::MissingFile { .. })));
}

#[test]
fn extra_files_stay_in_the_folder_and_out_of_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let strange = [
        "gradus.json",
        "config.json",
        "x.safetensors",
        "model.safetensors.index.json",
        "../x",
        "/x",
        "a/b/c",
        "",
    ];
    for name in strange {
        let mut contents = contents();
        contents.files.insert(name.to_owned(), b"x"[..].into());
        let saved = Package::save(dir.path().join("model"), &contents);
        assert!(matches!(saved, Err(Error::FileName { .. })), "{name}");
    }
    assert!(files(dir.path()).is_empty());
}

#[test]
fn large_weights_are_split_and_read_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    let saved = Package::save_in_shards(&path, &contents(), 250).unwrap();
    assert_eq!(
        files(&path),
        [
            "1_Pooling",
            "config.json",
            "gradus.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "tokenizer.json",
        ]
    );
    let package = Package::open(&path).unwrap();
    assert_eq!(package.fingerprint(), saved.fingerprint);
    let read: Vec<_> = package
        .tensors()
        .iter()
        .map(|(name, tensor)| (name.as_str(), tensor.to_vec::<f32>().unwrap()[0]))
        .collect();
    assert_eq!(read, [("a", 0.0), ("b", 1.0), ("c", 2.0), ("d", 3.0)]);
    let foreign = crate::foreign::ForeignModel::open(&path).unwrap();
    // As `transformers` does, a body's weights are given the prefix that the whole model has.
    let names: Vec<_> = foreign.tensors.iter().map(|tensor| tensor.name()).collect();
    assert_eq!(names, ["model.a", "model.b", "model.c", "model.d"]);
    assert_eq!(
        foreign
            .tensor("model.d")
            .unwrap()
            .tensor()
            .to_vec::<f32>()
            .unwrap()[0],
        3.0
    );
}

#[test]
fn a_damaged_shard_is_named_and_a_quick_look_sees_only_its_frame() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    Package::save_in_shards(&path, &contents(), 150).unwrap();
    let shard = path.join("model-00003-of-00004.safetensors");
    let mut bytes = fs::read(&shard).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&shard, &bytes).unwrap();
    assert!(matches!(Package::open(&path), Err(Error::Checksum { path, .. }) if path == shard));
    Package::open_with(&path, Verification::Quick).unwrap();
    fs::write(&shard, &bytes[..bytes.len() - 1]).unwrap();
    for verification in [Verification::Full, Verification::Quick] {
        let opened = Package::open_with(&path, verification);
        assert!(matches!(opened, Err(Error::Length { path, .. }) if path == shard));
    }
    fs::remove_file(&shard).unwrap();
    assert!(matches!(Package::open(&path), Err(Error::MissingFile { .. })));
}
