//! Packages as other crates use them: saved, opened, damaged, replaced, versioned, inspected.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

use gradus_data::{ImagePreprocessing, Preprocessing};
use gradus_package::{
    CompressionMethod, CompressionStep, Encoding, Error, Lineage, Manifest, MetricValue, Package,
    PackageContents, PruneScope, Signature, Summary, TensorChange, TensorSpec, next_version, resolve,
    sha256_hex, summarize, versions,
};
use gradus_tensor::{DType, Tensor};
use proptest::prelude::*;
use serde_json::json;

fn manifest() -> Manifest {
    let spec = |name: &str, shape: &[Option<usize>]| TensorSpec {
        name: name.to_owned(),
        dtype: DType::F32,
        shape: shape.to_vec(),
    };
    let signature = Signature {
        inputs: vec![spec("input", &[None, Some(1), Some(2), Some(2)])],
        outputs: vec![spec("logits", &[None, Some(2)])],
        labels: vec!["cat".into(), "dög \"quoted\"".into()],
    };
    let preprocessing = Preprocessing::Image(ImagePreprocessing {
        shape: [1, 2, 2],
        scale: 1.0 / 255.0,
        mean: vec![0.1 + 0.2],
        std: vec![0.353_024_236_814_112_9],
    });
    let lineage = Lineage {
        seed: Some(u64::MAX),
        ..Lineage::by_this_build()
    };
    let mut manifest = Manifest::new("classification", signature, preprocessing, lineage);
    manifest.metrics.push(MetricValue {
        name: "accuracy".into(),
        value: 0.1 + 0.7,
        lower: Some(1.0 / 3.0),
        upper: None,
        confidence: Some(0.95),
        split: "test".into(),
        n: 10_000,
    });
    manifest.compression.push(CompressionStep {
        method: CompressionMethod::Prune {
            sparsity: 0.8,
            scope: PruneScope::Global,
        },
        bytes_before: 100,
        bytes_after: 60,
        tensors: vec![TensorChange {
            name: "layers.0.weight".into(),
            elements: 8,
            changed: 6,
            zeros: 6,
            max_abs_error: 1e-3,
            relative_error: 0.1,
        }],
    });
    manifest
}

fn contents() -> PackageContents {
    let mut weight = vec![0.0f32; 256];
    weight[3] = 1.5;
    weight[200] = -0.25;
    let tensors = vec![
        (
            "layers.0.weight".to_owned(),
            Tensor::from_vec(weight, [2, 128]).unwrap(),
        ),
        (
            "layers.0.bias".to_owned(),
            Tensor::from_vec(vec![0.5f32, -1.0], [2]).unwrap(),
        ),
    ];
    let config = json!({"model_type": "mlp", "dropout": 0.1, "hidden_sizes": [128]});
    PackageContents {
        config,
        tensors,
        manifest: manifest(),
        encoding: Encoding::Dense,
        files: Default::default(),
    }
}

fn saved() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    Package::save(&path, &contents()).unwrap();
    (dir, path)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn open_error(path: &Path) -> Error {
    Package::open(path).err().expect("the damage went unnoticed")
}

#[test]
fn comes_back_as_it_was_saved() {
    let (_dir, path) = saved();
    let package = Package::open(&path).unwrap();
    assert_eq!(names(&path), ["config.json", "gradus.json", "model.safetensors"]);
    assert_eq!(package.config(), &contents().config);
    let mut expected = manifest();
    expected.files = package.manifest().files.clone();
    assert_eq!(package.manifest(), &expected);
    assert_eq!(package.tensors()[0].0, "layers.0.bias");
    assert_eq!(package.tensors()[0].1.to_vec::<f32>().unwrap(), [0.5, -1.0]);
    assert_eq!(package.tensors()[1].1.shape(), [2, 128]);
    let weights = fs::read(path.join("model.safetensors")).unwrap();
    assert_eq!(
        package.manifest().files["model.safetensors"].sha256,
        sha256_hex(&weights)
    );
}

#[test]
fn equal_contents_give_equal_bytes_and_one_fingerprint() {
    let dir = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| Package::save(dir.path().join(name), &contents()).unwrap());
    assert_eq!(a, b);
    for file in ["config.json", "gradus.json", "model.safetensors"] {
        let bytes = ["a", "b"].map(|name| fs::read(dir.path().join(name).join(file)).unwrap());
        assert_eq!(bytes[0], bytes[1], "{file}");
    }
    let total: u64 = names(&dir.path().join("a"))
        .iter()
        .map(|name| fs::metadata(dir.path().join("a").join(name)).unwrap().len())
        .sum();
    assert_eq!(a.bytes, total);
    let opened = Package::open(dir.path().join("a")).unwrap();
    assert_eq!(opened.fingerprint(), a.fingerprint);
    let again = Package::save(dir.path().join("c"), &opened.to_contents()).unwrap();
    assert_eq!(again, a);
}

