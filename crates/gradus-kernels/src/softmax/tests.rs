use super::*;
use crate::testing::{assert_close, noise, same_for_every_thread_count};

const CLASSES: [usize; 9] = [1, 2, 7, 10, 15, 16, 17, 33, 1000];

fn exact_softmax(x: &[f32]) -> Vec<f64> {
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let e: Vec<f64> = x.iter().map(|&x| (f64::from(x) - f64::from(max)).exp()).collect();
    let sum: f64 = e.iter().sum();
    e.iter().map(|e| e / sum).collect()
}

#[test]
fn forwards_equal_f64_for_every_width() {
    for classes in CLASSES {
        let x: Vec<f32> = noise::<f32>(37 * classes, 1).iter().map(|x| x * 10.0).collect();
        let mut y = vec![f32::NAN; x.len()];
        softmax(&mut y, &x, classes);
        let exact: Vec<f64> = x.chunks(classes).flat_map(exact_softmax).collect();
        assert_close(&y, &exact, 5e-7);
        log_softmax(&mut y, &x, classes);
        assert_close(&y, &exact.iter().map(|p| p.ln()).collect::<Vec<_>>(), 1e-6);
    }
}

#[test]
fn backwards_equal_the_jacobian_product() {
    for classes in CLASSES {
        let (x, d_y) = (noise::<f32>(5 * classes, 1), noise::<f32>(5 * classes, 2));
        let (mut y, mut d_x) = (vec![0.0; x.len()], vec![f32::NAN; x.len()]);
        softmax(&mut y, &x, classes);
        softmax_backward(&mut d_x, &y, &d_y, classes);
        let rows = x.chunks(classes).zip(d_y.chunks(classes));
        let product = |(x, d): (&[f32], &[f32])| {
            let p = exact_softmax(x);
            let dot: f64 = p.iter().zip(d).map(|(p, &d)| p * f64::from(d)).sum();
            p.iter()
                .zip(d)
                .map(|(p, &d)| p * (f64::from(d) - dot))
                .collect::<Vec<_>>()
        };
        assert_close(&d_x, &rows.clone().flat_map(product).collect::<Vec<_>>(), 1e-6);
        log_softmax(&mut y, &x, classes);
        log_softmax_backward(&mut d_x, &y, &d_y, classes);
        let product = |(x, d): (&[f32], &[f32])| {
            let total: f64 = d.iter().map(|&d| f64::from(d)).sum();
            exact_softmax(x)
                .iter()
                .zip(d)
                .map(|(p, &d)| f64::from(d) - p * total)
                .collect::<Vec<_>>()
        };
        assert_close(&d_x, &rows.flat_map(product).collect::<Vec<_>>(), 5e-6);
    }
}

#[test]
fn masked_and_huge_logits_do_not_overflow() {
    let mut y = [0.0_f32; 3];
    softmax(&mut y, &[f32::NEG_INFINITY, 3e38, 3e38], 3);
    assert_eq!(y, [0.0, 0.5, 0.5]);
    softmax(&mut y, &[f32::NAN, 1.0, 2.0], 3);
    assert!(y.iter().all(|y| y.is_nan()));
}

#[test]
fn thread_count_does_not_change_bits() {
    let x = noise::<f32>(3000 * 10, 1);
    same_for_every_thread_count(|| {
        let mut y = vec![0.0; x.len()];
        softmax(&mut y, &x, 10);
        y
    });
}
