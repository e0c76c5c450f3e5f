//! What the ops do at the edges: no elements, no axes, NaN, half types, arguments that do not fit.

use gradus_tensor::{
    ChannelAffine, Conv2dOptions, CrossEntropyOptions, DType, Error, PackedLinear, PoolOptions, Reduction,
    Tensor, bf16, f16, no_grad,
};

fn f32s(values: &[f32], shape: &[usize]) -> Tensor {
    Tensor::from_slice(values, shape).unwrap()
}

fn ids(values: &[i64]) -> Tensor {
    Tensor::from_slice(values, [values.len()]).unwrap()
}

fn values(x: &Tensor) -> Vec<f32> {
    x.to_vec::<f32>().unwrap()
}

#[test]
fn ops_on_no_elements_give_empty_or_neutral_results() {
    let x = Tensor::zeros([0, 3], DType::F32).with_grad().unwrap();
    let shapes = [
        x.relu().unwrap(),
        x.add(&f32s(&[1.0, 2.0, 3.0], &[3])).unwrap(),
        x.softmax(1).unwrap(),
        x.log_softmax(0).unwrap(),
        x.matmul(&Tensor::zeros([3, 5], DType::F32))
            .unwrap()
            .narrow(1, 0, 3)
            .unwrap(),
        x.layer_norm(&[3], None, None, 1e-5).unwrap(),
        x.dropout(0.5, 1).unwrap(),
        x.index_select(0, &ids(&[])).unwrap(),
        Tensor::cat(&[x.clone(), x.clone()], 0).unwrap(),
        x.gt(&x.detach()).unwrap().where_cond(&x, &x).unwrap(),
    ];
    for out in shapes {
        assert_eq!(out.shape(), [0, 3]);
    }
    assert_eq!(values(&x.sum([0], false).unwrap()), [0.0; 3]);
    assert!(x.mean_all().unwrap().item::<f32>().unwrap().is_nan());
    x.sum_all().unwrap().backward().unwrap();
    assert_eq!(x.grad().unwrap().shape(), [0, 3]);
    let product = Tensor::zeros([2, 0], DType::F32)
        .matmul(&Tensor::zeros([0, 2], DType::F32))
        .unwrap();
    assert_eq!(values(&product), [0.0; 4]);
    assert!(matches!(
        x.max(0, false),
        Err(Error::InvalidShape { op: "max", .. })
    ));
}

#[test]
fn an_empty_batch_of_images_passes_through() {
    let x = Tensor::zeros([0, 2, 4, 4], DType::F32).with_grad().unwrap();
    let weight = Tensor::ones([3, 2, 3, 3], DType::F32).with_grad().unwrap();
    let out = x.conv2d(&weight, None, &Conv2dOptions::default()).unwrap();
    assert_eq!(out.shape(), [0, 3, 2, 2]);
    out.sum_all().unwrap().backward().unwrap();
    assert_eq!(values(&weight.grad().unwrap()), [0.0; 54]);
    let pool = PoolOptions {
        kernel: [2, 2],
        stride: [2, 2],
        ..PoolOptions::default()
    };
    assert_eq!(x.max_pool2d(&pool).unwrap().shape(), [0, 2, 2, 2]);
    assert_eq!(x.avg_pool2d(&pool).unwrap().shape(), [0, 2, 2, 2]);
}

#[test]
fn scalars_have_no_axes_and_work() {
    let x = Tensor::scalar(2.0f32).with_grad().unwrap();
    let y = x.mul(&x).unwrap().add_scalar(1.0).unwrap().sum_all().unwrap();
    assert_eq!((y.rank(), y.item::<f32>().unwrap()), (0, 5.0));
    y.backward().unwrap();
    assert_eq!(x.grad().unwrap().item::<f32>().unwrap(), 4.0);
    assert_eq!(Tensor::stack(&[x.detach(), x.detach()], 0).unwrap().shape(), [2]);
    assert!(matches!(
        x.softmax(0),
        Err(Error::InvalidAxis { axis: 0, rank: 0, .. })
    ));
    assert!(matches!(
        Tensor::cat(&[x.detach()], 0),
        Err(Error::InvalidAxis { .. })
    ));
}

#[test]
fn nan_goes_through_and_counts_as_largest() {
    let x = f32s(&[1.0, f32::NAN, 3.0], &[1, 3]);
    assert!(values(&x.relu().unwrap())[1].is_nan());
    assert!(values(&x.clamp(0.0, 1.0).unwrap())[1].is_nan());
    assert!(x.max(1, false).unwrap().item::<f32>().unwrap().is_nan());
    assert_eq!(x.argmax(1).unwrap().item::<i64>().unwrap(), 1);
    assert!(values(&x.softmax(1).unwrap()).iter().all(|p| p.is_nan()));
    assert_eq!(x.eq(&x).unwrap().to_vec::<u8>().unwrap(), [1, 0, 1]);
    let loss = x
        .cross_entropy(&ids(&[0]), &CrossEntropyOptions::default())
        .unwrap();
    assert!(loss.item::<f32>().unwrap().is_nan());
    let pool = PoolOptions {
        kernel: [1, 3],
        ..PoolOptions::default()
    };
    let pooled = x.reshape([1, 1, 1, 3]).unwrap().max_pool2d(&pool).unwrap();
    assert!(pooled.item::<f32>().unwrap().is_nan());
}

