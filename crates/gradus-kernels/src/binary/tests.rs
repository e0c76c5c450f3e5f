use super::*;
use crate::testing::{LENGTHS, noise, same_for_every_thread_count};

/// Row-major strides of `from`, stretched to `to` by zero strides as NumPy broadcasts.
fn broadcast_strides(from: &[usize], to: &[usize]) -> Vec<usize> {
    let mut strides = vec![0; to.len()];
    let mut stride = 1;
    for (i, &size) in from.iter().enumerate().rev() {
        strides[to.len() - from.len() + i] = if size == 1 { 0 } else { stride };
        stride *= size;
    }
    strides
}

fn naive(
    shape: &[usize],
    a: (&[f32], &[usize]),
    b: (&[f32], &[usize]),
    f: impl Fn(f32, f32) -> f32,
) -> Vec<f32> {
    let at = |flat: usize, (data, strides): (&[f32], &[usize])| {
        let mut rest = flat;
        let mut offset = 0;
        for axis in (0..shape.len()).rev() {
            offset += rest % shape[axis] * strides[axis];
            rest /= shape[axis];
        }
        data[offset]
    };
    (0..shape.iter().product())
        .map(|i| f(at(i, a), at(i, b)))
        .collect()
}

#[test]
fn broadcasts_every_pattern_like_the_naive_loop() {
    let patterns: [(&[usize], &[usize], &[usize]); 9] = [
        (&[64, 128], &[64, 128], &[64, 128]),
        (&[64, 128], &[128], &[64, 128]),
        (&[64, 1], &[64, 33], &[64, 33]),
        (&[], &[5, 7], &[5, 7]),
        (&[], &[], &[]),
        (&[3, 1, 5], &[4, 1], &[3, 4, 5]),
        (&[0, 3], &[3], &[0, 3]),
        (&[300, 200], &[300, 1], &[300, 200]),
        (&[2, 3, 1, 2], &[3, 4, 1], &[2, 3, 4, 2]),
    ];
    for (a_shape, b_shape, shape) in patterns {
        let (a, b) = (
            noise(a_shape.iter().product(), 1),
            noise(b_shape.iter().product(), 2),
        );
        let (a_strides, b_strides) = (
            broadcast_strides(a_shape, shape),
            broadcast_strides(b_shape, shape),
        );
        let mut out = vec![f32::NAN; shape.iter().product()];
        let view = |data, strides| Strided { data, strides };
        sub(&mut out, shape, view(&a, &a_strides), view(&b, &b_strides));
        assert_eq!(
            out,
            naive(shape, (&a, &a_strides), (&b, &b_strides), |a, b| a - b)
        );
        div(&mut out, shape, view(&b, &b_strides), view(&a, &a_strides));
        assert_eq!(
            out,
            naive(shape, (&b, &b_strides), (&a, &a_strides), |a, b| a / b)
        );
    }
}

#[test]
fn transposed_operands_equal_the_naive_loop() {
    let (a, b) = (noise(35, 1), noise(35, 2));
    let mut out = vec![0.0; 35];
    let (a_strides, b_strides) = ([1, 5], [7, 1]);
    mul(
        &mut out,
        &[5, 7],
        Strided {
            data: &a,
            strides: &a_strides,
        },
        Strided {
            data: &b,
            strides: &b_strides,
        },
    );
    assert_eq!(
        out,
        naive(&[5, 7], (&a, &a_strides), (&b, &b_strides), |a, b| a * b)
    );
}

#[test]
fn adds_in_place_for_every_length_and_thread_count() {
    for n in LENGTHS {
        let (a, b) = (noise::<f32>(n, 1), noise::<f32>(n, 2));
        let expected: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
        same_for_every_thread_count(|| {
            let mut total = a.clone();
            add_assign(&mut total, &b);
            assert_eq!(total, expected);
            total
        });
        let mut out = vec![0.0; n];
        add(
            &mut out,
            &[n],
            Strided {
                data: &a,
                strides: &[1],
            },
            Strided {
                data: &b,
                strides: &[1],
            },
        );
        assert_eq!(out, expected);
    }
}

#[test]
fn comparisons_hold_for_nan_and_integers() {
    let view = |data| Strided { data, strides: &[1] };
    let (a, b) = ([1.0, 2.0, f32::NAN, 3.0], [2.0, 2.0, f32::NAN, 1.0]);
    for (comparison, expected) in [
        (Comparison::Equal, [0, 1, 0, 0]),
        (Comparison::NotEqual, [1, 0, 1, 1]),
        (Comparison::Less, [1, 0, 0, 0]),
        (Comparison::LessEqual, [1, 1, 0, 0]),
        (Comparison::Greater, [0, 0, 0, 1]),
        (Comparison::GreaterEqual, [0, 1, 0, 1]),
    ] {
        let mut out = [9; 4];
        compare(&mut out, &[4], view(&a), view(&b), comparison);
        assert_eq!(out, expected);
    }
    let mut out = [9; 2];
    compare(
        &mut out,
        &[2],
        Strided {
            data: &[i64::MAX, 1],
            strides: &[1],
        },
        Strided {
            data: &[i64::MAX - 1],
            strides: &[0],
        },
        Comparison::Greater,
    );
    assert_eq!(out, [1, 0]);
}
