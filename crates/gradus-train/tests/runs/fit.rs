//! The Keras way on real images.

use gradus_nn::{Dropout, Layer, Linear, Relu, Sequential};
use gradus_tensor::{Rng, Tensor};
use gradus_train::early_stopping::EarlyStopping;
use gradus_train::{Error, Fit, FitOptions};
use std::path::Path;

/// The first `count` training images of the sample and their classes.
fn images(count: usize) -> (Tensor, Tensor) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/fashion-mnist-sample");
    let train = gradus_data::load(&gradus_data::DataConfig::new(folder), Path::new(""))
        .unwrap()
        .train;
    let x = train.samples().tensor(0..count).reshape([count, 784]).unwrap();
    (x, Tensor::from_slice(&train.labels()[..count], [count]).unwrap())
}

fn model() -> Sequential {
    let rng = &mut Rng::seed_from(1);
    Sequential::new()
        .then(Linear::new(784, 32, rng))
        .then(Relu)
        .then(Dropout::new(0.1).unwrap())
        .then(Linear::new(32, 10, rng))
}

fn weights(model: &dyn Layer) -> Vec<u32> {
    let state = model.state_dict();
    state
        .iter()
        .flat_map(|(_, tensor)| tensor.to_vec::<f32>().unwrap())
        .map(f32::to_bits)
        .collect()
}

#[test]
fn fit_learns_measures_what_it_held_out_and_repeats_to_the_bit() {
    let (x, y) = images(1000);
    let options = FitOptions {
        epochs: 4,
        validation_split: 0.2,
        ..FitOptions::default()
    };
    let [first, second] = [model(), model()];
    let history = first.fit(&x, &y, &options).unwrap();
    assert_eq!(history.epochs.len(), 4);
    assert!(history.epochs[3].loss < history.epochs[0].loss);
    let validation = history.epochs[3].validation.unwrap();
    assert!(validation.accuracy > 0.6, "{validation:?}");
    let held_out = first
        .evaluate(&x.narrow(0, 800, 200).unwrap(), &y.narrow(0, 800, 200).unwrap())
        .unwrap();
    assert_eq!(held_out, validation);
    assert_eq!(first.predict(&x).unwrap().shape(), [1000, 10]);
    second.fit(&x, &y, &options).unwrap();
    assert_eq!(weights(&first), weights(&second));
}

#[test]
fn fit_stops_early() {
    let (x, y) = images(200);
    let early_stopping = Some(EarlyStopping {
        patience: 1,
        min_delta: 1e3,
    });
    let options = FitOptions {
        epochs: 9,
        early_stopping,
        ..FitOptions::default()
    };
    assert_eq!(model().fit(&x, &y, &options).unwrap().epochs.len(), 2);
}

#[test]
fn fit_refuses_what_cannot_work() {
    let (x, y) = images(100);
    let short = y.narrow(0, 0, 99).unwrap();
    let error = model().fit(&x, &short, &FitOptions::default()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::TargetCount {
                rows: 100,
                targets: 99
            }
        ),
        "{error}"
    );
    let options = FitOptions {
        batch_size: 0,
        ..FitOptions::default()
    };
    assert!(matches!(
        model().fit(&x, &y, &options).unwrap_err(),
        Error::InvalidSettings { .. }
    ));
    let options = FitOptions {
        learning_rate: Some(1e38),
        ..FitOptions::default()
    };
    assert!(matches!(
        model().fit(&x, &y, &options).unwrap_err(),
        Error::Diverged(_)
    ));
}
