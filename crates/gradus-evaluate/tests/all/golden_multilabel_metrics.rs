//! Metrics of samples with several labels against scikit-learn's (`golden/make_multilabel_metrics.py`).
#![cfg(test)]

use gradus_evaluate::metrics::{
    Average, Averaging, LabelCounts, LabelSet, MultilabelFlags, ScoreAverage, ScoreTable, ZeroDivision,
    average_precision_averaged, hamming_loss, one_vs_rest, roc_auc_averaged, subset_accuracy,
};
use serde::Deserialize;

use crate::golden_class_metrics::{Ratios, check_average, check_each};
use crate::metric_cases::{Comparison, cases, scaled, weights};

#[derive(Deserialize)]
struct Case {
    kind: String,
    num_labels: usize,
    truth: Vec<u8>,
    predicted: Vec<u8>,
    scale: f64,
    scores: Vec<i64>,
    weights: Option<Vec<i64>>,
    zero_division: ZeroDivision,
    beta: f64,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    accuracy: f64,
    hamming: f64,
    tables: [Vec<Option<f64>>; 2],
    roc_auc: [Option<f64>; 4],
    average_precision: [Option<f64>; 4],
    per_label: Ratios,
    #[serde(rename = "macro")]
    macro_average: Ratios,
    micro: Ratios,
    weighted: Ratios,
    samples: Ratios,
}

impl Case {
    fn check_flags(&self, found: &mut Comparison, name: &str, flags: &MultilabelFlags<'_>) {
        let expected = &self.expected;
        found.number(
            &format!("{name}: accuracy"),
            subset_accuracy(flags),
            Some(expected.accuracy),
        );
        found.number(
            &format!("{name}: Hamming"),
            hamming_loss(flags),
            Some(expected.hamming),
        );
        let (by_label, by_sample) = (LabelCounts::by_label(flags), LabelCounts::by_sample(flags));
        for (counts, want) in [&by_label, &by_sample].into_iter().zip(&expected.tables) {
            let tables: Vec<f64> = one_vs_rest(counts).into_iter().flatten().flatten().collect();
            found.numbers(&format!("{name}: tables"), &tables, want);
        }
        let averaging = Averaging {
            labels: LabelSet::Known,
            zero_division: self.zero_division,
        };
        check_each(
            found,
            name,
            &by_label,
            (self.zero_division, self.beta),
            &expected.per_label,
        );
        for (counts, average, ratios) in [
            (&by_label, Average::Macro, &expected.macro_average),
            (&by_label, Average::Micro, &expected.micro),
            (&by_label, Average::Weighted, &expected.weighted),
            (&by_sample, Average::Macro, &expected.samples),
        ] {
            check_average(found, name, counts, (average, averaging, self.beta), ratios);
        }
    }
}

#[test]
fn metrics_of_labels_equal_scikit_learn() {
    let mut found = Comparison::default();
    for (at, case) in cases::<Case>("multilabel_metrics.json").iter().enumerate() {
        let name = &format!("case {at} ({})", case.kind);
        let (weights, labels) = (weights(&case.weights), case.num_labels);
        let flags = MultilabelFlags::new(&case.truth, &case.predicted, labels, weights.as_deref()).unwrap();
        case.check_flags(&mut found, name, &flags);
        let scores = scaled(&case.scores, case.scale);
        let table = ScoreTable::of_labels(&case.truth, &scores, labels, weights.as_deref()).unwrap();
        let averages = [
            ScoreAverage::Macro,
            ScoreAverage::Micro,
            ScoreAverage::Weighted,
            ScoreAverage::Samples,
        ];
        for (at, average) in averages.into_iter().enumerate() {
            let area = roc_auc_averaged(&table, average);
            found.answer(
                &format!("{name}: {average:?} AUC"),
                area,
                case.expected.roc_auc[at],
            );
            let value = average_precision_averaged(&table, average);
            found.answer(
                &format!("{name}: {average:?} AP"),
                value,
                case.expected.average_precision[at],
            );
        }
    }
    found.finish(200 * 30);
}
