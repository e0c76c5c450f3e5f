//! What the lists of gradients and golden answers cannot say about the operations of transformers.

use gradus_tensor::{
    Activation, DType, Error, LinearCrossEntropyOptions, Parameter, Precision, Reduction, Rng, RopePositions,
    RopeTable, Tensor, rng,
};

fn noise(shape: &[usize], seed: u64) -> Tensor {
    Tensor::randn(shape, 0.0, 1.0, &mut Rng::seed_from(seed))
}

fn bits(x: &Tensor) -> Vec<u32> {
    x.to_vec::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

/// Two layers with dropout, with parameters that are no inputs; in checkpoints of `every` layers.
struct Net {
    weights: Vec<Parameter>,
}

impl Net {
    fn new() -> Net {
        let weight = |seed| Parameter::new(noise(&[6, 6], seed)).unwrap();
        Net {
            weights: (0..4).map(weight).collect(),
        }
    }

    fn layer(weight: &Parameter, x: &Tensor) -> Result<Tensor, Error> {
        let dropped = x
            .linear(&weight.value(), None, Activation::Gelu)?
            .dropout(0.4, rng::next_forward_seed())?;
        dropped.add(x)
    }

    /// The loss, and gradients of the input and all weights.
    fn gradients(&self, x: &Tensor, checkpointed: bool) -> Vec<Vec<u32>> {
        rng::set_forward_seed(17);
        let leaf = x.with_grad().unwrap();
        let mut y = leaf.clone();
        for pair in self.weights.chunks(2) {
            let pair = pair.to_vec();
            let run = move |x: &[Tensor]| Net::layer(&pair[1], &Net::layer(&pair[0], &x[0])?);
            y = match checkpointed {
                true => Tensor::checkpoint(&[&y], run).unwrap(),
                false => run(&[y]).unwrap(),
            };
        }
        let loss = y.mul(&y).unwrap().sum_all().unwrap();
        loss.backward().unwrap();
        let after = rng::next_forward_seed();
        let mut found = vec![bits(&loss.detach()), bits(&leaf.grad().unwrap())];
        found.extend(self.weights.iter().map(|w| bits(&w.take_grad().unwrap())));
        found.push(vec![after as u32, (after >> 32) as u32]);
        found
    }
}

#[test]
fn a_checkpoint_changes_no_bit_of_losses_gradients_and_seeds() {
    let (net, x) = (Net::new(), noise(&[5, 6], 9));
    assert_eq!(net.gradients(&x, true), net.gradients(&x, false));
}

#[test]
fn a_checkpoint_reaches_parameters_though_no_input_is_tracked() {
    let weight = Parameter::new(noise(&[2, 3], 1)).unwrap();
    let inner = weight.clone();
    let x = noise(&[4, 3], 2);
    let y = Tensor::checkpoint(&[&x], move |x| {
        x[0].linear(&inner.value(), None, Activation::Relu)
    })
    .unwrap();
    y.sum_all().unwrap().backward().unwrap();
    assert!(weight.grad().is_some());
    let _no_grad = gradus_tensor::no_grad();
    let inner = weight.clone();
    let y = Tensor::checkpoint(&[&x], move |x| {
        x[0].linear(&inner.value(), None, Activation::Relu)
    })
    .unwrap();
    assert!(!y.is_tracked());
}

#[test]
fn a_function_that_fails_the_second_time_is_named() {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let x = noise(&[2], 1).with_grad().unwrap();
    let y = Tensor::checkpoint(&[&x], move |x| {
        match calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => x[0].exp(),
            _ => x[0].reshape([7]),
        }
    });
    let error = y.unwrap().sum_all().unwrap().backward().unwrap_err();
    assert!(matches!(error, Error::Recompute { .. }), "{error}");
}

#[test]
fn token_losses_are_those_of_the_logits_in_every_float_type() {
    let (hidden, weight) = (noise(&[2, 3, 8], 1), noise(&[11, 8], 2));
    let targets = Tensor::from_vec(vec![0i64, 10, -100, 4, 4, 7], [2, 3]).unwrap();
    let options = LinearCrossEntropyOptions::default();
    let losses = hidden
        .with_grad()
        .unwrap()
        .linear_token_losses(&weight, &targets, &options)
        .unwrap();
    assert!(!losses.is_tracked());
    let logits = hidden.linear(&weight, None, Activation::Identity).unwrap();
    let log_p = logits.log_softmax(2).unwrap().to_vec::<f32>().unwrap();
    for (at, (&loss, target)) in losses
        .to_vec::<f32>()
        .unwrap()
        .iter()
        .zip([0, 10, -100, 4, 4, 7])
        .enumerate()
    {
        let expected = usize::try_from(target).map_or(0.0, |t: usize| -log_p[at * 11 + t]);
        assert!((loss - expected).abs() < 1e-5, "{at}: {loss} {expected}");
    }
    for dtype in [DType::BF16, DType::F16, DType::F64] {
        let other = hidden
            .to_dtype(dtype)
            .unwrap()
            .linear_token_losses(&weight, &targets, &options)
            .unwrap();
        assert_eq!(other.dtype(), DType::F32);
        for (a, b) in other
            .to_vec::<f32>()
            .unwrap()
            .iter()
            .zip(losses.to_vec::<f32>().unwrap())
        {
            assert!((a - b).abs() < 0.05, "{dtype}: {a} {b}");
        }
    }
}

