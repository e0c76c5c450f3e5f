//! What compression costs a real network: a classifier trained here on the Fashion-MNIST sample of the repository.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gradus_compress::{Plan, PruneOptions, compress};
use gradus_data::{DataConfig, Dataset, Loader, LoaderConfig, Preprocessing, load};
use gradus_evaluate::Predictor;
use gradus_nn::losses::cross_entropy;
use gradus_nn::{Layer, ModelConfig, Module};
use gradus_package::{Encoding, Lineage, Manifest, Package, PackageContents, Signature, TensorSpec};
use gradus_tensor::DType;
use serde_json::json;

const EPOCHS: u64 = 3;
const LEARNING_RATE: f32 = 0.1;

/// The largest fall of accuracy that int8 may cause: 0.3 points.
const INT8_DROP: f64 = 0.003;

struct Data {
    train: Arc<Dataset>,
    test: Dataset,
    preprocessing: Preprocessing,
}

fn data() -> Data {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let config: DataConfig = serde_json::from_value(json!({"train": "data/fashion-mnist-sample"})).unwrap();
    let splits = load(&config, &root).unwrap();
    let test = splits.test.expect("the sample has a test split");
    Data {
        train: Arc::new(splits.train),
        test,
        preprocessing: splits.preprocessing,
    }
}

/// Plain gradient descent on shuffled batches.
fn train(model: &dyn Layer, data: &Data) {
    let config = LoaderConfig {
        shuffle_seed: Some(1),
        ..LoaderConfig::new(64)
    };
    let loader = Loader::new(data.train.clone(), config).unwrap();
    for batch in (0..EPOCHS).flat_map(|epoch| loader.epoch(epoch, 0)) {
        let batch = batch.unwrap();
        cross_entropy(&model.forward(&batch.inputs).unwrap(), &batch.targets)
            .unwrap()
            .backward()
            .unwrap();
        for parameter in model.parameters() {
            parameter
                .update_f32(|value, grad| {
                    let grad = grad.expect("every parameter has a gradient");
                    value
                        .iter_mut()
                        .zip(grad)
                        .for_each(|(w, d)| *w -= LEARNING_RATE * d);
                })
                .unwrap();
        }
        model.zero_grad();
    }
}

fn trained_package(folder: &Path, data: &Data) -> Package {
    let config =
        json!({"model_type": "mlp", "input_shape": [1, 28, 28], "hidden_sizes": [128], "num_classes": 10});
    let architecture: ModelConfig = serde_json::from_value(config.clone()).unwrap();
    let model = architecture.build(1).unwrap();
    train(&*model, data);
    let spec = |name: &str, row: &[usize]| TensorSpec {
        name: name.to_owned(),
        dtype: DType::F32,
        shape: std::iter::once(None)
            .chain(row.iter().copied().map(Some))
            .collect(),
    };
    let signature = Signature {
        inputs: vec![spec("input", &[1, 28, 28])],
        outputs: vec![spec("logits", &[10])],
        labels: data.train.label_names().to_vec(),
    };
    let manifest = Manifest::new(
        "classification",
        signature,
        data.preprocessing.clone(),
        Lineage::by_this_build(),
    );
    let contents = PackageContents {
        config,
        tensors: model.state_dict(),
        manifest,
        encoding: Encoding::Dense,
        files: Default::default(),
    };
    save(folder, "original", &contents)
}

fn save(folder: &Path, name: &str, contents: &PackageContents) -> Package {
    let path: PathBuf = folder.join(name);
    Package::save(&path, contents).unwrap();
    Package::open(&path).unwrap()
}

fn accuracy(package: &Package, data: &Data) -> f64 {
    let predictor = Predictor::from_package(package).unwrap();
    let classes = predictor.predict_dataset(&data.test, 256).unwrap().classes();
    let right = classes
        .iter()
        .zip(data.test.labels())
        .filter(|(got, want)| got == want)
        .count();
    right as f64 / data.test.len() as f64
}

#[test]
fn a_trained_network_keeps_its_accuracy_and_loses_its_weight() {
    let dir = tempfile::tempdir().unwrap();
    let data = data();
    let original = trained_package(dir.path(), &data);
    let exact = accuracy(&original, &data);
    assert!(exact > 0.75, "the network did not learn: {exact}");
    let variant = |name: &str, plan: Plan| {
        let package = save(dir.path(), name, &compress(&original, &plan).unwrap());
        let size = package.file_bytes() as f64 / original.file_bytes() as f64;
        let accuracy = accuracy(&package, &data);
        println!("{name}: accuracy {accuracy:.4} (original {exact:.4}), {size:.3} of the size");
        (accuracy, size)
    };
    let half = Some(PruneOptions::new(0.5));
    let int8 = Plan {
        quantize_int8: true,
        ..Plan::default()
    };

    let (quantized, size) = variant("int8", int8);
    assert!(
        quantized >= exact - INT8_DROP && size < 0.27,
        "int8: {quantized} of {exact}, size {size}"
    );

    let (pruned, size) = variant(
        "pruned",
        Plan {
            prune: half,
            ..Plan::default()
        },
    );
    assert!(
        pruned >= exact - 0.02 && size < 0.56,
        "pruned: {pruned} of {exact}, size {size}"
    );

    let (both, size) = variant("both", Plan { prune: half, ..int8 });
    assert!(
        both >= pruned - INT8_DROP && size < 0.19,
        "both: {both} of {pruned}, size {size}"
    );
}
