//! What every splitter promises.

use proptest::prelude::*;

use super::*;
use crate::error::{Error, Result};

fn labels(classes: i64) -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(0..classes, 2..300)
}

/// Each row is tested once, and trained on in all other folds.
fn check_partition(folds: &Folds, rows: usize) -> Result<(), TestCaseError> {
    let mut tested = vec![0; rows];
    for fold in folds.iter() {
        fold.test.iter().for_each(|&row| tested[row] += 1);
        let mut all = [fold.train.clone(), fold.test.clone()].concat();
        prop_assert!(fold.train.is_sorted() && fold.test.is_sorted() && !fold.test.is_empty());
        all.sort_unstable();
        prop_assert_eq!(all, (0..rows).collect::<Vec<_>>());
    }
    prop_assert!(tested.iter().all(|&times| times == 1));
    Ok(())
}

fn spread(counts: impl IntoIterator<Item = usize>) -> usize {
    let counts: Vec<usize> = counts.into_iter().collect();
    counts.iter().max().unwrap() - counts.iter().min().unwrap()
}

fn kinds_of(rows: &[usize], kinds: &[i64]) -> std::collections::HashSet<i64> {
    rows.iter().map(|&row| kinds[row]).collect()
}

fn fault<T>(result: Result<T>) -> SplitError {
    match result.err() {
        Some(Error::Division(error)) => error,
        other => panic!("expected a fault of the division, got {other:?}"),
    }
}

