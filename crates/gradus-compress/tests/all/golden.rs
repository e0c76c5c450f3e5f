//! Each compression against what numpy makes of the same weights; see golden/make.py.

use std::collections::BTreeMap;
use std::path::Path;

use gradus_compress::{Error, Plan, PruneOptions, PruneScope, clip, compress, prune, quantize_int8};
use gradus_data::{ImagePreprocessing, Preprocessing};
use gradus_package::safetensors::read_safetensors;
use gradus_package::{
    CompressionMethod, Encoding, Lineage, Manifest, MetricValue, Package, PackageContents, Signature,
    TensorSpec,
};
use gradus_tensor::{DType, Tensor};
use serde_json::json;

const NAMES: [&str; 2] = ["layers.0.weight", "layers.1.weight"];

fn golden() -> BTreeMap<String, Tensor> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/compressed.safetensors");
    read_safetensors(&path).unwrap().tensors.into_iter().collect()
}

fn f32s(tensor: &Tensor) -> Vec<f32> {
    tensor.to_vec().unwrap()
}

/// The golden file's network as an opened package.
struct Fixture {
    dir: tempfile::TempDir,
    package: Package,
}

impl Fixture {
    fn new() -> Fixture {
        let state = golden()
            .into_iter()
            .filter(|(name, _)| name.starts_with("layers."));
        Fixture::with(mlp_config(), state.collect())
    }

    fn with(config: serde_json::Value, tensors: Vec<(String, Tensor)>) -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let contents = PackageContents {
            config,
            tensors,
            manifest: manifest(),
            encoding: Encoding::Dense,
            files: Default::default(),
        };
        let path = dir.path().join("model");
        Package::save(&path, &contents).unwrap();
        Fixture {
            package: Package::open(&path).unwrap(),
            dir,
        }
    }

    /// Saves a compressed model and opens it again.
    fn reopen(&self, contents: &PackageContents) -> Package {
        let path = self.dir.path().join("compressed");
        Package::save(&path, contents).unwrap();
        Package::open(&path).unwrap()
    }
}

fn mlp_config() -> serde_json::Value {
    json!({"model_type": "mlp", "input_shape": [1, 4, 5], "hidden_sizes": [16], "num_classes": 5})
}

fn manifest() -> Manifest {
    let spec = |name: &str, row: &[usize]| TensorSpec {
        name: name.to_owned(),
        dtype: DType::F32,
        shape: std::iter::once(None)
            .chain(row.iter().copied().map(Some))
            .collect(),
    };
    let labels = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
    let signature = Signature {
        inputs: vec![spec("input", &[1, 4, 5])],
        outputs: vec![spec("logits", &[5])],
        labels,
    };
    let image = ImagePreprocessing {
        shape: [1, 4, 5],
        scale: 1.0,
        mean: vec![0.0],
        std: vec![1.0],
    };
    let lineage = Lineage {
        seed: Some(3),
        created_by: "another 9.9".to_owned(),
        ..Lineage::default()
    };
    let mut manifest = Manifest::new("classification", signature, Preprocessing::Image(image), lineage);
    manifest.metrics.push(MetricValue {
        name: "accuracy".into(),
        value: 0.9,
        lower: None,
        upper: None,
        confidence: None,
        split: "test".into(),
        n: 10,
    });
    manifest
}

fn tensors(package: &Package) -> BTreeMap<String, Tensor> {
    package.tensors().iter().cloned().collect()
}

fn assert_floats(package: &Package, case: &str) {
    let (got, want) = (tensors(package), golden());
    for name in NAMES {
        assert_eq!(
            f32s(&got[name]),
            f32s(&want[&format!("{case}.{name}")]),
            "{case} {name}"
        );
    }
    assert_biases(&got);
}

fn assert_codes(package: &Package, case: &str) {
    let (got, want) = (tensors(package), golden());
    for name in NAMES {
        let codes = |tensor: &Tensor| tensor.to_vec::<i8>().unwrap();
        assert_eq!(
            codes(&got[name]),
            codes(&want[&format!("{case}.{name}")]),
            "{case} {name}"
        );
        let scale = format!("{name}_scale");
        assert_eq!(
            f32s(&got[&scale]),
            f32s(&want[&format!("{case}.{scale}")]),
            "{case} {scale}"
        );
    }
    assert_biases(&got);
}

fn assert_biases(got: &BTreeMap<String, Tensor>) {
    for name in ["layers.0.bias", "layers.1.bias"] {
        assert_eq!(f32s(&got[name]), f32s(&golden()[name]), "{name}");
    }
}