#[test]
fn every_flipped_byte_of_every_file_is_noticed_and_its_file_named() {
    let (_dir, path) = saved();
    for file in names(&path) {
        let at_file = path.join(&file);
        let good = fs::read(&at_file).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(&at_file, &bad).unwrap();
            let error = open_error(&path);
            assert!(error.to_string().contains(&file), "{file}, byte {at}: {error}");
            assert!(
                matches!(
                    error,
                    Error::Checksum { .. } | Error::Unsealed { .. } | Error::FutureVersion { .. }
                ),
                "{file}, byte {at}: {error:?}"
            );
        }
        fs::write(&at_file, &good).unwrap();
    }
    Package::open(&path).unwrap();
}

#[test]
fn cut_extended_and_missing_files_are_told_apart() {
    let (_dir, path) = saved();
    for file in names(&path) {
        let at_file = path.join(&file);
        let good = fs::read(&at_file).unwrap();
        for length in [0, 1, good.len() / 2, good.len() - 1] {
            fs::write(&at_file, &good[..length]).unwrap();
            let error = open_error(&path);
            let told = match &error {
                Error::Length { expected, got, .. } => {
                    (*expected, *got) == (good.len() as u64, length as u64)
                }
                Error::Unsealed { .. } | Error::Checksum { .. } => file == "gradus.json",
                _ => false,
            };
            assert!(told, "{file} cut to {length}: {error:?}");
        }
        fs::write(&at_file, [&good[..], b"\n"].concat()).unwrap();
        assert!(matches!(
            open_error(&path),
            Error::Length { .. } | Error::Checksum { .. }
        ));
        fs::remove_file(&at_file).unwrap();
        let error = open_error(&path);
        assert!(
            matches!(error, Error::MissingFile { .. } | Error::NotAPackage { .. }),
            "{error:?}"
        );
        fs::write(&at_file, &good).unwrap();
    }
}

/// Rewrites the manifest with a text replaced, and seals it anew as an attacker could.
fn forge(path: &Path, from: &str, to: &str) {
    let file = path.join("gradus.json");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    let (head, _) = text.split_once("\"manifest_sha256\"").unwrap();
    let zeros = "0".repeat(64);
    let unsealed = format!("{}\"manifest_sha256\": \"{zeros}\"\n}}\n", head.replace(from, to));
    let digest = sha256_hex(unsealed.as_bytes());
    fs::write(&file, unsealed.replace(&zeros, &digest)).unwrap();
}

#[test]
fn a_package_from_the_future_asks_for_an_upgrade() {
    let (_dir, path) = saved();
    forge(&path, "\"format_version\": 1", "\"format_version\": 7");
    let error = open_error(&path);
    assert!(matches!(
        error,
        Error::FutureVersion {
            found: 7,
            supported: 1,
            ..
        }
    ));
    assert!(
        error
            .to_string()
            .ends_with("has format version 7; this gradus reads up to 1: upgrade gradus"),
        "{error}"
    );
}

#[test]
fn fields_of_a_later_minor_format_are_skipped() {
    let (_dir, path) = saved();
    forge(&path, "\"task\":", "\"colour\": [1, 2],\n  \"task\":");
    Package::open(&path).unwrap();
}

#[test]
fn a_sealed_manifest_is_still_not_trusted() {
    for (from, to) in [
        ("\"classification\"", "[]"),
        ("\"f32\"", "\"f33\""),
        ("\"n\": 10000", "\"n\": -1"),
    ] {
        let (_dir, path) = saved();
        forge(&path, from, to);
        assert!(matches!(open_error(&path), Error::Json { .. }), "{to}");
    }
    let (_dir, path) = saved();
    forge(&path, "\"config.json\"", "\"../config.json\"");
    assert!(matches!(open_error(&path), Error::ForeignPath { name, .. } if name == "../config.json"));
    let (_dir, path) = saved();
    forge(&path, "\"config.json\"", "\"other.json\"");
    assert!(matches!(open_error(&path), Error::MissingFile { .. }));
    let (_dir, path) = saved();
    forge(&path, "0.3530242368141129", "0.0");
    assert!(matches!(open_error(&path), Error::Preprocessing { .. }));
}

#[test]
fn sparse_tensors_take_less_room_and_come_back_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (dense, packed) = (
        contents(),
        PackageContents {
            encoding: Encoding::Sparse,
            ..contents()
        },
    );
    let dense_size = Package::save(dir.path().join("dense"), &dense).unwrap().bytes;
    let packed_size = Package::save(dir.path().join("sparse"), &packed).unwrap().bytes;
    assert!(packed_size < dense_size, "{packed_size} of {dense_size}");
    // Two elements, a bit for each of 256, the shape and two row offsets; and the bias.
    assert_eq!(
        packed.tensor_bytes().unwrap(),
        2 * 4 + 256 / 8 + 2 * 8 + 2 * 8 + 2 * 4
    );
    assert_eq!(dense.tensor_bytes().unwrap(), (256 + 2) * 4);
    let opened = Package::open(dir.path().join("sparse")).unwrap();
    assert_eq!(opened.manifest().sparse_tensors, ["layers.0.weight"]);
    assert_eq!(opened.tensors()[1].0, "layers.0.weight");
    assert_eq!(
        opened.tensors()[1].1.to_vec::<f32>().unwrap(),
        contents().tensors[0].1.to_vec::<f32>().unwrap()
    );
    assert_eq!(opened.to_contents().encoding, Encoding::Sparse);
    forge(
        &dir.path().join("sparse"),
        "\"layers.0.weight\"\n  ],",
        "\"layers.9.weight\"\n  ],",
    );
    assert!(
        matches!(open_error(&dir.path().join("sparse")), Error::Sparse { tensor, .. } if tensor == "layers.9.weight")
    );
}

