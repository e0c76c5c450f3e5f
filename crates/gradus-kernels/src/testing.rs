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

/// Runs `compute` with one, two and three threads and asserts that the bits are the same.
#[track_caller]
pub(crate) fn same_for_every_thread_count<R: PartialEq + std::fmt::Debug>(compute: impl Fn() -> R) {
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
}
