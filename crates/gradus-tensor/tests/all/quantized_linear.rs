//! The layer with quantised weights: against the dequantised layer, its gradient, and what it refuses.

use gradus_tensor::{Activation, BlockType, DType, Error, QuantizedLinear, Rng, Tensor};

/// The rounding of activations to int8 moves results by about 0.4 % of the norm of a row of terms.
const ACTIVATIONS: f32 = 0.02;

fn normal(shape: &[usize], seed: u64) -> Tensor {
    Tensor::randn(shape, 0.0, 1.0, &mut Rng::seed_from(seed))
}

fn layer(ty: BlockType, out: usize, input: usize, bias: Option<&Tensor>) -> QuantizedLinear {
    let blocks = normal(&[out, input], 1).to_blocks(ty).unwrap();
    QuantizedLinear::new(&blocks, ty, input, bias).unwrap()
}

fn values(x: &Tensor) -> Vec<f32> {
    x.to_vec::<f32>().unwrap()
}

#[test]
fn forward_is_near_the_layer_of_the_dequantised_weights() {
    let bias = normal(&[19], 2);
    for ty in BlockType::ALL {
        let layer = layer(ty, 19, 512, Some(&bias));
        let x = normal(&[2, 3, 512], 3);
        let out = layer.forward(&x).unwrap();
        let want = x
            .linear(&layer.dequantize(), Some(&bias), Activation::Identity)
            .unwrap();
        assert_eq!(out.shape(), [2, 3, 19]);
        // Sums of 512 products of normal numbers have a deviation of 22.6.
        for (got, want) in values(&out).into_iter().zip(values(&want)) {
            assert!((got - want).abs() < ACTIVATIONS * 22.6, "{ty}: {got} for {want}");
        }
        let strided = normal(&[512, 6], 4).t().unwrap();
        let dense = strided.contiguous().unwrap();
        assert_eq!(
            values(&layer.forward(&strided).unwrap()),
            values(&layer.forward(&dense).unwrap())
        );
    }
}

#[test]
fn dequantised_weights_and_rows_are_those_of_the_blocks() {
    for ty in BlockType::ALL {
        let blocks = normal(&[21, 256], 1).to_blocks(ty).unwrap();
        let layer = QuantizedLinear::new(&blocks, ty, 256, None).unwrap();
        let want = blocks.from_blocks(ty).unwrap();
        assert_eq!(values(&layer.dequantize()), values(&want), "{ty}");
        let ids = Tensor::from_vec(vec![20_i64, 0, 7, 7], [2, 2]).unwrap();
        let rows = layer.rows(&ids).unwrap();
        assert_eq!(rows.shape(), [2, 2, 256]);
        assert_eq!(values(&rows), values(&want.embedding(&ids).unwrap()), "{ty}");
    }
}

#[test]
fn layers_of_one_input_give_what_each_gives_alone() {
    let bias = normal(&[5], 2);
    let layers = [
        layer(BlockType::Q4K, 40, 256, None),
        layer(BlockType::Q6K, 5, 256, Some(&bias)),
        layer(BlockType::Q8_0, 17, 256, None),
    ];
    let x = normal(&[3, 256], 3);
    let together = QuantizedLinear::forward_shared([&layers[0], &layers[1], &layers[2]], &x).unwrap();
    for (layer, out) in layers.iter().zip(&together) {
        assert_eq!(out.shape(), [3, layer.out_features()]);
        assert!(out.is_contiguous());
        assert_eq!(values(out), values(&layer.forward(&x).unwrap()));
    }
}

#[test]
fn gradients_pass_through_the_weights_to_the_input() {
    for ty in BlockType::ALL {
        let layers = [layer(ty, 33, 256, None), layer(ty, 7, 256, None)];
        let x = normal(&[2, 4, 256], 3).with_grad().unwrap();
        let [a, b] = QuantizedLinear::forward_shared([&layers[0], &layers[1]], &x).unwrap();
        let (d_a, d_b) = (normal(&[2, 4, 33], 4), normal(&[2, 4, 7], 5));
        let loss = |a: &Tensor, b: &Tensor| {
            let (a, b) = (a.mul(&d_a)?.sum_all()?, b.mul(&d_b)?.sum_all()?);
            a.add(&b)
        };
        loss(&a, &b).unwrap().backward().unwrap();
        let got = x.grad().unwrap();

        let y = x.detach().with_grad().unwrap();
        let dense = |i: usize| {
            y.linear(&layers[i].dequantize(), None, Activation::Identity)
                .unwrap()
        };
        loss(&dense(0), &dense(1)).unwrap().backward().unwrap();
        for (got, want) in values(&got).into_iter().zip(values(&y.grad().unwrap())) {
            assert!((got - want).abs() < 1e-4, "{ty}: {got} for {want}");
        }
    }
}