proptest! {
    #[test]
    fn k_folds_are_a_partition_of_equal_sizes(rows in 2usize..300, folds in 2usize..20, seed: Option<u64>) {
        let splitter = KFold { folds: folds.min(rows), seed };
        let split = splitter.split(rows).unwrap();
        check_partition(&split, rows)?;
        prop_assert!(spread(split.iter().map(|fold| fold.test.len())) <= 1);
        prop_assert_eq!(splitter.split(rows).unwrap(), split);
    }

    #[test]
    fn strata_and_sizes_stay_within_one(labels in labels(6), folds in 2usize..9, seed: Option<u64>) {
        let largest = (0..6).map(|class| labels.iter().filter(|&&label| label == class).count()).max().unwrap();
        let split = StratifiedKFold { folds, seed }.split(&labels);
        if labels.len() < folds || largest < folds {
            prop_assert!(split.is_err());
            return Ok(());
        }
        let split = split.unwrap();
        check_partition(&split, labels.len())?;
        prop_assert!(spread(split.iter().map(|fold| fold.test.len())) <= 1);
        let mut scarce = false;
        for class in 0..6 {
            let count = |rows: &[usize]| rows.iter().filter(|&&row| labels[row] == class).count();
            let counts: Vec<usize> = split.iter().map(|fold| count(&fold.test)).collect();
            scarce |= (1..folds).contains(&counts.iter().sum::<usize>());
            prop_assert!(spread(counts) <= 1);
        }
        prop_assert_eq!(split.scarce_class().is_some(), scarce);
    }

    #[test]
    fn groups_stay_whole(groups in labels(25), folds in 2usize..6, seed: Option<u64>) {
        let count = kinds_of(&(0..groups.len()).collect::<Vec<_>>(), &groups).len();
        prop_assume!(count >= folds);
        let split = GroupKFold { folds, seed }.split(&groups).unwrap();
        check_partition(&split, groups.len())?;
        for fold in split.iter() {
            prop_assert!(kinds_of(&fold.train, &groups).is_disjoint(&kinds_of(&fold.test, &groups)));
        }
        // The largest first, each to the lightest: no fold is heavier than the lightest by more than one group.
        let largest = (0..25).map(|group| groups.iter().filter(|&&g| g == group).count()).max().unwrap();
        prop_assert!(spread(split.iter().map(|fold| fold.test.len())) <= largest);
    }

    #[test]
    fn stratified_groups_stay_whole(
        rows in prop::collection::vec((0i64..3, 0i64..20), 40..300), folds in 2usize..5, seed: Option<u64>,
    ) {
        let (labels, groups): (Vec<i64>, Vec<i64>) = rows.into_iter().unzip();
        let split = StratifiedGroupKFold { folds, seed }.split(&labels, &groups).unwrap();
        let mut tested = vec![0; labels.len()];
        for fold in split.iter() {
            prop_assert!(kinds_of(&fold.train, &groups).is_disjoint(&kinds_of(&fold.test, &groups)));
            fold.test.iter().for_each(|&row| tested[row] += 1);
        }
        prop_assert!(tested.iter().all(|&times| times == 1));
    }

    #[test]
    fn nothing_is_trained_on_that_is_not_older(
        times in prop::collection::vec(0i64..60, 30..200), folds in 2usize..6, gap in 0usize..3,
        sliding: bool, test_rows in prop::option::of(1usize..5),
    ) {
        let times: Vec<f64> = times.into_iter().map(|time| time as f64).collect();
        let window = if sliding { Window::Sliding { rows: None } } else { Window::Expanding };
        let Ok(split) = (TimeSeriesSplit { folds, window, gap, test_rows }).split(&times) else {
            return Ok(());
        };
        let latest = |rows: &[usize]| rows.iter().map(|&row| times[row]).fold(f64::NEG_INFINITY, f64::max);
        let earliest = |rows: &[usize]| rows.iter().map(|&row| times[row]).fold(f64::INFINITY, f64::min);
        let mut before = f64::NEG_INFINITY;
        let mut len = None;
        for fold in split.iter() {
            prop_assert!(!fold.train.is_empty() && !fold.test.is_empty());
            prop_assert!(latest(&fold.train) < earliest(&fold.test));
            prop_assert!(before < earliest(&fold.test));
            before = latest(&fold.test);
            prop_assert!(!sliding || *len.get_or_insert(fold.train.len()) == fold.train.len());
        }
        prop_assert_eq!(before, latest(&(0..times.len()).collect::<Vec<_>>()));
    }

    #[test]
    fn without_ties_time_is_cut_as_scikit_learn_cuts_it(rows in 10usize..100, folds in 2usize..6, gap in 0usize..2) {
        let times: Vec<f64> = (0..rows).rev().map(|row| row as f64).collect();
        let split = TimeSeriesSplit { gap, ..TimeSeriesSplit::new(folds) }.split(&times).unwrap();
        let size = rows / (folds + 1);
        for (index, fold) in split.iter().enumerate() {
            let start = rows - (folds - index) * size;
            // Times run backwards here, so places do, too.
            prop_assert_eq!(fold.test, (rows - start - size..rows - start).collect::<Vec<_>>());
            prop_assert_eq!(fold.train, (rows - start + gap..rows).collect::<Vec<_>>());
        }
    }

    #[test]
    fn parts_have_their_shares_of_all_and_of_each_class(
        labels in labels(5), weights in prop::array::uniform4(0u32..50), seed: u64,
    ) {
        let total = f64::from(weights.iter().sum::<u32>().max(1));
        let [train, validation, test] = [0, 1, 2].map(|part| f64::from(weights[part]) / total);
        let shares = Shares { train, validation, test };
        let Ok(parts) = shares.split_stratified(&labels, seed) else {
            return Ok(());
        };
        let sides = [(&parts.train, train), (&parts.validation, validation), (&parts.test, test)];
        for (rows, share) in sides {
            prop_assert!(rows.is_sorted());
            prop_assert!((rows.len() as f64 - labels.len() as f64 * share).abs() < 1.0 + 1e-6);
            for class in 0..5 {
                let exact = labels.iter().filter(|&&label| label == class).count() as f64 * share;
                let count = rows.iter().filter(|&&row| labels[row] == class).count() as f64;
                prop_assert!((count - exact).abs() < 1.0 + 1e-6);
            }
        }
        let mut all = [parts.train.clone(), parts.validation.clone(), parts.test.clone()].concat();
        all.sort_unstable();
        prop_assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert_eq!(shares.split_stratified(&labels, seed).unwrap(), parts);
    }

    #[test]
    fn parts_hold_whole_groups_and_no_part_overflows(groups in labels(30), seed: u64) {
        let shares = Shares { train: 0.6, validation: 0.2, test: 0.2 };
        let Ok(parts) = shares.split_groups(&groups, seed) else {
            return Ok(());
        };
        let sides = [&parts.train, &parts.validation, &parts.test];
        let kinds = sides.map(|rows| kinds_of(rows, &groups));
        prop_assert!(kinds[0].is_disjoint(&kinds[1]) && kinds[0].is_disjoint(&kinds[2]));
        prop_assert!(kinds[1].is_disjoint(&kinds[2]));
        prop_assert_eq!(sides.iter().map(|rows| rows.len()).sum::<usize>(), groups.len());
        let largest = (0..30).map(|group| groups.iter().filter(|&&g| g == group).count()).max().unwrap();
        for (rows, share) in sides.into_iter().zip([0.6, 0.2, 0.2]) {
            prop_assert!(rows.len() as f64 <= groups.len() as f64 * share + largest as f64);
        }
    }

    #[test]
    fn parts_along_time_are_later_one_after_the_other(times in prop::collection::vec(0i64..500, 3..200)) {
        let times: Vec<f64> = times.into_iter().map(|time| time as f64).collect();
        let shares = Shares { train: 0.7, validation: 0.1, test: 0.1 };
        let Ok(parts) = shares.split_time(&times) else {
            return Ok(());
        };
        let latest = |rows: &[usize]| rows.iter().map(|&row| times[row]).fold(f64::NEG_INFINITY, f64::max);
        let earliest = |rows: &[usize]| rows.iter().map(|&row| times[row]).fold(f64::INFINITY, f64::min);
        prop_assert!(latest(&parts.train) < earliest(&parts.validation));
        prop_assert!(latest(&parts.validation) < earliest(&parts.test));
        prop_assert_eq!(latest(&parts.test), latest(&(0..times.len()).collect::<Vec<_>>()));
    }
}

