use super::*;
use crate::testing::{assert_close, noise, same_for_every_thread_count};

const PLAIN: Conv2d = Conv2d {
    batch: 2,
    in_channels: 3,
    out_channels: 4,
    input: [6, 7],
    kernel: [3, 3],
    stride: [1, 1],
    padding: [1, 1],
    dilation: [1, 1],
    groups: 1,
};

const SHAPES: [Conv2d; 8] = [
    PLAIN,
    Conv2d {
        stride: [2, 3],
        padding: [0, 2],
        ..PLAIN
    },
    Conv2d {
        kernel: [1, 1],
        padding: [0, 0],
        ..PLAIN
    },
    Conv2d {
        kernel: [1, 1],
        padding: [0, 0],
        stride: [2, 2],
        ..PLAIN
    },
    Conv2d {
        dilation: [2, 2],
        padding: [2, 0],
        ..PLAIN
    },
    Conv2d {
        in_channels: 4,
        groups: 2,
        kernel: [2, 5],
        ..PLAIN
    },
    Conv2d {
        in_channels: 4,
        groups: 4,
        batch: 9,
        ..PLAIN
    },
    Conv2d {
        input: [3, 2],
        kernel: [3, 2],
        padding: [3, 4],
        ..PLAIN
    },
];

/// The definition: calls `f(out index, x index, weight index)` for each product.
fn for_each_product(c: &Conv2d, mut f: impl FnMut(usize, usize, usize)) {
    let [oh, ow] = c.output().unwrap();
    let (ci, co) = (c.in_channels / c.groups, c.out_channels / c.groups);
    for out in 0..c.batch * c.out_channels * oh * ow {
        let (n, o, y, x) = (
            out / (c.out_channels * oh * ow),
            out / (oh * ow) % c.out_channels,
            out / ow % oh,
            out % ow,
        );
        for tap in 0..ci * c.kernel[0] * c.kernel[1] {
            let (i, ky, kx) = (
                tap / (c.kernel[0] * c.kernel[1]),
                tap / c.kernel[1] % c.kernel[0],
                tap % c.kernel[1],
            );
            let row = (y * c.stride[0] + ky * c.dilation[0]) as isize - c.padding[0] as isize;
            let column = (x * c.stride[1] + kx * c.dilation[1]) as isize - c.padding[1] as isize;
            if (0..c.input[0] as isize).contains(&row) && (0..c.input[1] as isize).contains(&column) {
                let channel = n * c.in_channels + o / co * ci + i;
                let from = (channel * c.input[0] + row as usize) * c.input[1] + column as usize;
                f(out, from, o * ci * c.kernel[0] * c.kernel[1] + tap);
            }
        }
    }
}

#[test]
fn forward_and_backwards_equal_the_definition() {
    for c in SHAPES {
        let [oh, ow] = c.output().unwrap();
        let n_out = c.batch * c.out_channels * oh * ow;
        let n_weight = c.out_channels * c.in_channels / c.groups * c.kernel[0] * c.kernel[1];
        let x = noise::<f64>(c.batch * c.in_channels * c.input[0] * c.input[1], 1);
        let (weight, bias) = (noise::<f64>(n_weight, 2), noise::<f64>(c.out_channels, 3));
        let d_out = noise::<f64>(n_out, 4);
        let channel = |out: usize| out / (oh * ow) % c.out_channels;
        let mut expected: Vec<f64> = (0..n_out).map(|out| bias[channel(out)]).collect();
        let (mut exact_x, mut exact_weight) = (vec![0.0; x.len()], vec![0.0; n_weight]);
        for_each_product(&c, |out, from, w| {
            expected[out] += x[from] * weight[w];
            exact_x[from] += d_out[out] * weight[w];
            exact_weight[w] += d_out[out] * x[from];
        });
        let mut out = vec![f64::NAN; n_out];
        conv2d(&mut out, &x, &weight, Some(&bias), &c);
        assert_close(&out, &expected, 1e-12);
        let (mut d_x, mut d_weight) = (vec![f64::NAN; x.len()], vec![f64::NAN; n_weight]);
        conv2d_backward_input(&mut d_x, &d_out, &weight, &c);
        assert_close(&d_x, &exact_x, 1e-12);
        conv2d_backward_weight(&mut d_weight, &d_out, &x, &c);
        assert_close(&d_weight, &exact_weight, 1e-12);
        let (mut d_bias, mut exact_bias) = (vec![f64::NAN; c.out_channels], vec![0.0; c.out_channels]);
        conv2d_backward_bias(&mut d_bias, &d_out, &c);
        d_out
            .iter()
            .enumerate()
            .for_each(|(out, d)| exact_bias[channel(out)] += d);
        assert_close(&d_bias, &exact_bias, 1e-12);
    }
}

#[test]
fn f32_agrees_and_thread_count_does_not_change_bits() {
    let c = Conv2d {
        batch: 19,
        in_channels: 8,
        out_channels: 16,
        input: [14, 14],
        ..PLAIN
    };
    let x = noise::<f32>(19 * 8 * 196, 1);
    let weight = noise::<f32>(16 * 8 * 9, 2);
    let mut expected = vec![0.0; 19 * 16 * 196];
    for_each_product(&c, |out, from, w| {
        expected[out] += f64::from(x[from]) * f64::from(weight[w])
    });
    same_for_every_thread_count(|| {
        let mut out = vec![0.0; expected.len()];
        conv2d(&mut out, &x, &weight, None, &c);
        assert_close(&out, &expected, 1e-5);
        let (mut d_x, mut d_weight) = (vec![0.0; x.len()], vec![0.0; weight.len()]);
        conv2d_backward_input(&mut d_x, &out, &weight, &c);
        conv2d_backward_weight(&mut d_weight, &out, &x, &c);
        (out, d_x, d_weight)
    });
}

#[test]
fn a_window_larger_than_the_padded_image_has_no_output() {
    assert_eq!(
        Conv2d {
            input: [2, 2],
            padding: [0, 0],
            ..PLAIN
        }
        .output(),
        None
    );
    let empty = Conv2d { batch: 0, ..PLAIN };
    let mut d_weight = [7.0_f32; 108];
    conv2d(&mut [], &[], &[1.0; 108], None, &empty);
    conv2d_backward_weight(&mut d_weight, &[], &[], &empty);
    assert_eq!(d_weight, [0.0; 108]);
}
