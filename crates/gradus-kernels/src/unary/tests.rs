use super::*;
use crate::testing::{LENGTHS, assert_close, noise, same_for_every_thread_count};

type Forward = fn(&mut [f32], &[f32]);
type Backward = fn(&mut [f32], &[f32], &[f32]);

/// Name, forward, the same in `f64`, backward, whether backward takes the output, derivative in `f64`.
struct Case(
    &'static str,
    Forward,
    fn(f64) -> f64,
    Backward,
    bool,
    fn(f64) -> f64,
);

fn phi(x: f64) -> f64 {
    0.5 * (1.0 + crate::math::erf_f64(x / 2.0_f64.sqrt()))
}

fn tanh_gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
}

fn central(f: fn(f64) -> f64, x: f64) -> f64 {
    (f(x + 1e-5) - f(x - 1e-5)) / 2e-5
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn cases() -> Vec<Case> {
    vec![
        Case(
            "relu",
            relu,
            |x| x.max(0.0),
            relu_backward,
            true,
            |x| f64::from(x > 0.0),
        ),
        Case(
            "gelu",
            gelu,
            |x| x * phi(x),
            gelu_backward,
            false,
            |x| central(|x| x * phi(x), x),
        ),
        Case(
            "gelu_tanh",
            gelu_tanh,
            tanh_gelu,
            gelu_tanh_backward,
            false,
            |x| central(tanh_gelu, x),
        ),
        Case(
            "silu",
            silu,
            |x| x * logistic(x),
            silu_backward,
            false,
            |x| central(|x| x * logistic(x), x),
        ),
        Case("tanh", tanh, f64::tanh, tanh_backward, true, |x| {
            1.0 - x.tanh().powi(2)
        }),
        Case("sigmoid", sigmoid, logistic, sigmoid_backward, true, |x| {
            logistic(x) * (1.0 - logistic(x))
        }),
        Case("exp", exp, f64::exp, exp_backward, true, f64::exp),
        Case("log", log, f64::ln, log_backward, false, |x| 1.0 / x),
        Case("sqrt", sqrt, f64::sqrt, sqrt_backward, true, |x| 0.5 / x.sqrt()),
        Case("abs", abs, f64::abs, abs_backward, false, f64::signum),
        Case("neg", neg, |x| -x, |d_x, _, d_y| neg(d_x, d_y), false, |_| -1.0),
    ]
}

#[test]
fn forwards_and_backwards_equal_their_formulas() {
    for Case(name, forward, exact, backward, from_output, derivative) in cases() {
        for n in LENGTHS {
            let shift = if matches!(name, "log" | "sqrt") { 2.01 } else { 0.0 };
            let x: Vec<f32> = noise::<f32>(n, 1).iter().map(|x| x + shift).collect();
            let d_y = noise::<f32>(n, 2);
            let (mut y, mut d_x) = (vec![f32::NAN; n], vec![f32::NAN; n]);
            forward(&mut y, &x);
            assert_close(&y, &x.iter().map(|&x| exact(x.into())).collect::<Vec<_>>(), 1e-6);
            backward(&mut d_x, if from_output { &y } else { &x }, &d_y);
            let expected: Vec<f64> = x
                .iter()
                .zip(&d_y)
                .map(|(&x, &d)| derivative(x.into()) * f64::from(d))
                .collect();
            // sqrt's derivative is large near zero, and relative to that.
            assert_close(&d_x, &expected, 3e-6);
        }
    }
}

#[test]
fn special_values_follow_pytorch() {
    let x = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0];
    let check = |f: Forward, expected: [f64; 5]| {
        let mut y = [0.0; 5];
        f(&mut y, &x);
        assert_close(&y, &expected, 1e-7);
    };
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    check(relu, [nan, inf, 0.0, 0.0, 0.0]);
    check(tanh, [nan, 1.0, -1.0, 0.0, 0.0]);
    check(sigmoid, [nan, 1.0, 0.0, 0.5, 0.5]);
    check(exp, [nan, inf, 0.0, 1.0, 1.0]);
    check(log, [nan, inf, nan, -inf, -inf]);
    check(sqrt, [nan, inf, nan, 0.0, 0.0]);
    check(gelu, [nan, inf, nan, 0.0, 0.0]);
    check(|y, x| clamp(y, x, -1.0, 2.0), [nan, 2.0, -1.0, 0.0, 0.0]);
    let mut d_x = [9.0; 5];
    abs_backward(&mut d_x, &x, &[1.0; 5]);
    assert_eq!(d_x, [0.0, 1.0, -1.0, 0.0, 0.0]);
    pow_backward(&mut d_x, &[0.0; 5], &[1.0; 5], 0.0);
    assert_eq!(d_x, [0.0; 5]);
}

#[test]
fn powers_and_clamps_equal_their_formulas() {
    let x: Vec<f32> = noise::<f32>(1000, 3).iter().map(|x| x + 2.5).collect();
    let d_y = noise::<f32>(1000, 4);
    let (mut y, mut d_x) = (vec![0.0; 1000], vec![0.0; 1000]);
    for exponent in [-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 2.7, 10.0] {
        pow(&mut y, &x, exponent);
        pow_backward(&mut d_x, &x, &d_y, exponent);
        let exact = |x: f32| f64::from(x).powf(exponent);
        assert_close(&y, &x.iter().map(|&x| exact(x)).collect::<Vec<_>>(), 1e-6);
        let slope = |x: f32| exponent * f64::from(x).powf(exponent - 1.0);
        assert_close(
            &d_x,
            &x.iter()
                .zip(&d_y)
                .map(|(&x, &d)| slope(x) * f64::from(d))
                .collect::<Vec<_>>(),
            1e-6,
        );
    }
    clamp(&mut y, &x, 1.0, 3.0);
    clamp_backward(&mut d_x, &x, &d_y, [1.0, 3.0]);
    for i in 0..1000 {
        assert_eq!(y[i], x[i].clamp(1.0, 3.0));
        assert_eq!(d_x[i], if (1.0..=3.0).contains(&x[i]) { d_y[i] } else { 0.0 });
    }
    affine(&mut y, &x, 2.0, -1.0);
    assert_close(
        &y,
        &x.iter().map(|&x| 2.0 * f64::from(x) - 1.0).collect::<Vec<_>>(),
        1e-6,
    );
}

#[test]
fn thread_count_does_not_change_bits() {
    let x = noise::<f32>(100_003, 5);
    same_for_every_thread_count(|| {
        let mut y = vec![0.0; x.len()];
        gelu(&mut y, &x);
        y
    });
}
