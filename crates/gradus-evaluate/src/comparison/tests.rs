use super::*;

/// Logits that give class `predicted` of two with a log-odds of `sure`.
fn predictions(predicted: &[i64], sure: f32) -> Predictions {
    let logits = predicted
        .iter()
        .flat_map(|&class| if class == 1 { [0.0, sure] } else { [sure, 0.0] });
    Predictions::new(logits.collect(), 2).unwrap()
}

/// The labels, wrong in every `n`-th row.
fn wrong_every(labels: &[i64], n: usize) -> Vec<i64> {
    let answer = |(row, &label): (usize, &i64)| if row % n == 0 { 1 - label } else { label };
    labels.iter().enumerate().map(answer).collect()
}

fn labels(rows: i64) -> Vec<i64> {
    (0..rows).map(|row| row / 3 % 2).collect()
}

#[test]
fn a_clearly_better_model_is_called_so() {
    let labels = labels(600);
    let (a, b) = (
        predictions(&wrong_every(&labels, 4), 2.0),
        predictions(&wrong_every(&labels, 20), 2.0),
    );
    let found = compare_predictions([&a, &b], &labels, &CompareOptions::default()).unwrap();
    assert_eq!(found.verdict, Verdict::BBetter);
    // Every 20th row is a 4th row: B is never wrong alone.
    assert_eq!((found.mcnemar.only_a, found.mcnemar.only_b), (0, 120));
    assert!(
        found.sentence.starts_with("B is better: accuracy +0.2000"),
        "{}",
        found.sentence
    );
    assert!(
        found
            .differences
            .iter()
            .all(|difference| difference.better() == Some(Side::B))
    );
    let turned = compare_predictions([&b, &a], &labels, &CompareOptions::default()).unwrap();
    assert_eq!(turned.verdict, Verdict::ABetter);
    assert_eq!(turned.differences[2].better(), Some(Side::A));
}

#[test]
fn few_rows_tell_nothing() {
    let labels = labels(30);
    let (a, b) = (
        predictions(&wrong_every(&labels, 7), 2.0),
        predictions(&wrong_every(&labels, 9), 2.0),
    );
    let found = compare_predictions([&a, &b], &labels, &CompareOptions::default()).unwrap();
    assert_eq!(found.verdict, Verdict::NoDifference);
    assert!(
        found.sentence.contains("no difference can be told with 30 rows"),
        "{}",
        found.sentence
    );
}

#[test]
fn a_model_is_as_good_as_itself() {
    let labels = labels(100);
    let a = predictions(&wrong_every(&labels, 5), 1.0);
    let found = compare_predictions([&a, &a], &labels, &CompareOptions::default()).unwrap();
    assert_eq!(found.verdict, Verdict::NoDifference);
    for difference in found.differences {
        let interval = difference.difference.interval.unwrap();
        assert_eq!((interval.lower, interval.upper), (0.0, 0.0));
    }
}

#[test]
fn overconfidence_divides_the_verdict() {
    let labels = labels(900);
    // B is right more often, and far too sure of what it gets wrong.
    let (a, b) = (
        predictions(&wrong_every(&labels, 6), 1.6),
        predictions(&wrong_every(&labels, 12), 30.0),
    );
    let found = compare_predictions([&a, &b], &labels, &CompareOptions::default()).unwrap();
    assert_eq!(found.verdict, Verdict::Divided);
    assert!(
        found.sentence.contains("A is better by log loss"),
        "{}",
        found.sentence
    );
}

#[test]
fn rows_that_repeat_each_other_tell_less() {
    // 12 groups of 50 equal rows: what 600 rows would tell, 12 do not.
    let labels = vec![1i64; 600];
    let answers = |wrong: &[usize]| -> Vec<i64> {
        (0..600)
            .map(|row| if wrong.contains(&(row / 50)) { 0 } else { 1 })
            .collect()
    };
    let (a, b) = (
        predictions(&answers(&[0, 3]), 1.0),
        predictions(&answers(&[3]), 1.0),
    );
    let groups = (0..600).map(|row| row / 50).collect();
    let alone = compare_predictions([&a, &b], &labels, &CompareOptions::default()).unwrap();
    assert_eq!(alone.verdict, Verdict::BBetter);
    let options = CompareOptions {
        groups: Some(groups),
        ..Default::default()
    };
    let grouped = compare_predictions([&a, &b], &labels, &options).unwrap();
    assert_eq!(grouped.verdict, Verdict::NoDifference);
}

#[test]
fn metrics_have_one_name_each() {
    for metric in ComparedMetric::ALL {
        assert_eq!(ComparedMetric::from_name(metric.name()), Some(metric));
        assert_eq!(serde_json::to_value(metric).unwrap(), metric.name());
    }
    assert_eq!(ComparedMetric::from_name("beauty"), None);
}
