use super::*;
use crate::reduce::lane_sum;

/// Distance in units of the last place of the `f32` nearest to the exact value.
fn ulps(got: f32, exact: f64) -> f64 {
    let nearest = exact as f32;
    if got == nearest || (got.is_nan() && nearest.is_nan()) {
        return 0.0;
    }
    let ulp = f64::from(f32::from_bits(nearest.abs().to_bits() + 1)) - f64::from(nearest.abs());
    (f64::from(got) - exact).abs() / ulp
}

/// Worst error of `f` against `exact` over a sweep of all bit patterns, every 1,009th.
fn worst(f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64) -> (f64, f32) {
    (0..u32::MAX)
        .step_by(1009)
        .map(f32::from_bits)
        .chain(special())
        .fold((0.0, 0.0), |worst, x| {
            let error = ulps(f(x), exact(x.into()));
            if error > worst.0 || error.is_nan() {
                (error, x)
            } else {
                worst
            }
        })
}

fn special() -> impl Iterator<Item = f32> {
    let max = f32::MAX;
    [
        0.0,
        -0.0,
        1.0,
        -1.0,
        max,
        -max,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        1e-45,
        -1e-45,
        f32::MIN_POSITIVE,
    ]
    .into_iter()
    .chain([
        88.72, 88.73, 88.722_84, -87.3, -87.4, -103.9, -104.0, 0.625, 0.6249, 0.9277, 0.9278, 9.0, 3.9,
    ])
}

#[track_caller]
fn within(limit: f64, f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64) {
    let (error, at) = worst(f, exact);
    assert!(error <= limit, "{error} ulp at {at:e}");
}

#[test]
fn exp_is_good_to_two_ulp_everywhere() {
    within(2.0, exp, f64::exp);
}

#[test]
fn ln_is_good_to_two_ulp_everywhere() {
    within(2.0, ln, f64::ln);
}

#[test]
fn tanh_is_good_to_two_ulp_everywhere() {
    within(2.0, tanh, f64::tanh);
}

#[test]
fn sigmoid_is_good_to_three_ulp_everywhere() {
    within(3.0, sigmoid, |x| 1.0 / (1.0 + (-x).exp()));
}

#[test]
fn erf_is_good_to_two_ulp_everywhere() {
    within(2.0, erf, erf_f64);
}

#[test]
fn erf_f64_equals_published_values() {
    // Computed with mpmath to 30 digits.
    for (x, expected) in [
        (1e-300, 1.128_379_167_095_512_6e-300),
        (0.1, 0.112_462_916_018_284_89),
        (0.5, 0.520_499_877_813_046_5),
        (1.0, 0.842_700_792_949_714_9),
        (2.0, 0.995_322_265_018_952_7),
        (2.499, 0.999_590_864_244_255_4),
        (2.501, 0.999_595_220_829_416_3),
        (3.0, 0.999_977_909_503_001_4),
        (5.0, 0.999_999_999_998_462_6),
        (7.0, 1.0),
    ] {
        assert!(
            (erf_f64(x) - expected).abs() <= 1e-15 * expected,
            "{x}: {:e}",
            erf_f64(x) - expected
        );
        assert_eq!(erf_f64(-x), -erf_f64(x));
    }
    assert!(erf_f64(f64::NAN).is_nan());
    assert_eq!((erf_f64(f64::INFINITY), erf_f64(0.0)), (1.0, 0.0));
}

#[test]
fn lane_sum_adds_all_elements_once() {
    for n in [0, 1, 15, 16, 17, 100] {
        let x: Vec<f32> = (1..=n).map(|i| i as f32).collect();
        assert_eq!(lane_sum(&x, |x| x), (n * (n + 1) / 2) as f32);
    }
}
