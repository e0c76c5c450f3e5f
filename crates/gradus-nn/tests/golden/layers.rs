//! Layers with state against PyTorch: outputs, gradients and running statistics.

use crate::file::{Case, GoldenFile};
use gradus_nn::{BatchNorm1d, BatchNorm2d, BatchNormConfig, Embedding, Layer, LayerNorm, LayerNormConfig};
use gradus_tensor::{Rng, Tensor};

/// Loads the case's tensors of these names into the layer, leaving its other state as it is.
fn load(layer: &dyn Layer, file: &GoldenFile, case: &Case, names: &[&str]) {
    let mut state = layer.state_dict();
    for (name, tensor) in &mut state {
        if names.contains(&name.as_str()) {
            *tensor = file.tensor(case, name);
        }
    }
    layer.load_state_dict(&state).expect("PyTorch computed this case");
}

/// Sends the case's upstream gradient back and compares the gradients of `x` and of the parameters.
fn check_backward(layer: &dyn Layer, file: &GoldenFile, case: &Case, x: &Tensor, out: &Tensor) {
    out.backward_with(&file.tensor(case, "d_out"))
        .expect("PyTorch computed this case");
    for grad in &case.grads {
        let name = grad
            .strip_prefix(&format!("{}.d_", case.name))
            .expect("PyTorch computed this case");
        let got = match name {
            "x" => x.grad(),
            parameter => layer
                .named_parameters()
                .into_iter()
                .find(|(n, _)| n == parameter)
                .expect("PyTorch computed this case")
                .1
                .grad(),
        };
        file.assert_is(case, &format!("d_{name}"), &got.expect("a gradient"));
    }
}

#[test]
fn batch_norm_normalises_and_tracks_as_pytorch_does() {
    let file = GoldenFile::open("ops.safetensors");
    assert!(file.cases_of("batch_norm").count() >= 9);
    for case in file.cases_of("batch_norm") {
        let x = file
            .tensor(case, "x")
            .with_grad()
            .expect("PyTorch computed this case");
        let config = BatchNormConfig {
            eps: case.number("eps"),
            momentum: case.number("momentum"),
            ..BatchNormConfig::new(x.shape()[1])
        };
        let layer: Box<dyn Layer> = match x.rank() {
            4 => Box::new(BatchNorm2d::with_config(&config)),
            _ => Box::new(BatchNorm1d::with_config(&config)),
        };
        load(
            &*layer,
            &file,
            case,
            &["weight", "bias", "running_mean", "running_var"],
        );
        let training = case.flag("training");
        if !training {
            layer.eval();
        }
        let out = layer.forward(&x).expect("PyTorch computed this case");
        file.assert_is(case, "out", &out);
        check_backward(&*layer, &file, case, &x, &out);
        if training {
            for (name, buffer) in &layer.named_buffers()[..2] {
                file.assert_is(case, &format!("new_{name}"), &buffer.value());
            }
        }
        let tracked = layer.named_buffers()[2]
            .1
            .value()
            .item::<i64>()
            .expect("PyTorch computed this case");
        assert_eq!(tracked, i64::from(training), "{}", case.name);
    }
}

#[test]
fn layer_norm_is_pytorchs() {
    let file = GoldenFile::open("ops.safetensors");
    let learned = file.cases_of("layer_norm").filter(|case| case.has("weight"));
    for case in learned {
        let x = file
            .tensor(case, "x")
            .with_grad()
            .expect("PyTorch computed this case");
        let shape = file.tensor(case, "weight").shape().to_vec();
        let config = LayerNormConfig {
            eps: case.number("eps"),
            ..LayerNormConfig::new(&shape)
        };
        let layer = LayerNorm::with_config(&config);
        load(&layer, &file, case, &["weight", "bias"]);
        let out = layer.forward(&x).expect("PyTorch computed this case");
        file.assert_is(case, "out", &out);
        check_backward(&layer, &file, case, &x, &out);
    }
}

#[test]
fn embedding_is_pytorchs() {
    let file = GoldenFile::open("ops.safetensors");
    assert!(file.cases_of("embedding").count() >= 3);
    for case in file.cases_of("embedding") {
        let table = file.tensor(case, "weight");
        let layer = Embedding::new(table.shape()[0], table.shape()[1], &mut Rng::seed_from(0));
        load(&layer, &file, case, &["weight"]);
        let ids = file.tensor(case, "ids");
        let out = layer.forward(&ids).expect("PyTorch computed this case");
        file.assert_is(case, "out", &out);
        check_backward(&layer, &file, case, &ids, &out);
    }
}
