//! What is promised about memory, measured; alone in its process, because the pool's counts are those of the process.
#![cfg(test)]

use gradus_tensor::{
    Activation, DType, Error, LinearCrossEntropyOptions, Parameter, Rng, Tensor, pool_stats,
};

const ROWS: usize = 256;
const WIDTH: usize = 64;
const LAYERS: usize = 8;

fn noise(shape: &[usize], seed: u64) -> Tensor {
    Tensor::randn(shape, 0.0, 0.1, &mut Rng::seed_from(seed))
}

/// A feed-forward layer that is four times as wide inside.
fn layer(weights: &[Parameter; 2], x: &Tensor) -> Result<Tensor, Error> {
    let inner = x.linear(&weights[0].value(), None, Activation::Gelu)?;
    inner
        .linear(&weights[1].value(), None, Activation::Identity)?
        .add(x)
}

fn pass(layers: &[[Parameter; 2]], checkpointed: bool) {
    let mut y = noise(&[ROWS, WIDTH], 1).with_grad().unwrap();
    for weights in layers {
        let weights = weights.clone();
        y = match checkpointed {
            true => Tensor::checkpoint(&[&y], move |x| layer(&weights, &x[0])).unwrap(),
            false => layer(&weights, &y).unwrap(),
        };
    }
    y.sum_all().unwrap().backward().unwrap();
    layers.iter().flatten().for_each(Parameter::zero_grad);
}

#[test]
fn a_checkpoint_keeps_its_inputs_alone_and_the_loss_never_holds_all_logits() {
    let layers: Vec<[Parameter; 2]> = (0..LAYERS as u64)
        .map(|i| {
            let up = noise(&[4 * WIDTH, WIDTH], 2 * i);
            let down = noise(&[WIDTH, 4 * WIDTH], 2 * i + 1);
            [up, down].map(|weight| Parameter::new(weight).unwrap())
        })
        .collect();
    let activation = ROWS * WIDTH * size_of::<f32>();
    let start = pool_stats().live_bytes;
    // The peak only grows, so the smaller one comes first.
    pass(&layers, true);
    let checkpointed = pool_stats().peak_bytes - start;
    pass(&layers, false);
    let plain = pool_stats().peak_bytes - start;
    // Each layer holds its input and, without a checkpoint, two of four times the width; the gradients of its weights
    // are as large as two inputs; the layer at work holds some twenty.
    assert!(plain >= LAYERS * 9 * activation, "{plain}");
    assert!(checkpointed <= (LAYERS * 3 + 20) * activation, "{checkpointed}");

    // The first use of a vocabulary this large: the peak of the process is that of the loss.
    let (rows, width, vocab) = (2048, 8, 40_000);
    let (hidden, weight) = (
        noise(&[rows, width], 5).with_grad().unwrap(),
        noise(&[vocab, width], 6).with_grad().unwrap(),
    );
    let before = pool_stats().peak_bytes;
    let loss = hidden
        .linear_cross_entropy(
            &weight,
            &Tensor::zeros([rows], DType::I64),
            &LinearCrossEntropyOptions::default(),
        )
        .unwrap();
    loss.backward().unwrap();
    let (grown, logits) = (pool_stats().peak_bytes - before, rows * vocab * size_of::<f32>());
    assert!(grown < logits / 2, "{grown} of {logits}");
}
