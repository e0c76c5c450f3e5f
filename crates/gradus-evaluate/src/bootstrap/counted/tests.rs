use super::*;
use crate::metrics::{Average, LabelSet, accuracy, f1};

fn accuracy_and_macro_f1(counts: &ClassCounts, out: &mut [f64]) {
    out[0] = accuracy(counts);
    out[1] = f1(counts, Average::Macro, LabelSet::Known);
}

#[test]
fn resampling_cells_is_resampling_rows() {
    let matrix = ConfusionMatrix::from_counts(vec![120, 14, 6, 9, 70, 21, 2, 5, 53], 3).unwrap();
    let options = BootstrapOptions {
        resamples: 20_000,
        method: Method::Percentile,
        ..Default::default()
    };
    let by_cell = intervals(&matrix, &options, 2, accuracy_and_macro_f1).unwrap();
    let by_row = row_resampled_intervals(&matrix, 20_000);
    for (cell, row) in by_cell.iter().zip(&by_row) {
        assert!((cell.lower - row.lower).abs() < 2e-3, "{cell:?} {row:?}");
        assert!((cell.upper - row.upper).abs() < 2e-3, "{cell:?} {row:?}");
    }
}

/// The textbook bootstrap: walks all rows for each resample.
fn row_resampled_intervals(matrix: &ConfusionMatrix, resamples: usize) -> Vec<Interval> {
    let classes = matrix.num_classes();
    let rows: Vec<usize> = (0..classes * classes)
        .flat_map(|cell| std::iter::repeat_n(cell, matrix.counts()[cell] as usize))
        .collect();
    let mut rng = Rng::seed_from(11);
    let mut table = vec![0.0; resamples * 2];
    for out in table.chunks_exact_mut(2) {
        let mut counts = ClassCounts::zeros(classes);
        for _ in 0..rows.len() {
            let cell = rows[(rng.uniform() * rows.len() as f64) as usize];
            counts.add(cell / classes, cell % classes, 1);
        }
        accuracy_and_macro_f1(&counts, out);
    }
    let column = |output: usize| table.iter().skip(output).step_by(2).copied().collect::<Vec<_>>();
    (0..2)
        .map(|output| Method::Percentile.interval(&mut column(output), 0.0, 0.0, 0.95))
        .collect()
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let matrix = ConfusionMatrix::from_counts(vec![120, 14, 6, 9, 70, 21, 2, 5, 53], 3).unwrap();
    let options = BootstrapOptions {
        resamples: 1_000,
        ..Default::default()
    };
    let threads = pool::threads();
    pool::set_threads(1);
    let one = intervals(&matrix, &options, 2, accuracy_and_macro_f1).unwrap();
    pool::set_threads(3);
    let three = intervals(&matrix, &options, 2, accuracy_and_macro_f1).unwrap();
    pool::set_threads(threads);
    assert_eq!(one, three);
}

#[test]
fn refuses_options_outside_their_range() {
    let matrix = ConfusionMatrix::from_counts(vec![1, 0, 0, 1], 2).unwrap();
    for options in [
        BootstrapOptions {
            resamples: 10,
            ..Default::default()
        },
        BootstrapOptions {
            confidence: 1.0,
            ..Default::default()
        },
        BootstrapOptions {
            confidence: f64::NAN,
            ..Default::default()
        },
    ] {
        let result = intervals(&matrix, &options, 2, accuracy_and_macro_f1);
        assert!(
            matches!(result, Err(Error::BootstrapOption { .. })),
            "{options:?}"
        );
    }
}

#[test]
fn groups_of_one_row_are_rows() {
    let (truth, predicted) = ([0i64, 0, 1, 1, 1, 2, 2, 2, 2], [0i64, 1, 1, 1, 0, 2, 2, 0, 2]);
    let groups: Vec<u64> = (0..9).collect();
    let options = BootstrapOptions::default();
    let rows = ConfusionMatrix::from_labels(&truth, &predicted, 3).unwrap();
    let groups = GroupedCounts::from_labels(&truth, &predicted, &groups, 3).unwrap();
    let by_row = intervals(&rows, &options, 2, accuracy_and_macro_f1).unwrap();
    let by_group = grouped_intervals(&groups, &options, 2, accuracy_and_macro_f1).unwrap();
    assert_eq!(by_row, by_group);
}

#[test]
fn repeated_rows_add_no_certainty_when_they_are_groups() {
    let truth: Vec<i64> = (0..100).map(|row| row % 2).collect();
    let predicted: Vec<i64> = (0..100)
        .map(|row| if row % 5 == 0 { 1 - row % 2 } else { row % 2 })
        .collect();
    let repeated = |labels: &[i64]| labels.iter().flat_map(|&label| [label; 9]).collect::<Vec<_>>();
    let groups: Vec<u64> = (0..900).map(|row| row / 9).collect();
    let options = BootstrapOptions {
        resamples: 20_000,
        ..Default::default()
    };
    let matrix = ConfusionMatrix::from_labels(&truth, &predicted, 2).unwrap();
    let once = intervals(&matrix, &options, 2, accuracy_and_macro_f1).unwrap();
    let grouped = GroupedCounts::from_labels(&repeated(&truth), &repeated(&predicted), &groups, 2).unwrap();
    let often = grouped_intervals(&grouped, &options, 2, accuracy_and_macro_f1).unwrap();
    for (once, often) in once.iter().zip(&often) {
        assert!((once.lower - often.lower).abs() < 1e-12, "{once:?} {often:?}");
        assert!((once.upper - often.upper).abs() < 1e-12, "{once:?} {often:?}");
    }
}

#[test]
fn strata_of_groups_are_refused() {
    let groups = GroupedCounts::from_labels(&[0, 1], &[0, 1], &[7, 7], 2).unwrap();
    let options = BootstrapOptions {
        resampling: Resampling::Stratified,
        ..Default::default()
    };
    let result = grouped_intervals(&groups, &options, 2, accuracy_and_macro_f1);
    assert!(matches!(result, Err(Error::StratifiedGroups)));
    let short = GroupedCounts::from_labels(&[0, 1], &[0, 1], &[7], 2);
    assert!(matches!(
        short,
        Err(Error::LengthMismatch {
            left: 1,
            right: 2,
            ..
        })
    ));
}