#[test]
fn exact_shares_give_exact_sizes() {
    let shares = Shares {
        train: 0.8,
        validation: 0.1,
        test: 0.1,
    };
    let parts = shares.split_random(1000, 1).unwrap();
    assert_eq!(
        [800, 100, 100],
        [parts.train.len(), parts.validation.len(), parts.test.len()]
    );
    let times: Vec<f64> = (0..10).map(f64::from).collect();
    let parts = shares.split_time(&times).unwrap();
    assert_eq!((parts.validation, parts.test), (vec![8], vec![9]));
}

#[test]
fn another_seed_gives_other_folds_and_another_repetition_too() {
    let of = |seed| {
        KFold {
            folds: 5,
            seed: Some(seed),
        }
        .split(100)
        .unwrap()
    };
    assert_ne!(of(1), of(2));
    assert_eq!(of(repeat_seed(1, 0)), of(1));
    assert_ne!(of(repeat_seed(1, 1)), of(1));
}

#[test]
fn leaving_one_out_tests_each_row_alone() {
    let folds = LeaveOneOut.split(5).unwrap();
    assert_eq!(folds.len(), 5);
    assert_eq!(
        folds.get(3),
        Fold {
            train: vec![0, 1, 2, 4],
            test: vec![3]
        }
    );
    assert!(matches!(
        fault(LeaveOneOut.split(1)),
        SplitError::TooFewFolds { folds: 1 }
    ));
}

#[test]
fn groups_that_can_be_even_are() {
    // Two large groups and four half as large: the greedy rule finds the even division.
    let groups: Vec<i64> = [(7, 4), (1, 4), (2, 2), (3, 2), (4, 2), (5, 2)]
        .into_iter()
        .flat_map(|(group, rows)| vec![group; rows])
        .collect();
    let sizes: Vec<usize> = GroupKFold { folds: 4, seed: None }
        .split(&groups)
        .unwrap()
        .iter()
        .map(|fold| fold.test.len())
        .collect();
    assert_eq!(sizes, [4, 4, 4, 4]);
}