#[test]
fn a_package_is_replaced_while_it_is_in_use_and_nothing_else_is() {
    let (dir, path) = saved();
    let old = Package::open(&path).unwrap();
    let mut changed = old.to_contents();
    changed.manifest.task = "other".into();
    Package::save(&path, &changed).unwrap();
    assert_eq!(Package::open(&path).unwrap().manifest().task, "other");
    assert_eq!(old.tensors()[0].1.to_vec::<f32>().unwrap(), [0.5, -1.0]);
    assert_eq!(names(dir.path()), ["model"]);

    let documents = dir.path().join("documents");
    fs::create_dir(&documents).unwrap();
    Package::save(&documents, &contents()).unwrap();
    fs::remove_file(documents.join("gradus.json")).unwrap();
    assert!(matches!(
        Package::save(&documents, &contents()),
        Err(Error::WouldReplace { .. })
    ));
    let file = documents.join("config.json");
    assert!(matches!(
        Package::save(&file, &contents()),
        Err(Error::WouldReplace { .. })
    ));
}

#[test]
fn a_save_that_fails_leaves_the_old_package() {
    let (dir, path) = saved();
    let mut bad = contents();
    bad.tensors.push(bad.tensors[0].clone());
    assert!(matches!(
        Package::save(&path, &bad),
        Err(Error::DuplicateTensor { .. })
    ));
    Package::open(&path).unwrap();
    assert_eq!(names(dir.path()), ["model"]);
}

#[test]
fn a_crash_while_replacing_loses_nothing() {
    let (dir, path) = saved();
    // Between the two renames: the old package is aside, the new one not yet in place.
    fs::rename(&path, dir.path().join(".model.gradus-old-4000000-0")).unwrap();
    fs::create_dir(dir.path().join(".model.gradus-tmp-4000000-1")).unwrap();
    Package::open(&path).unwrap();
    Package::save(&path, &contents()).unwrap();
    assert_eq!(names(dir.path()), ["model"]);
}

#[test]
fn versions_are_numbers_and_the_newest_is_meant() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("digits");
    assert!(matches!(resolve(&model), Err(Error::NotAPackage { .. })));
    assert_eq!(next_version(&model).unwrap().number, 1);
    for name in [
        "1",
        "2",
        "10",
        "007",
        "7",
        "-3",
        "+4",
        "latest",
        "99999999999999999999",
    ] {
        Package::save(model.join(name), &contents()).unwrap();
    }
    fs::create_dir(model.join("11")).unwrap();
    let found = versions(&model).unwrap();
    assert_eq!(found.iter().map(|v| v.number).collect::<Vec<_>>(), [1, 2, 7, 10]);
    assert_eq!(found[2].path, model.join("7"));
    assert_eq!(resolve(&model).unwrap(), model.join("10"));
    assert_eq!(resolve(&model.join("2")).unwrap(), model.join("2"));
    assert_eq!(next_version(&model).unwrap().path, model.join("11"));
    assert!(matches!(resolve(dir.path()), Err(Error::NotAPackage { .. })));
}

#[test]
fn a_summary_tells_names_types_shapes_and_sizes() {
    let (dir, path) = saved();
    let Summary::Package(package) = summarize(&path).unwrap() else {
        panic!("a folder is a package")
    };
    assert_eq!(package.weights.total_elements, 258);
    assert_eq!(package.weights.tensor_bytes, 1032);
    assert_eq!(package.config["model_type"], "mlp");
    let weight = &package.weights.tensors[1];
    assert_eq!(
        (weight.name.as_str(), weight.dtype.as_str()),
        ("layers.0.weight", "F32")
    );
    assert_eq!((&weight.shape[..], weight.bytes), (&[2, 128][..], 1024));
    let json = serde_json::to_value(summarize(path.join("model.safetensors")).unwrap()).unwrap();
    assert_eq!(
        (&json["kind"], &json["tensors"][0]["shape"]),
        (&json!("file"), &json!([2]))
    );
    assert!(matches!(
        summarize(dir.path().join("absent")),
        Err(Error::NotAPackage { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_files_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), which in 0..3usize) {
        let (_dir, path) = saved();
        fs::write(path.join(["config.json", "gradus.json", "model.safetensors"][which]), &bytes).unwrap();
        prop_assert!(Package::open(&path).is_err());
        let _ = summarize(&path);
    }
}
