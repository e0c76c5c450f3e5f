//! Milliseconds to divide a million rows, the best of seven: `cargo run --release -p gradus-data --example split_speed`.
//!
//! scikit-learn 1.9, for comparison: `python -c "import timeit, numpy as np; from sklearn.model_selection import *;
//! y = np.random.default_rng(0).integers(0, 10, 10**6); print(min(timeit.repeat(lambda:
//! train_test_split(np.arange(10**6), stratify=y, test_size=0.2), number=1, repeat=7)))"`

use std::hint::black_box;
use std::time::Instant;

use gradus_data::split::{GroupKFold, KFold, Shares, StratifiedKFold, TimeSeriesSplit, split_stratified};
use gradus_tensor::Rng;

const ROWS: usize = 1_000_000;

fn best_ms<T>(work: impl Fn() -> T) -> f64 {
    let run = |_| {
        let start = Instant::now();
        black_box(work());
        start.elapsed().as_secs_f64() * 1e3
    };
    (0..7).map(run).fold(f64::INFINITY, f64::min)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut rng = Rng::seed_from(0);
    let labels: Vec<i64> = (0..ROWS).map(|_| rng.below(10) as i64).collect();
    let groups: Vec<i64> = (0..ROWS).map(|_| rng.below(50_000) as i64).collect();
    let times: Vec<f64> = (0..ROWS).map(|_| rng.uniform()).collect();
    let shares = Shares {
        train: 0.8,
        validation: 0.0,
        test: 0.2,
    };
    let (folds, seed) = (5, Some(1));
    let rows: [(&str, f64); 7] = [
        ("two parts, by chance", best_ms(|| shares.split_random(ROWS, 1))),
        (
            "two parts, stratified",
            best_ms(|| shares.split_stratified(&labels, 1)),
        ),
        (
            "held out, stratified",
            best_ms(|| split_stratified(&labels, 0.2, 1)),
        ),
        (
            "KFold(5), all folds",
            best_ms(|| {
                KFold { folds, seed }
                    .split(ROWS)
                    .map(|folds| folds.iter().map(black_box).count())
            }),
        ),
        (
            "StratifiedKFold(5), all folds",
            best_ms(|| {
                StratifiedKFold { folds, seed }
                    .split(&labels)
                    .map(|folds| folds.iter().map(black_box).count())
            }),
        ),
        (
            "GroupKFold(5), all folds",
            best_ms(|| {
                GroupKFold { folds, seed }
                    .split(&groups)
                    .map(|folds| folds.iter().map(black_box).count())
            }),
        ),
        (
            "TimeSeriesSplit(5), all folds",
            best_ms(|| {
                TimeSeriesSplit::new(folds)
                    .split(&times)
                    .map(|folds| folds.iter().map(black_box).count())
            }),
        ),
    ];
    for (name, ms) in rows {
        println!("{name:<32} {ms:8.1} ms");
    }
    Ok(())
}