#[test]
fn half_types_compute_through_f32_and_round_once() {
    let wide: Vec<f32> = (0..1000).map(|i| (i as f32 * 0.37).sin() * 3.0).collect();
    for dtype in [DType::BF16, DType::F16] {
        let x = f32s(&wide, &[10, 100]).to_dtype(dtype).unwrap();
        let seen = x.to_dtype(DType::F32).unwrap();
        let rounded = |y: Tensor| {
            y.to_dtype(dtype)
                .unwrap()
                .to_dtype(DType::F64)
                .unwrap()
                .to_vec::<f64>()
                .unwrap()
        };
        let affine = ChannelAffine::default();
        for (half, full) in [
            (x.gelu(), seen.gelu()),
            (x.add(&x), seen.add(&seen)),
            (x.sum([1], false), seen.sum([1], false)),
            (x.softmax(1), seen.softmax(1)),
            (x.matmul(&x.t().unwrap()), seen.matmul(&seen.t().unwrap())),
            (
                x.layer_norm(&[100], None, None, 1e-5),
                seen.layer_norm(&[100], None, None, 1e-5),
            ),
            (x.max(1, false), seen.max(1, false)),
            (x.dropout(0.3, 5), seen.dropout(0.3, 5)),
            (
                x.batch_norm_train(affine, 1e-5).map(|y| y.0),
                seen.batch_norm_train(affine, 1e-5).map(|y| y.0),
            ),
        ] {
            let half = half.unwrap();
            assert_eq!(half.dtype(), dtype);
            assert_eq!(rounded(half), rounded(full.unwrap()));
        }
    }
}

#[test]
fn gradients_of_half_tensors_have_their_type_and_add_up_in_f32() {
    let table = Tensor::from_vec(vec![bf16::ONE; 2], [2, 1])
        .unwrap()
        .with_grad()
        .unwrap();
    // 300 times 1: bf16 holds 256 + 1 as 256, so adding in bf16 would stop there.
    let out = table.embedding(&ids(&[1; 300])).unwrap();
    out.backward_with(&Tensor::ones([300, 1], DType::BF16)).unwrap();
    let grad = table.grad().unwrap();
    assert_eq!(
        grad.to_vec::<bf16>().unwrap(),
        [bf16::ZERO, bf16::from_f32(300.0)]
    );
    let x = Tensor::from_vec(vec![f16::from_f32(0.5); 3], [3])
        .unwrap()
        .with_grad()
        .unwrap();
    x.mul(&x).unwrap().sum_all().unwrap().backward().unwrap();
    assert_eq!(x.grad().unwrap().to_vec::<f16>().unwrap(), [f16::ONE; 3]);
}

#[test]
fn integers_are_selected_and_joined_but_not_computed_with() {
    let labels = ids(&[4, 5, 6]);
    assert_eq!(
        labels
            .index_select(0, &ids(&[2, 0]))
            .unwrap()
            .to_vec::<i64>()
            .unwrap(),
        [6, 4]
    );
    let joined = Tensor::cat(&[labels.clone(), labels.clone()], 0).unwrap();
    assert_eq!(joined.to_vec::<i64>().unwrap(), [4, 5, 6, 4, 5, 6]);
    assert!(matches!(
        labels.relu(),
        Err(Error::UnsupportedDType { got: DType::I64, .. })
    ));
    assert!(matches!(
        labels.dropout(0.1, 1),
        Err(Error::UnsupportedDType { .. })
    ));
}

#[test]
fn casts_round_once_saturate_and_wrap() {
    let cast = |x: f32, to| f32s(&[x], &[1]).to_dtype(to).unwrap();
    assert_eq!(cast(300.7, DType::U8).to_vec::<u8>().unwrap(), [255]);
    assert_eq!(cast(f32::NAN, DType::I64).to_vec::<i64>().unwrap(), [0]);
    assert_eq!(
        ids(&[300]).to_dtype(DType::U8).unwrap().to_vec::<u8>().unwrap(),
        [44]
    );
    let large = ids(&[16_777_217]).to_dtype(DType::F32).unwrap();
    assert_eq!(values(&large), [16_777_216.0]);
    let x = f32s(&[1.5], &[1]).with_grad().unwrap();
    x.to_dtype(DType::F64)
        .unwrap()
        .mul_scalar(3.0)
        .unwrap()
        .sum_all()
        .unwrap()
        .backward()
        .unwrap();
    assert_eq!(values(&x.grad().unwrap()), [3.0]);
}