#[test]
fn half_types_go_through_f32() {
    let layer = layer(BlockType::Q4_0, 9, 64, None);
    let x = normal(&[2, 64], 3).to_dtype(DType::BF16).unwrap();
    let out = layer.forward(&x).unwrap();
    let want = layer.forward(&x.to_dtype(DType::F32).unwrap()).unwrap();
    assert_eq!(out.dtype(), DType::BF16);
    assert_eq!(
        values(&out.to_dtype(DType::F32).unwrap()),
        values(&want.to_dtype(DType::BF16).unwrap().to_dtype(DType::F32).unwrap())
    );
}

#[test]
fn empty_inputs_give_empty_or_zero_outputs() {
    let layer = layer(BlockType::Q4_0, 9, 64, None);
    assert_eq!(
        layer
            .forward(&Tensor::zeros([0, 64], DType::F32))
            .unwrap()
            .shape(),
        [0, 9]
    );
    let blocks = Tensor::zeros([3, 0], DType::U8);
    let no_inputs = QuantizedLinear::new(&blocks, BlockType::Q8_0, 0, None).unwrap();
    assert_eq!(
        values(&no_inputs.forward(&Tensor::zeros([2, 0], DType::F32)).unwrap()),
        [0.0; 6]
    );
    let ids = Tensor::zeros([0], DType::I64);
    assert_eq!(layer.rows(&ids).unwrap().shape(), [0, 64]);
}

#[test]
fn refuses_what_does_not_fit() {
    let ty = BlockType::Q4K;
    let blocks = Tensor::zeros([3, 144], DType::U8);
    let new = |blocks: &Tensor, features, bias: Option<&Tensor>| {
        QuantizedLinear::new(blocks, ty, features, bias)
            .map(|layer| layer.bytes())
            .unwrap_err()
    };
    assert!(matches!(new(&blocks, 512, None), Error::InvalidShape { .. }));
    assert!(matches!(
        new(&Tensor::zeros([3, 143], DType::U8), 256, None),
        Error::InvalidShape { .. }
    ));
    assert!(matches!(
        new(&Tensor::zeros([432], DType::U8), 256, None),
        Error::InvalidShape { .. }
    ));
    assert!(matches!(
        new(&Tensor::zeros([3, 144], DType::F32), 256, None),
        Error::UnsupportedDType { .. }
    ));
    let bias = Tensor::zeros([4], DType::F32);
    assert!(matches!(
        new(&blocks, 256, Some(&bias)),
        Error::ShapeMismatch { .. }
    ));
    let bias = Tensor::zeros([3], DType::F64);
    assert!(matches!(
        new(&blocks, 256, Some(&bias)),
        Error::UnsupportedDType { .. }
    ));

    let layer = QuantizedLinear::new(&blocks, ty, 256, None).unwrap();
    let forward = |x: &Tensor| layer.forward(x).unwrap_err();
    assert!(matches!(
        forward(&Tensor::zeros([2, 255], DType::F32)),
        Error::ShapeMismatch { .. }
    ));
    assert!(matches!(
        forward(&Tensor::zeros([], DType::F32)),
        Error::ShapeMismatch { .. }
    ));
    assert!(matches!(
        forward(&Tensor::zeros([2, 256], DType::F64)),
        Error::UnsupportedDType { .. }
    ));
    let ids = |id: i64| layer.rows(&Tensor::scalar(id)).unwrap_err();
    assert!(matches!(ids(3), Error::IndexOutOfRange { .. }));
    assert!(matches!(ids(-1), Error::IndexOutOfRange { .. }));

    let odd = Tensor::zeros([2, 100], DType::F32).to_blocks(ty).unwrap_err();
    assert!(matches!(odd, Error::InvalidShape { .. }));
    let tracked = Tensor::zeros([2, 256], DType::F32).with_grad().unwrap();
    assert!(matches!(
        tracked.to_blocks(ty).unwrap_err(),
        Error::NoGradient { .. }
    ));
}
