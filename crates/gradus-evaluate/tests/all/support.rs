//! A tiny model whose answers are known: of three pixels, the brightest is the class.

use gradus_data::{Dataset, Features, ImagePreprocessing, Preprocessing, Samples};
use gradus_package::{Encoding, Lineage, Manifest, PackageContents, Signature, TensorSpec};
use gradus_tensor::{DType, Tensor};
use serde_json::json;

/// Names that a page must escape.
pub const LABELS: [&str; 3] = ["<script>left</script>", "middle & \"centre\"", "right"];

/// The model's package: one linear layer, the identity on centred pixels.
pub fn contents() -> PackageContents {
    let row = |shape: &[usize]| {
        [None]
            .into_iter()
            .chain(shape.iter().copied().map(Some))
            .collect()
    };
    let spec = |name: &str, shape: &[usize]| TensorSpec {
        name: name.into(),
        dtype: DType::F32,
        shape: row(shape),
    };
    let signature = Signature {
        inputs: vec![spec("input", &[1, 1, 3])],
        outputs: vec![spec("logits", &[3])],
        labels: LABELS.map(str::to_owned).into(),
    };
    let identity = vec![1.0f32, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    PackageContents {
        config: json!({
            "model_type": "mlp", "input_shape": [1, 1, 3], "hidden_sizes": [], "num_classes": 3, "activation": "relu",
        }),
        tensors: vec![
            (
                "layers.0.weight".into(),
                Tensor::from_vec(identity, [3, 3]).expect("a valid fixture"),
            ),
            (
                "layers.0.bias".into(),
                Tensor::from_vec(vec![0.0f32; 3], [3]).expect("a valid fixture"),
            ),
        ],
        manifest: Manifest::new(
            "classification",
            signature,
            preprocessing(),
            Lineage::by_this_build(),
        ),
        encoding: Encoding::Dense,
        files: Default::default(),
    }
}

fn image_preprocessing() -> ImagePreprocessing {
    ImagePreprocessing {
        shape: [1, 1, 3],
        scale: 1.0 / 255.0,
        mean: vec![0.5],
        std: vec![0.25],
    }
}

fn preprocessing() -> Preprocessing {
    Preprocessing::Image(image_preprocessing())
}

/// The pixels of sample `at`, brightest where `at % 3` says.
pub fn pixels_of(at: usize) -> [u8; 3] {
    let mut pixels = [10, 20, 30];
    pixels[at % 3] = 100 + 5 * at as u8;
    pixels
}

/// Thirty samples; every fifth has a wrong label.
pub fn dataset() -> Dataset {
    dataset_with_labels(LABELS)
}

/// The same under other names.
pub fn dataset_with_labels(names: [&str; 3]) -> Dataset {
    let pixels = (0..30).flat_map(pixels_of).collect();
    let features = Features::U8 {
        pixels,
        affine: image_preprocessing().affine(),
    };
    let labels = (0..30)
        .map(|at| ((at + usize::from(at % 5 == 0)) % 3) as i64)
        .collect();
    let samples = Samples::new(features, vec![1, 1, 3], 30).expect("a valid fixture");
    Dataset::new(samples, labels, names.map(str::to_owned).into()).expect("a valid fixture")
}