#[test]
fn bf16_products_move_the_loss_and_gradients_a_little() {
    let targets = Tensor::from_vec(vec![3i64, 10, -100, 4], [4]).unwrap();
    let run = |precision| {
        let (hidden, weight) = (
            noise(&[4, 32], 1).with_grad().unwrap(),
            noise(&[11, 32], 2).with_grad().unwrap(),
        );
        let options = LinearCrossEntropyOptions {
            precision,
            ..LinearCrossEntropyOptions::default()
        };
        let loss = hidden.linear_cross_entropy(&weight, &targets, &options).unwrap();
        loss.backward().unwrap();
        let mut found = loss.detach().to_vec::<f32>().unwrap();
        for leaf in [hidden, weight] {
            found.extend(leaf.grad().unwrap().to_vec::<f32>().unwrap());
        }
        found
    };
    let (exact, rounded) = (run(Precision::F32), run(Precision::Bf16));
    assert_ne!(exact, rounded);
    for (exact, rounded) in exact.iter().zip(&rounded) {
        // Eight bits of each factor, over sums of 32 terms.
        assert!(
            (exact - rounded).abs() < 0.03 + 0.03 * exact.abs(),
            "{exact} {rounded}"
        );
    }
}

#[test]
fn no_counted_target_gives_nan_and_no_gradient() {
    let (hidden, weight) = (
        noise(&[3, 4], 1).with_grad().unwrap(),
        noise(&[5, 4], 2).with_grad().unwrap(),
    );
    let targets = Tensor::full([3], -100.0, DType::I64);
    let loss = hidden
        .linear_cross_entropy(&weight, &targets, &LinearCrossEntropyOptions::default())
        .unwrap();
    assert!(loss.detach().item::<f32>().unwrap().is_nan());
    loss.backward().unwrap();
    for leaf in [&hidden, &weight] {
        assert!(
            leaf.grad()
                .unwrap()
                .to_vec::<f32>()
                .unwrap()
                .iter()
                .all(|&d| d == 0.0)
        );
    }
}

#[test]
fn a_scaled_loss_scales_its_gradients() {
    let targets = Tensor::from_vec(vec![1i64, 0, 2], [3]).unwrap();
    let gradient = |scale: f64, reduction: Reduction| {
        let weight = noise(&[3, 4], 2).with_grad().unwrap();
        let options = LinearCrossEntropyOptions {
            reduction,
            ..LinearCrossEntropyOptions::default()
        };
        let loss = noise(&[3, 4], 1)
            .linear_cross_entropy(&weight, &targets, &options)
            .unwrap();
        loss.mul_scalar(scale).unwrap().backward().unwrap();
        weight.grad().unwrap().to_vec::<f32>().unwrap()
    };
    for (third, whole) in gradient(1.0 / 3.0, Reduction::Sum)
        .iter()
        .zip(gradient(1.0, Reduction::Mean))
    {
        assert!((third - whole).abs() < 1e-6);
    }
}

#[test]
fn wrong_targets_and_positions_are_refused() {
    let (hidden, weight) = (noise(&[2, 4], 1), noise(&[5, 4], 2));
    let options = LinearCrossEntropyOptions::default();
    let loss = |targets: Tensor| hidden.linear_cross_entropy(&weight, &targets, &options);
    let targets = Tensor::from_vec(vec![0i64, 5], [2]).unwrap();
    assert!(matches!(
        loss(targets),
        Err(Error::IndexOutOfRange {
            index: 5,
            bound: 5,
            position: 1,
            ..
        })
    ));
    assert!(matches!(
        loss(Tensor::zeros([3], DType::I64)),
        Err(Error::ShapeMismatch { .. })
    ));
    assert!(matches!(
        loss(Tensor::zeros([2], DType::F32)),
        Err(Error::UnsupportedDType { .. })
    ));
    let table = RopeTable::new(&[1.0, 0.1], 1.0).unwrap();
    let x = noise(&[1, 2, 1, 4], 1);
    let at = |a: i64, b: i64| Tensor::from_vec(vec![a, b], [1, 2]).unwrap();
    assert!(matches!(
        x.rope(&table, RopePositions::Each(&at(0, -1))),
        Err(Error::IndexOutOfRange { .. })
    ));
    assert!(matches!(
        x.rope(&table, RopePositions::Each(&at(0, 1 << 40))),
        Err(Error::InvalidArgument { .. })
    ));
    assert!(matches!(
        noise(&[1, 2, 1, 3], 1).rope(&table, RopePositions::From(0)),
        Err(Error::InvalidShape { .. })
    ));
    assert!(matches!(
        x.gated(&weight, Activation::Silu),
        Err(Error::ShapeMismatch { .. })
    ));
    assert!(matches!(
        x.rms_norm(&Tensor::ones([3], DType::F32), 1e-6),
        Err(Error::ShapeMismatch { .. })
    ));
}

#[test]
fn empty_and_half_tensors_pass_through() {
    let table = RopeTable::new(&[1.0, 0.1], 1.0).unwrap();
    let empty = Tensor::zeros([0, 3, 2, 4], DType::F32);
    assert_eq!(
        empty.rope(&table, RopePositions::From(0)).unwrap().shape(),
        [0, 3, 2, 4]
    );
    let weight = Tensor::ones([4], DType::F32);
    assert_eq!(empty.rms_norm(&weight, 1e-6).unwrap().shape(), [0, 3, 2, 4]);
    assert_eq!(empty.gated(&empty, Activation::Gelu).unwrap().numel(), 0);
    let half = noise(&[1, 3, 2, 4], 1).to_dtype(DType::BF16).unwrap();
    for out in [
        half.rope(&table, RopePositions::From(9)).unwrap(),
        half.rms_norm(&weight.to_dtype(DType::BF16).unwrap(), 1e-6)
            .unwrap(),
        half.gated(&half, Activation::Silu).unwrap(),
    ] {
        assert_eq!(out.dtype(), DType::BF16);
        assert!(
            out.to_vec::<gradus_tensor::bf16>()
                .unwrap()
                .iter()
                .all(|x| x.is_finite())
        );
    }
}
