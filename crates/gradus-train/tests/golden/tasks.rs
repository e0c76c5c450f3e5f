//! Numbers and labels: with PyTorch's initial weights and batches, the first 50 losses are PyTorch's
//! (golden/task_training.safetensors).

use gradus_data::{DataConfig, TargetKind};
use gradus_nn::losses::{
    BceOptions, HuberOptions, SmoothL1Options, bce_with_logits, bce_with_logits_with, huber_with, mae, mse,
    smooth_l1_with,
};
use gradus_nn::{Layer, ModelConfig, Module};
use gradus_tensor::Tensor;
use gradus_train::optimizers::{Optimizer, Sgd};
use std::collections::HashMap;
use std::path::Path;

/// What the trainings of the golden file used; see golden/make_task_training.py.
const LEARNING_RATE: f64 = 0.3;
const BATCH: usize = 32;
const DELTA: f64 = 0.7;
const POS_WEIGHT: [f32; 4] = [1.0, 2.0, 0.5, 4.0];

const RELATIVE_TOLERANCE: f64 = 1e-4;

type Golden = HashMap<String, Tensor>;

fn golden() -> Golden {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../golden/task_training.safetensors"
    );
    let file = gradus_package::safetensors::read_safetensors(Path::new(path)).unwrap();
    file.tensors.into_iter().collect()
}

/// Trains on the batches that `draw` makes of row numbers, and compares the losses.
fn check(
    golden: &Golden,
    case: &str,
    draw: impl Fn(&[usize]) -> (Tensor, Tensor),
    loss_of: impl Fn(&Tensor, &Tensor) -> Tensor,
) {
    let problem = case.split('.').next().unwrap();
    let of = |name: &str| &golden[&format!("{problem}.{name}")];
    let [hidden, inputs] = *of("layers.0.weight").shape() else {
        panic!()
    };
    let config: ModelConfig = serde_json::from_value(serde_json::json!({
        "model_type": "mlp", "input_shape": [inputs], "hidden_sizes": [hidden],
        "num_classes": of("layers.1.bias").shape()[0], "activation": "tanh",
    }))
    .unwrap();
    let model = config.build(0).unwrap();
    let named = model.named_parameters().into_iter();
    let initial: Vec<(String, Tensor)> = named.map(|(name, _)| (name.clone(), of(&name).clone())).collect();
    model.load_state_dict(&initial).unwrap();
    let expected = golden[&format!("{case}.losses")].to_vec::<f32>().unwrap();
    assert_eq!(expected.len(), 50);
    let mut optimizer = Sgd::new(model.parameters(), LEARNING_RATE);
    let order = of("order").to_vec::<i64>().unwrap();
    for (step, rows) in order.chunks_exact(BATCH).enumerate() {
        let rows: Vec<usize> = rows.iter().map(|&row| row as usize).collect();
        let (x, y) = draw(&rows);
        let loss = loss_of(&model.forward(&x).unwrap(), &y);
        loss.backward().unwrap();
        optimizer.step().unwrap();
        optimizer.zero_grad();
        let (got, expected) = (f64::from(loss.item::<f32>().unwrap()), f64::from(expected[step]));
        assert!(
            (got - expected).abs() <= RELATIVE_TOLERANCE * expected,
            "{case}, step {step}: {got} instead of {expected}"
        );
    }
}

#[test]
fn the_losses_of_numbers_are_pytorchs() {
    // The file is read and both sides are standardised by gradus itself.
    let config = DataConfig {
        task: TargetKind::Regression,
        labels: vec!["target".into(), "bmi".into()],
        ..DataConfig::new("train.csv")
    };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/diabetes");
    let file = Path::new(folder).join("train.csv");
    let config = DataConfig {
        train: file,
        test: None,
        ..config
    };
    let train = gradus_data::load(&config, Path::new("")).unwrap().train;
    let draw = |rows: &[usize]| {
        let width = train.sample_shape()[0];
        let mut inputs = vec![0f32; rows.len() * width];
        train.samples().gather(rows, &mut inputs);
        let inputs = Tensor::from_vec(inputs, [rows.len(), width]).unwrap();
        (inputs, train.targets().batch(rows))
    };
    let golden = golden();
    check(&golden, "regression.mse", draw, |x, y| mse(x, y).unwrap());
    check(&golden, "regression.mae", draw, |x, y| mae(x, y).unwrap());
    check(&golden, "regression.huber", draw, |x, y| {
        let options = HuberOptions {
            delta: DELTA,
            ..HuberOptions::default()
        };
        huber_with(x, y, &options).unwrap()
    });
    check(&golden, "regression.smooth_l1", draw, |x, y| {
        let options = SmoothL1Options {
            beta: DELTA,
            ..SmoothL1Options::default()
        };
        smooth_l1_with(x, y, &options).unwrap()
    });
}

#[test]
fn the_losses_of_labels_are_pytorchs() {
    let golden = golden();
    let draw = |rows: &[usize]| {
        let rows: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        let rows = Tensor::from_vec(rows, [BATCH]).unwrap();
        let of = |name: &str| golden[name].index_select(0, &rows).unwrap();
        (of("multilabel.inputs"), of("multilabel.targets"))
    };
    check(&golden, "multilabel.bce", draw, |x, y| {
        bce_with_logits(x, y).unwrap()
    });
    check(&golden, "multilabel.weighted_bce", draw, |x, y| {
        let options = BceOptions {
            pos_weight: Some(Tensor::from_vec(POS_WEIGHT.to_vec(), [4]).unwrap()),
            ..BceOptions::default()
        };
        bce_with_logits_with(x, y, &options).unwrap()
    });
}
