//! With PyTorch's initial weights and batch order, the first 500 losses are PyTorch's (golden/training.safetensors).

use gradus_nn::{Layer, ModelConfig, Module};
use gradus_tensor::{CrossEntropyOptions, Tensor};
use gradus_train::optimizers::{Optimizer, Sgd};
use std::collections::HashMap;

/// What the training of the golden file used; see golden/make_training.py.
const LEARNING_RATE: f64 = 0.1;
const BATCH: usize = 64;
const PIXELS: usize = 784;

const RELATIVE_TOLERANCE: f64 = 1e-4;

fn golden() -> HashMap<String, Tensor> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/training.safetensors");
    let file = gradus_package::safetensors::read_safetensors(std::path::Path::new(path)).unwrap();
    file.tensors.into_iter().collect()
}

/// All training images as f32 in [0, 1], and their classes.
fn images() -> (Vec<f32>, Vec<i64>) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/fashion-mnist-sample");
    let config = gradus_data::DataConfig {
        normalize: gradus_data::Normalize::None,
        ..gradus_data::DataConfig::new(folder)
    };
    let train = gradus_data::load(&config, std::path::Path::new(""))
        .unwrap()
        .train;
    let rows: Vec<f32> = (0..train.len())
        .flat_map(|index| train.pixels(index).unwrap())
        .map(|&p| f32::from(p) / 255.0)
        .collect();
    (rows, train.labels().to_vec())
}

#[test]
fn the_first_500_losses_are_pytorchs() {
    let golden = golden();
    let config: ModelConfig = serde_json::from_value(serde_json::json!({
        "model_type": "mlp", "input_shape": [PIXELS], "hidden_sizes": [128], "num_classes": 10,
    }))
    .unwrap();
    let model = config.build(0).unwrap();
    let initial: Vec<(String, Tensor)> = model
        .named_parameters()
        .into_iter()
        .map(|(name, _)| (name.clone(), golden[&name].clone()))
        .collect();
    model.load_state_dict(&initial).unwrap();
    let (pixels, labels) = images();
    let order = golden["order"].to_vec::<i64>().unwrap();
    let expected = golden["losses"].to_vec::<f32>().unwrap();
    let mut optimizer = Sgd::new(model.parameters(), LEARNING_RATE);
    for (step, rows) in order.chunks_exact(BATCH).enumerate() {
        let x: Vec<f32> = rows
            .iter()
            .flat_map(|&row| &pixels[row as usize * PIXELS..][..PIXELS])
            .copied()
            .collect();
        let y: Vec<i64> = rows.iter().map(|&row| labels[row as usize]).collect();
        let logits = model
            .forward(&Tensor::from_vec(x, [BATCH, PIXELS]).unwrap())
            .unwrap();
        let targets = Tensor::from_vec(y, [BATCH]).unwrap();
        let loss = logits
            .cross_entropy(&targets, &CrossEntropyOptions::default())
            .unwrap();
        loss.backward().unwrap();
        optimizer.step().unwrap();
        optimizer.zero_grad();
        let (got, expected) = (f64::from(loss.item::<f32>().unwrap()), f64::from(expected[step]));
        assert!(
            (got - expected).abs() <= RELATIVE_TOLERANCE * expected,
            "step {step}: {got} instead of {expected}"
        );
    }
    assert_eq!(expected.len(), 500);
}