#[test]
fn clipping_agrees_with_numpy_and_is_recorded() {
    let fixture = Fixture::new();
    let clipped = fixture.reopen(&clip(&fixture.package, 0.5).unwrap());
    assert_floats(&clipped, "clip");
    let step = &clipped.manifest().compression[0];
    assert_eq!(step.method, CompressionMethod::Clip { limit: 0.5 });
    assert_eq!(
        (step.bytes_before, step.bytes_after),
        (4 * (320 + 16 + 80 + 5), 4 * (320 + 16 + 80 + 5))
    );
    let largest = f32s(&golden()["layers.1.weight"])
        .into_iter()
        .fold(0.0, |m: f32, w| m.max(w.abs()));
    assert_eq!(step.tensors[1].max_abs_error, f64::from(largest) - 0.5);
}

#[test]
fn pruning_agrees_with_numpy_over_the_model_and_over_each_layer() {
    for (scope, case) in [(PruneScope::Global, "global"), (PruneScope::Layer, "layer")] {
        let fixture = Fixture::new();
        let options = PruneOptions::new(0.7).scope(scope);
        let pruned = fixture.reopen(&prune(&fixture.package, options).unwrap());
        assert_floats(&pruned, case);
        let step = &pruned.manifest().compression[0];
        assert_eq!(step.method, CompressionMethod::Prune { sparsity: 0.7, scope });
        let zeros: Vec<u64> = step.tensors.iter().map(|t| t.zeros).collect();
        match scope {
            PruneScope::Global => assert_eq!(zeros.iter().sum::<u64>(), 280),
            PruneScope::Layer => assert_eq!(zeros, [224, 56]),
        }
    }
}

#[test]
fn a_pruned_package_is_smaller_by_what_was_pruned() {
    let fixture = Fixture::new();
    let pruned = fixture.reopen(&prune(&fixture.package, PruneOptions::new(0.7)).unwrap());
    assert_eq!(pruned.manifest().sparse_tensors, NAMES);
    let step = &pruned.manifest().compression[0];
    // 120 weights are left; masks of 16 rows of 20 bits and 5 rows of 16, row offsets, shapes; 21 biases.
    assert_eq!(
        step.bytes_after,
        4 * 120 + 16 * 3 + 5 * 2 + 8 * (16 + 5) + 8 * 4 + 4 * 21
    );
    assert!(step.bytes_after < step.bytes_before);
}

/// The norm of what numpy's codes and scales lose, by that of the weights.
fn golden_relative_error(case: &str, name: &str) -> f64 {
    let golden = golden();
    let (weights, codes) = (
        f32s(&golden[name]),
        golden[&format!("{case}.{name}")].to_vec::<i8>().unwrap(),
    );
    let scales = f32s(&golden[&format!("{case}.{name}_scale")]);
    let cols = weights.len() / scales.len();
    let lost = |i: usize| f64::from(weights[i]) - f64::from(codes[i]) * f64::from(scales[i / cols]);
    let error: f64 = (0..weights.len()).map(|i| lost(i).powi(2)).sum();
    let norm: f64 = weights.iter().map(|w| f64::from(*w).powi(2)).sum();
    (error / norm).sqrt()
}

#[test]
fn int8_agrees_with_numpy_and_is_within_half_a_scale() {
    let fixture = Fixture::new();
    let quantized = fixture.reopen(&quantize_int8(&fixture.package).unwrap());
    assert_codes(&quantized, "int8");
    assert_eq!(
        quantized.config()["quantization_config"]["quant_method"],
        "gradus-int8"
    );
    let scales = f32s(&tensors(&quantized)["layers.1.weight_scale"]);
    let step = &quantized.manifest().compression[0];
    let half = f64::from(scales.into_iter().fold(0.0, f32::max)) / 2.0;
    assert!(step.tensors[1].max_abs_error <= half * (1.0 + 1e-6));
    let expected = golden_relative_error("int8", "layers.1.weight");
    let got = step.tensors[1].relative_error;
    assert!((got / expected - 1.0).abs() < 1e-6, "{got} for {expected}");
    assert_eq!(step.bytes_after, 320 + 80 + 4 * (16 + 5) + 4 * 21);
}

#[test]
fn steps_combine_in_one_plan_and_one_after_the_other() {
    let fixture = Fixture::new();
    let plan = Plan {
        clip: Some(0.5),
        prune: Some(PruneOptions::new(0.7)),
        quantize_int8: true,
    };
    let at_once = fixture.reopen(&compress(&fixture.package, &plan).unwrap());
    assert_codes(&at_once, "all");
    assert_eq!(at_once.manifest().compression.len(), 3);

    let clipped = fixture.reopen(&clip(&fixture.package, 0.5).unwrap());
    let pruned = fixture.reopen(&prune(&clipped, PruneOptions::new(0.7)).unwrap());
    let quantized = fixture.reopen(&quantize_int8(&pruned).unwrap());
    assert_codes(&quantized, "all");
    assert_eq!(quantized.manifest().compression, at_once.manifest().compression);
    assert_eq!(
        quantized.manifest().lineage.parent.as_deref(),
        Some(pruned.fingerprint())
    );
}

