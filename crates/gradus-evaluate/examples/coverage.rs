//! How often do 95 % intervals hold the truth? One line per seed, size, metric and method.
//!
//! Run: cargo run --release -p gradus-evaluate --example coverage -- [seeds] [data sets per seed]

use gradus_evaluate::bootstrap::{BootstrapOptions, Interval, Method, RowSample, intervals, row_intervals};
use gradus_evaluate::metrics::{Average, ClassCounts, ConfusionMatrix, LabelSet, accuracy, f1};
use gradus_tensor::Rng;

/// A population: the chance of each (true, predicted) cell, in thousandths.
struct Population {
    name: &'static str,
    cells: [u64; 9],
}

const POPULATIONS: [Population; 2] = [
    Population {
        name: "even classes",
        cells: [360, 40, 20, 30, 250, 40, 20, 50, 190],
    },
    Population {
        name: "a rare class",
        cells: [560, 30, 5, 60, 280, 5, 10, 20, 30],
    },
];

const METHODS: [Method; 3] = [Method::Percentile, Method::Basic, Method::Bca];

fn statistics(counts: &ClassCounts, out: &mut [f64]) {
    out[0] = accuracy(counts);
    out[1] = f1(counts, Average::Macro, LabelSet::Known);
}

/// Rows of a data set, as cells.
fn simulated(rng: &mut Rng, population: &Population, samples: usize) -> Vec<usize> {
    let row = |_| {
        let mut left = rng.below(1000) as u64;
        let inside = |&chance: &u64| {
            let inside = left < chance;
            left = left.saturating_sub(chance);
            inside
        };
        population.cells.iter().position(inside).unwrap_or(0)
    };
    (0..samples).map(row).collect()
}

fn matrix(rows: &[usize]) -> Result<ConfusionMatrix, gradus_evaluate::Error> {
    let mut counts = vec![0; 9];
    rows.iter().for_each(|&cell| counts[cell] += 1);
    ConfusionMatrix::from_counts(counts, 3)
}

fn holds(interval: Interval, truth: f64) -> usize {
    usize::from(interval.lower <= truth && truth <= interval.upper)
}

fn main() -> Result<(), gradus_evaluate::Error> {
    let mut numbers = std::env::args()
        .skip(1)
        .filter_map(|text| text.parse::<u64>().ok());
    let (seeds, data_sets) = (numbers.next().unwrap_or(5), numbers.next().unwrap_or(500));
    println!("population\trows\tseed\tmetric\tpercentile\tbasic\tbca");
    for population in &POPULATIONS {
        for samples in [200, 2000] {
            for seed in 0..seeds {
                counted(population, samples, seed, data_sets)?;
            }
        }
    }
    for seed in 0..seeds {
        exponential_mean(200, seed, data_sets)?;
    }
    Ok(())
}

/// Metrics of a confusion matrix. The truth is that of the population itself.
fn counted(
    population: &Population,
    samples: usize,
    seed: u64,
    data_sets: u64,
) -> Result<(), gradus_evaluate::Error> {
    let mut truth = [0.0; 2];
    statistics(
        &ConfusionMatrix::from_counts(population.cells.to_vec(), 3)?.class_counts(),
        &mut truth,
    );
    let mut covered = [[0; METHODS.len()]; 2];
    for data_set in 0..data_sets {
        let mut rng = Rng::derive(seed, &[samples as u64, data_set]);
        let matrix = matrix(&simulated(&mut rng, population, samples))?;
        for (slot, method) in METHODS.into_iter().enumerate() {
            let options = BootstrapOptions {
                seed: data_set,
                method,
                ..Default::default()
            };
            let found = intervals(&matrix, &options, 2, statistics)?;
            for metric in 0..2 {
                covered[metric][slot] += holds(found[metric], truth[metric]);
            }
        }
    }
    for (metric, covered) in ["accuracy", "macro F1"].into_iter().zip(covered) {
        line(population.name, samples, seed, metric, covered, data_sets);
    }
    Ok(())
}

/// The mean of skew losses, whose truth is 1, by the path that resamples rows.
fn exponential_mean(samples: usize, seed: u64, data_sets: u64) -> Result<(), gradus_evaluate::Error> {
    let mut covered = [0; METHODS.len()];
    for data_set in 0..data_sets {
        let mut rng = Rng::derive(seed, &[samples as u64, data_set]);
        let values: Vec<f64> = (0..samples).map(|_| -(1.0 - rng.uniform()).ln()).collect();
        for (slot, method) in METHODS.into_iter().enumerate() {
            let options = BootstrapOptions {
                seed: data_set,
                method,
                ..Default::default()
            };
            let found = row_intervals(&RowSample::new(samples)?, &options, 1, |weights, out| {
                let sum: f64 = weights
                    .iter()
                    .zip(&values)
                    .map(|(weight, value)| weight * value)
                    .sum();
                out[0] = sum / samples as f64;
            })?;
            covered[slot] += found[0].map_or(0, |interval| holds(interval, 1.0));
        }
    }
    line("exponential", samples, seed, "mean", covered, data_sets);
    Ok(())
}

fn line(population: &str, samples: usize, seed: u64, metric: &str, covered: [usize; 3], data_sets: u64) {
    let [percentile, basic, bca] = covered.map(|covered| 100.0 * covered as f64 / data_sets as f64);
    println!("{population}\t{samples}\t{seed}\t{metric}\t{percentile:.1}\t{basic:.1}\t{bca:.1}");
}
