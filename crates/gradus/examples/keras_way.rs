//! The Keras way: a list of layers, `fit`, `evaluate`, `predict`.
use gradus::prelude::*;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let rng = &mut Rng::seed_from(0);
    let x = Tensor::rand_uniform([1024, 2], -1.0, 1.0, rng);
    let y = x
        .pow(2.0)?
        .sum([1], false)?
        .lt(&Tensor::full([1024], 0.6, DType::F32))?
        .to_dtype(DType::I64)?;
    let model = Sequential::new()
        .then(Linear::new(2, 32, rng))
        .then(Relu)
        .then(Linear::new(32, 2, rng));

    let options = FitOptions {
        epochs: 40,
        learning_rate: Some(0.01),
        validation_split: 0.2,
        ..FitOptions::default()
    };
    let history = model.fit(&x, &y, &options)?;
    println!("last epoch: {:?}", history.epochs.last());

    let scores = model.evaluate(&x, &y)?;
    println!("loss {:.4}, accuracy {:.4}", scores.loss, scores.accuracy);
    println!(
        "logits of the first row: {:?}",
        model.predict(&x.narrow(0, 0, 1)?)?
    );
    Ok(())
}
