use super::*;
use crate::testing::{LENGTHS, assert_close, noise, same_for_every_thread_count};

fn shapes() -> Vec<Axis> {
    let mut shapes = vec![];
    for n in LENGTHS {
        shapes.push(Axis {
            outer: 1,
            axis: n,
            inner: 1,
        });
        shapes.push(Axis {
            outer: 1,
            axis: 3,
            inner: n,
        });
        shapes.push(Axis {
            outer: n,
            axis: 2,
            inner: 1,
        });
    }
    shapes.push(Axis {
        outer: 1,
        axis: 64,
        inner: 128,
    });
    shapes.push(Axis {
        outer: 3,
        axis: 1000,
        inner: 17,
    });
    shapes.push(Axis {
        outer: 1,
        axis: 70_000,
        inner: 3,
    });
    shapes.push(Axis {
        outer: 5,
        axis: 9000,
        inner: 1,
    });
    shapes.push(Axis {
        outer: 2,
        axis: 0,
        inner: 3,
    });
    shapes
}

/// Column `(outer, inner)` of the input in `f64`.
fn columns(x: &[f32], dims: Axis) -> Vec<Vec<f64>> {
    let column = |o: usize, i: usize| {
        (0..dims.axis)
            .map(|a| x[(o * dims.axis + a) * dims.inner + i].into())
            .collect::<Vec<f64>>()
    };
    (0..dims.outer)
        .flat_map(|o| (0..dims.inner).map(move |i| (o, i)))
        .map(|(o, i)| column(o, i))
        .collect()
}

#[test]
fn sums_and_means_equal_f64_sums() {
    for dims in shapes() {
        let x = noise::<f32>(dims.len(), 1);
        let expected: Vec<f64> = columns(&x, dims)
            .iter()
            .map(|column| column.iter().sum())
            .collect();
        let mut out = vec![f32::NAN; expected.len()];
        sum(&mut out, &x, dims);
        assert_close(&out, &expected, 1e-4);
        mean(&mut out, &x, dims);
        assert_close(
            &out,
            &expected
                .iter()
                .map(|sum| sum / dims.axis as f64)
                .collect::<Vec<_>>(),
            1e-6,
        );
    }
}

#[test]
fn variance_equals_the_two_pass_formula() {
    for dims in shapes().into_iter().filter(|dims| dims.axis > 1) {
        let x = noise::<f32>(dims.len(), 2);
        let expected: Vec<f64> = columns(&x, dims)
            .iter()
            .map(|column| {
                let mean = column.iter().sum::<f64>() / column.len() as f64;
                column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (column.len() as f64 - 1.0)
            })
            .collect();
        let (mut out, mut means) = (vec![0.0; expected.len()], vec![0.0; expected.len()]);
        var(&mut out, &mut means, &x, dims, 1);
        assert_close(&out, &expected, 2e-6);
    }
}

#[test]
fn max_finds_the_first_largest_and_nan_wins() {
    for dims in shapes().into_iter().filter(|dims| dims.axis > 0) {
        let x: Vec<f32> = noise::<f32>(dims.len(), 3)
            .iter()
            .map(|x| (x * 3.0).round())
            .collect();
        let n = dims.outer * dims.inner;
        let (mut values, mut places) = (vec![0.0; n], vec![0; n]);
        max(&mut values, &mut places, &x, dims);
        for (i, column) in columns(&x, dims).iter().enumerate() {
            let largest = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert_eq!(f64::from(values[i]), largest);
            assert_eq!(
                places[i] as usize,
                column.iter().position(|&x| x == largest).unwrap()
            );
        }
    }
    let (mut values, mut places) = ([0.0_f32; 1], [0; 1]);
    max(
        &mut values,
        &mut places,
        &[1.0, f32::NAN, 3.0, f32::NAN],
        Axis {
            outer: 1,
            axis: 4,
            inner: 1,
        },
    );
    assert!(values[0].is_nan() && places[0] == 1);
}

#[test]
fn backwards_repeat_or_scatter_the_gradient() {
    let dims = Axis {
        outer: 2,
        axis: 3,
        inner: 2,
    };
    let d_y = [1.0_f32, 2.0, 3.0, 4.0];
    let mut d_x = [f32::NAN; 12];
    sum_backward(&mut d_x, &d_y, dims, 0.5);
    assert_eq!(d_x, [0.5, 1.0, 0.5, 1.0, 0.5, 1.0, 1.5, 2.0, 1.5, 2.0, 1.5, 2.0]);
    max_backward(&mut d_x, &[2, 0, 1, 1], &d_y, dims);
    assert_eq!(d_x, [0.0, 2.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 3.0, 4.0, 0.0, 0.0]);
}

#[test]
fn thread_count_does_not_change_bits() {
    for dims in shapes() {
        let x = noise::<f32>(dims.len(), 4);
        same_for_every_thread_count(|| {
            let mut out = vec![0.0_f32; dims.outer * dims.inner];
            sum(&mut out, &x, dims);
            (out, sum_of_squares(&x))
        });
    }
}

#[test]
fn global_norm_is_the_root_of_all_squares() {
    let (a, b) = (noise::<f32>(70_001, 1), noise::<f32>(33, 2));
    let expected: f64 = a
        .iter()
        .chain(&b)
        .map(|&x| f64::from(x).powi(2))
        .sum::<f64>()
        .sqrt();
    assert!((global_norm([&a[..], &b]) - expected).abs() < 1e-9 * expected);
}
