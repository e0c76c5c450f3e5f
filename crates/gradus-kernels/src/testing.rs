//! Inputs and comparisons that the kernels' tests share.

use crate::real::Real;

/// Lengths around the vector widths, and one of several pieces.
pub(crate) const LENGTHS: [usize; 9] = [0, 1, 7, 15, 16, 17, 33, 1000, 70_001];

/// Reproducible numbers in [-2, 2).
pub(crate) fn noise<T: Real>(len: usize, seed: u64) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        T::from_f64((state >> 40) as f64 / (1_u64 << 22) as f64 - 2.0)
    };
    (0..len).map(|_| next()).collect()
}

/// Asserts `|got − expected| ≤ tolerance · max(1, |expected|)` everywhere; NaN equals NaN, infinities themselves.
#[track_caller]
pub(crate) fn assert_close<T: Real>(got: &[T], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len());
    for (i, (got, &expected)) in got.iter().map(|x| x.to_f64()).zip(expected).enumerate() {
        let same = got == expected || (got.is_nan() && expected.is_nan());
        let error = (got - expected).abs();
        assert!(
            same || error <= tolerance * expected.abs().max(1.0),
            "[{i}]: expected {expected}, got {got}"
        );
    }
}

/// Runs `compute` with one, two and three threads, asserts that the bits are the same, and gives the result.
#[track_caller]
pub(crate) fn same_for_every_thread_count<R: PartialEq + std::fmt::Debug>(compute: impl Fn() -> R) -> R {
    let threads = crate::pool::threads();
    let results = [1, 2, 3].map(|n| {
        crate::pool::set_threads(n);
        compute()
    });
    crate::pool::set_threads(threads);
    assert!(
        results[0] == results[1] && results[1] == results[2],
        "results depend on the number of threads"
    );
    let [first, ..] = results;
    first
}

/// Takes twenty steps of an optimiser on `Σ w²/4 + 0.2 w` and asserts that they follow `formula(w, gradient, step,
/// state) -> w`, which runs in `f64` for each element with three numbers of state that start at zero.
#[track_caller]
pub(crate) fn assert_trajectory(
    start: &[f32],
    mut step: impl FnMut(&mut [f32], &[f32], u64),
    formula: impl Fn(f64, f64, f64, &mut [f64; 3]) -> f64,
) {
    let mut value = start.to_vec();
    for t in 1..=20 {
        let grad: Vec<f32> = value.iter().map(|w| w * 0.5 + 0.2).collect();
        step(&mut value, &grad, t);
    }
    let exact = |&w: &f32| {
        let mut state = [0.0; 3];
        (1..=20).fold(f64::from(w), |w, t| {
            formula(w, w * 0.5 + 0.2, f64::from(t), &mut state)
        })
    };
    assert_close(&value, &start.iter().map(exact).collect::<Vec<_>>(), 5e-6);
}
