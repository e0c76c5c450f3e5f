//! Do 95 % intervals hold the truth 95 % of the time? Many data sets are drawn from a known distribution.

use gradus_evaluate::bootstrap::{BootstrapOptions, Interval, Method, intervals};
use gradus_evaluate::metrics::{Average, ClassCounts, ConfusionMatrix, LabelSet, accuracy, f1};
use gradus_tensor::Rng;

/// Simulated data sets per size. With 95 % coverage the observed share has a standard deviation of 0.6 points.
const DATA_SETS: usize = 1_500;

const METHODS: [Method; 2] = [Method::Percentile, Method::Bca];

/// Chance of each (true, predicted) cell of three classes, in thousandths: an accuracy of 0.8.
const CELLS: [u64; 9] = [360, 40, 20, 30, 250, 40, 20, 50, 190];

fn accuracy_and_macro_f1(counts: &ClassCounts, out: &mut [f64]) {
    out[0] = accuracy(counts);
    out[1] = f1(counts, Average::Macro, LabelSet::Known);
}

fn simulated(rng: &mut Rng, samples: usize) -> ConfusionMatrix {
    let mut counts = vec![0; CELLS.len()];
    for _ in 0..samples {
        let mut left = rng.below(1000) as u64;
        let cell = CELLS.iter().position(|&chance| {
            let inside = left < chance;
            left = left.saturating_sub(chance);
            inside
        });
        counts[cell.expect("a valid fixture")] += 1;
    }
    ConfusionMatrix::from_counts(counts, 3).expect("a valid fixture")
}

fn holds(interval: Interval, truth: f64) -> usize {
    usize::from(interval.lower <= truth && truth <= interval.upper)
}

#[test]
fn intervals_cover_the_truth_as_often_as_they_say() {
    let mut truth = [0.0; 2];
    let population = ConfusionMatrix::from_counts(CELLS.to_vec(), 3).unwrap();
    accuracy_and_macro_f1(&population.class_counts(), &mut truth);
    for samples in [200, 2000] {
        let mut rng = Rng::seed_from(samples as u64);
        let mut covered = [[0; 2]; METHODS.len()];
        for seed in 0..DATA_SETS as u64 {
            let matrix = simulated(&mut rng, samples);
            for (method, covered) in METHODS.into_iter().zip(&mut covered) {
                let options = BootstrapOptions {
                    seed,
                    method,
                    ..Default::default()
                };
                let found = intervals(&matrix, &options, 2, accuracy_and_macro_f1).unwrap();
                covered[0] += holds(found[0], truth[0]);
                covered[1] += holds(found[1], truth[1]);
            }
        }
        for (method, covered) in METHODS.into_iter().zip(covered) {
            for (metric, covered) in ["accuracy", "macro F1"].into_iter().zip(covered) {
                let share = covered as f64 / DATA_SETS as f64;
                assert!(
                    (0.93..=0.97).contains(&share),
                    "{metric} of {samples} samples by {}: {share}",
                    method.name()
                );
            }
        }
    }
}