#[test]
fn transposed_copies_of_every_size_equal_the_elements() {
    for (rows, columns) in [(1, 9), (16, 16), (17, 33), (200, 190)] {
        let x = f32s(
            &(0..rows * columns).map(|i| i as f32).collect::<Vec<_>>(),
            &[rows, columns],
        );
        let expected: Vec<f32> = (0..rows * columns)
            .map(|i| (i % rows * columns + i / rows) as f32)
            .collect();
        assert_eq!(values(&x.t().unwrap().contiguous().unwrap()), expected);
    }
}

#[test]
fn indices_out_of_range_say_which_and_where() {
    let x = Tensor::zeros([3, 2], DType::F32);
    let error = x.index_select(0, &ids(&[0, -1])).unwrap_err();
    assert!(matches!(
        error,
        Error::IndexOutOfRange {
            index: -1,
            bound: 3,
            position: 1,
            ..
        }
    ));
    assert!(matches!(
        x.embedding(&ids(&[3])),
        Err(Error::IndexOutOfRange { index: 3, .. })
    ));
    let places = Tensor::from_vec(vec![0_i64, 2], [1, 2]).unwrap();
    assert!(matches!(
        x.gather(1, &places),
        Err(Error::IndexOutOfRange {
            index: 2,
            bound: 2,
            position: 1,
            ..
        })
    ));
    assert!(matches!(x.index_select(0, &x), Err(Error::InvalidShape { .. })));
    let floats = Tensor::zeros([1], DType::F32);
    assert!(matches!(
        x.index_select(0, &floats),
        Err(Error::UnsupportedDType { got: DType::F32, .. })
    ));
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let image = Tensor::zeros([1, 4, 5, 5], DType::F32);
    let weight = |shape: [usize; 4]| Tensor::zeros(shape, DType::F32);
    let conv = |w: &Tensor, o: Conv2dOptions| image.conv2d(w, None, &o).map(|_| ());
    let plain = Conv2dOptions::default();
    assert!(matches!(
        conv(&weight([2, 3, 1, 1]), plain),
        Err(Error::ShapeMismatch { .. })
    ));
    assert!(matches!(
        conv(&weight([2, 4, 6, 1]), plain),
        Err(Error::ShapeMismatch { .. })
    ));
    let grouped = Conv2dOptions { groups: 2, ..plain };
    assert!(matches!(
        conv(&weight([3, 2, 1, 1]), grouped),
        Err(Error::ShapeMismatch { .. })
    ));
    let still = Conv2dOptions {
        stride: [0, 1],
        ..plain
    };
    assert!(matches!(
        conv(&weight([2, 4, 1, 1]), still),
        Err(Error::InvalidArgument { name: "stride", .. })
    ));
    let wide = PoolOptions {
        padding: [0, 2],
        kernel: [2, 2],
        ..PoolOptions::default()
    };
    assert!(matches!(
        image.max_pool2d(&wide),
        Err(Error::InvalidArgument { name: "padding", .. })
    ));
    let large = PoolOptions {
        kernel: [6, 1],
        ..PoolOptions::default()
    };
    assert!(matches!(
        image.avg_pool2d(&large),
        Err(Error::InvalidShape { .. })
    ));
    assert!(matches!(
        image.layer_norm(&[4], None, None, 1e-5),
        Err(Error::ShapeMismatch { .. })
    ));
    let one = Tensor::zeros([1, 4], DType::F32);
    assert!(matches!(
        one.batch_norm_train(ChannelAffine::default(), 1e-5),
        Err(Error::InvalidShape { .. })
    ));
    assert!(matches!(
        one.dropout(1.5, 1),
        Err(Error::InvalidArgument { name: "p", .. })
    ));
    assert!(matches!(
        Tensor::cat(&[], 0),
        Err(Error::InvalidShape { op: "cat", .. })
    ));
    assert!(matches!(
        Tensor::cat(&[one.clone(), image.clone()], 0),
        Err(Error::ShapeMismatch { .. })
    ));
    assert!(matches!(
        one.where_cond(&one, &one),
        Err(Error::UnsupportedDType { .. })
    ));
}

#[test]
fn a_loss_over_ignored_rows_alone_is_nan_and_its_sum_zero() {
    let logits = Tensor::zeros([2, 3], DType::F32);
    let mean = CrossEntropyOptions::default();
    assert!(
        logits
            .cross_entropy(&ids(&[-100, -100]), &mean)
            .unwrap()
            .item::<f32>()
            .unwrap()
            .is_nan()
    );
    let sum = CrossEntropyOptions {
        reduction: Reduction::Sum,
        ..mean
    };
    assert_eq!(
        logits
            .cross_entropy(&ids(&[-100, -100]), &sum)
            .unwrap()
            .item::<f32>()
            .unwrap(),
        0.0
    );
}

#[test]
fn a_path_without_a_gradient_refuses_a_tracked_input() {
    let packed = PackedLinear::new(&f32s(&[1.0, 2.0], &[1, 2]), None, false).unwrap();
    let x = f32s(&[3.0, 4.0], &[1, 2]).with_grad().unwrap();
    assert!(matches!(packed.forward(&x), Err(Error::NoGradient { .. })));
    let _guard = no_grad();
    assert_eq!(values(&packed.forward(&x).unwrap()), [11.0]);
}