#[test]
fn stratified_groups_balance_classes_as_far_as_groups_allow() {
    // Pairs of groups, one all of class 0 and one all of class 1: an even division exists.
    let groups: Vec<i64> = (0..80).map(|row| row / 10).collect();
    let labels: Vec<i64> = (0..80).map(|row| row / 10 % 2).collect();
    let folds = StratifiedGroupKFold {
        folds: 4,
        seed: Some(3),
    }
    .split(&labels, &groups)
    .unwrap();
    for fold in folds.iter() {
        let ones = fold.test.iter().filter(|&&row| labels[row] == 1).count();
        assert_eq!((fold.test.len(), ones), (20, 10));
    }
}

#[test]
fn ties_in_time_are_not_parted() {
    let times = [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 3.0];
    let folds = TimeSeriesSplit::new(2).split(&times).unwrap();
    assert_eq!(
        folds.get(0),
        Fold {
            train: vec![0, 1, 2, 3],
            test: vec![4, 5]
        }
    );
    assert_eq!(
        folds.get(1),
        Fold {
            train: vec![0, 1, 2, 3, 4, 5],
            test: vec![6, 7, 8]
        }
    );
}

#[test]
fn says_what_cannot_be_divided() {
    let fold = |folds| KFold { folds, seed: None };
    assert!(matches!(
        fault(fold(1).split(9)),
        SplitError::TooFewFolds { folds: 1 }
    ));
    assert!(matches!(
        fault(fold(4).split(3)),
        SplitError::TooManyFolds { found: 3, .. }
    ));
    let small = StratifiedKFold { folds: 3, seed: None }.split(&[0, 0, 1, 1]);
    assert!(matches!(
        fault(small),
        SplitError::ClassesTooSmall { folds: 3, largest: 2 }
    ));
    let groups = GroupKFold { folds: 3, seed: None }.split(&[5, 5, 5, -1]);
    assert!(matches!(
        fault(groups),
        SplitError::TooManyFolds {
            found: 2,
            unit: "groups",
            ..
        }
    ));
    let lengths = StratifiedGroupKFold { folds: 2, seed: None }.split(&[0], &[1, 2]);
    assert!(matches!(
        fault(lengths),
        SplitError::Lengths { labels: 1, groups: 2 }
    ));
    let times = TimeSeriesSplit::new(2).split(&[1.0, f64::NAN, 3.0]);
    assert!(matches!(fault(times), SplitError::NoTime { row: 1 }));
    let ties = TimeSeriesSplit::new(2).split(&[1.0, 1.0, 3.0, 3.0]);
    assert!(matches!(
        fault(ties),
        SplitError::TooManyFolds {
            needed: 3,
            found: 2,
            ..
        }
    ));
    let gap = TimeSeriesSplit {
        gap: 3,
        ..TimeSeriesSplit::new(2)
    }
    .split(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert!(matches!(
        fault(gap),
        SplitError::NothingToTrainOn {
            fold: 0,
            before: 2,
            gap: 3
        }
    ));
}

#[test]
fn says_what_shares_are_none() {
    let split = |train, validation, test| {
        Shares {
            train,
            validation,
            test,
        }
        .split_random(10, 0)
    };
    assert!(matches!(
        fault(split(0.8, -0.1, 0.1)),
        SplitError::Share {
            part: "validation",
            ..
        }
    ));
    assert!(matches!(
        fault(split(f64::NAN, 0.1, 0.1)),
        SplitError::Share { part: "train", .. }
    ));
    assert!(matches!(
        fault(split(0.8, 0.2, 0.1)),
        SplitError::SharesSum { .. }
    ));
    assert!(matches!(
        fault(split(0.99, 0.001, 0.0)),
        SplitError::EmptyPart {
            part: "validation",
            ..
        }
    ));
    assert!(split(0.7, 0.2, 0.1).is_ok());
    let unequal = Shares {
        train: 0.5,
        validation: 0.3,
        test: 0.2,
    }
    .split_time(&[1.0, 1.0, 2.0]);
    assert!(matches!(
        fault(unequal),
        SplitError::EmptyPart {
            unit: "different times",
            rows: 2,
            ..
        }
    ));
}