#[test]
fn lineage_names_the_parent_and_old_metrics_are_dropped() {
    let fixture = Fixture::new();
    let contents = quantize_int8(&fixture.package).unwrap();
    let lineage = &contents.manifest.lineage;
    assert_eq!(lineage.parent.as_deref(), Some(fixture.package.fingerprint()));
    assert_eq!(
        (lineage.seed, lineage.created_by.starts_with("gradus ")),
        (Some(3), true)
    );
    assert!(contents.manifest.metrics.is_empty());
}

#[test]
fn a_quantised_model_answers_nearly_as_the_original() {
    let fixture = Fixture::new();
    let quantized = fixture.reopen(&quantize_int8(&fixture.package).unwrap());
    let input = Tensor::from_vec(
        (0..60).map(|i| ((i * 7 % 31) as f32) / 31.0).collect(),
        [3, 1, 4, 5],
    )
    .unwrap();
    let logits = |package: &Package| {
        f32s(
            &gradus_evaluate::Predictor::from_package(package)
                .unwrap()
                .predict_batch(&input)
                .unwrap(),
        )
    };
    let (exact, close) = (logits(&fixture.package), logits(&quantized));
    let largest = exact.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    for (a, b) in exact.iter().zip(&close) {
        assert!((a - b).abs() < 0.02 * largest, "{exact:?} {close:?}");
    }
}

#[test]
fn a_quantised_package_is_not_compressed_again() {
    let fixture = Fixture::new();
    let quantized = fixture.reopen(&quantize_int8(&fixture.package).unwrap());
    let parent = format!(" ({})", fixture.package.fingerprint());
    for (result, expected) in [
        (quantize_int8(&quantized), "quantize"),
        (clip(&quantized, 1.0), "clip"),
        (prune(&quantized, PruneOptions::new(0.5)), "prune"),
    ] {
        let error = result.err().unwrap();
        let told = matches!(&error, Error::AlreadyQuantized { step, parent: p } if *step == expected && *p == parent);
        assert!(told, "{error:?}");
    }
}

#[test]
fn refuses_settings_and_models_that_make_no_sense() {
    let fixture = Fixture::new();
    assert!(matches!(
        compress(&fixture.package, &Plan::default()),
        Err(Error::EmptyPlan)
    ));
    for sparsity in [0.0, 1.0, -0.5, 80.0, f64::NAN] {
        let result = prune(&fixture.package, PruneOptions::new(sparsity));
        assert!(matches!(result, Err(Error::Sparsity { .. })), "{sparsity}");
    }
    for limit in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(
            matches!(clip(&fixture.package, limit), Err(Error::ClipLimit { .. })),
            "{limit}"
        );
    }
    let mut state = fixture.package.tensors().to_vec();
    let mut broken = f32s(&state[1].1);
    broken[37] = f32::NAN;
    state[1].1 = Tensor::from_vec(broken, [16, 20]).unwrap();
    let broken = Fixture::with(mlp_config(), state);
    let error = quantize_int8(&broken.package).err().unwrap();
    assert!(
        matches!(&error, Error::NotFinite { tensor, index: 37, .. } if tensor == "layers.0.weight"),
        "{error:?}"
    );
    let foreign = Fixture::with(json!({"model_type": "llama"}), Vec::new());
    assert!(matches!(
        quantize_int8(&foreign.package),
        Err(Error::ModelConfig(_))
    ));
    let empty = Fixture::with(mlp_config(), Vec::new());
    assert!(matches!(quantize_int8(&empty.package), Err(Error::Model(_))));
}

#[test]
fn convolutions_are_pruned_and_stay_in_floats() {
    use gradus_nn::{ModelConfig, Module};
    let config =
        json!({"model_type": "cnn", "input_shape": [1, 4, 5], "num_classes": 5, "channels": [8, 16]});
    let model: ModelConfig = serde_json::from_value(config.clone()).unwrap();
    let fixture = Fixture::with(config, model.build(1).unwrap().state_dict());
    let plan = Plan {
        prune: Some(PruneOptions::new(0.5)),
        quantize_int8: true,
        clip: None,
    };
    let small = fixture.reopen(&compress(&fixture.package, &plan).unwrap());
    let [pruned, quantized] = &small.manifest().compression[..] else {
        panic!("two steps")
    };
    let names = |step: &gradus_package::CompressionStep| {
        step.tensors.iter().map(|t| t.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        names(pruned),
        [
            "classifier.weight",
            "stages.0.0.conv.weight",
            "stages.1.0.conv.weight"
        ]
    );
    assert_eq!(names(quantized), ["classifier.weight"]);
    assert_eq!(
        pruned.tensors.iter().map(|t| t.zeros).sum::<u64>(),
        (16 * 5 + 8 * 9 + 16 * 8 * 9) / 2
    );
    gradus_evaluate::Predictor::from_package(&small).unwrap();
}
