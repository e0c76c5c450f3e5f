//! The linear layer in bf16: values and gradients against explicit products of rounded operands.

use gradus_tensor::{Activation, DType, Error, PackedLinear, Precision, Tensor, bf16};

/// Numbers in [-1, 1) that bf16 cannot hold, the same for the same seed.
fn numbers(shape: &[usize], seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    let len = shape.iter().product();
    Tensor::from_vec::<f32>((0..len).map(|_| next()).collect(), shape).unwrap()
}

/// Rounded to bf16, as f64.
fn rounded(x: &Tensor) -> Tensor {
    let narrow = x.detach().to_dtype(DType::BF16).unwrap();
    narrow.to_dtype(DType::F64).unwrap()
}

fn assert_close(got: &Tensor, want: &Tensor, what: &str) {
    assert_eq!(got.shape(), want.shape(), "{what}");
    let (got, want) = (got.to_dtype(DType::F64).unwrap(), want.to_vec::<f64>().unwrap());
    for (index, (g, w)) in got.to_vec::<f64>().unwrap().iter().zip(&want).enumerate() {
        assert!(
            (g - w).abs() <= 2e-6 * (1.0 + w.abs()),
            "{what} [{index}]: {g}, expected {w}"
        );
    }
}

#[test]
fn values_and_gradients_are_products_of_rounded_operands() {
    for (shape, out) in [(&[2, 3, 5][..], 7), (&[33, 129], 40), (&[1, 64], 33)] {
        let features = shape[shape.len() - 1];
        for narrow_weight in [false, true] {
            let x = numbers(shape, 1).with_grad().unwrap();
            let weight = numbers(&[out, features], 2);
            let weight = if narrow_weight {
                weight.to_dtype(DType::BF16).unwrap()
            } else {
                weight
            };
            let weight = weight.with_grad().unwrap();
            let bias = numbers(&[out], 3).with_grad().unwrap();
            let y = x
                .linear_in(&weight, Some(&bias), Activation::Relu, Precision::Bf16)
                .unwrap();
            let d_out = numbers(y.shape(), 4);
            y.backward_with(&d_out).unwrap();

            let rows: usize = shape[..shape.len() - 1].iter().product();
            let x2 = rounded(&x).reshape([rows, features]).unwrap();
            let bias_f64 = bias.detach().to_dtype(DType::F64).unwrap();
            let pre = x2
                .matmul(&rounded(&weight).t().unwrap())
                .unwrap()
                .add(&bias_f64)
                .unwrap();
            let shaped = |t: Tensor, like: &Tensor| t.reshape(like.shape()).unwrap();
            assert_close(&y, &shaped(pre.relu().unwrap(), &y), "value");
            // The gradient that reaches the products has passed the ReLU before it is rounded.
            let zeros = Tensor::zeros(y.shape(), DType::F32);
            let d_pre = y.detach().gt(&zeros).unwrap().where_cond(&d_out, &zeros).unwrap();
            let d = rounded(&d_pre).reshape([rows, out]).unwrap();
            let d_x = d.matmul(&rounded(&weight)).unwrap();
            assert_close(&x.grad().unwrap(), &shaped(d_x, &x), "d_x");
            let d_weight = d.t().unwrap().matmul(&x2).unwrap();
            let got = weight.grad().unwrap();
            assert_eq!(got.dtype(), weight.dtype());
            if narrow_weight {
                let (got, want) = (
                    got.to_dtype(DType::F64).unwrap(),
                    d_weight.to_vec::<f64>().unwrap(),
                );
                for (g, w) in got.to_vec::<f64>().unwrap().iter().zip(&want) {
                    assert!(
                        (g - w).abs() <= 0.004 * w.abs() + 1e-5,
                        "d_weight {g}, expected {w}"
                    );
                }
            } else {
                assert_close(&got, &d_weight, "d_weight");
            }
            let d_bias = d_pre.reshape([rows, out]).unwrap().to_dtype(DType::F64).unwrap();
            assert_close(&bias.grad().unwrap(), &d_bias.sum([0], false).unwrap(), "d_bias");
        }
    }
}

#[test]
fn other_types_go_through_f32_or_are_refused() {
    let (x, weight) = (numbers(&[4, 9], 1), numbers(&[3, 9], 2));
    let in_type =
        |x: &Tensor, weight: &Tensor, precision| x.linear_in(weight, None, Activation::Gelu, precision);
    let narrow = |x: &Tensor| x.to_dtype(DType::BF16).unwrap();
    let wide = in_type(
        &narrow(&x).to_dtype(DType::F32).unwrap(),
        &narrow(&weight),
        Precision::Bf16,
    );
    let half = in_type(&narrow(&x), &narrow(&weight), Precision::Bf16).unwrap();
    assert_eq!(
        half.to_vec::<bf16>().unwrap(),
        narrow(&wide.unwrap()).to_vec::<bf16>().unwrap()
    );
    // A bf16 weight is widened exactly for products in f32.
    let widened = narrow(&weight).to_dtype(DType::F32).unwrap();
    assert_eq!(
        in_type(&x, &narrow(&weight), Precision::F32)
            .unwrap()
            .to_vec::<f32>()
            .unwrap(),
        in_type(&x, &widened, Precision::F32)
            .unwrap()
            .to_vec::<f32>()
            .unwrap(),
    );
    let double = |x: &Tensor| x.to_dtype(DType::F64).unwrap();
    assert!(matches!(
        in_type(&double(&x), &double(&weight), Precision::Bf16),
        Err(Error::UnsupportedDType { got: DType::F64, .. })
    ));
    assert!(matches!(
        in_type(&double(&x), &weight, Precision::F32),
        Err(Error::DTypeMismatch { .. })
    ));
}

#[test]
fn packed_weights_give_what_strided_ones_give() {
    for rows in [1, 2, 4, 5, 40] {
        let (x, weight) = (numbers(&[rows, 77], 1), numbers(&[50, 77], 2));
        let bias = numbers(&[50], 3);
        for stored in [weight.clone(), weight.to_dtype(DType::BF16).unwrap()] {
            for precision in Precision::ALL {
                let packed = PackedLinear::new_in(&stored, Some(&bias), true, precision).unwrap();
                let want = x
                    .linear_in(&stored, Some(&bias), Activation::Relu, precision)
                    .unwrap();
                let want = want.to_dtype(DType::F64).unwrap();
                assert_close(&packed.forward(&x).unwrap(), &want, "packed");
            }
        }
        let narrow = weight.to_dtype(DType::BF16).unwrap();
        let packed = PackedLinear::new(&narrow, None, false).unwrap();
        let want = x
            .linear_in(&narrow, None, Activation::Identity, Precision::Bf16)
            .unwrap();
        assert_close(
            &packed.forward(&x).unwrap(),
            &want.to_dtype(DType::F64).unwrap(),
            "own type",
        );
    }
}
