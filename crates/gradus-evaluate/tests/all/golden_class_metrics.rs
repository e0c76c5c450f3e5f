//! Metrics of classes against scikit-learn's (`golden/make_class_metrics.py`).
#![cfg(test)]

use gradus_evaluate::metrics::{
    Average, Averaging, ConfusionMatrix, ConfusionTable, Counts, KappaWeights, LabelSet, Normalization,
    OneClassEach, PairAverage, ScoreAverage, ScoreTable, WeightedConfusionMatrix, ZeroDivision, accuracy,
    adjusted_balanced_accuracy, average_precision_averaged, balanced_accuracy, brier_score, cohen_kappa,
    expected_calibration_error, f_beta, f_beta_per_class, jaccard, jaccard_per_class, log_loss,
    matthews_correlation, one_vs_rest, precision, precision_per_class, recall, recall_per_class,
    roc_auc_averaged, roc_auc_one_vs_one, top_k_accuracy,
};
use serde::Deserialize;

use crate::metric_cases::{Comparison, cases, scaled, weights};

/// Precision, recall, F and Jaccard, where the reference has it; one number or one per class.
pub type Ratios = [Option<Vec<Option<f64>>>; 4];

#[derive(Deserialize)]
struct Case {
    kind: String,
    num_classes: usize,
    truth: Vec<i64>,
    predicted: Vec<i64>,
    scale: f64,
    probabilities: Vec<i64>,
    weights: Option<Vec<i64>>,
    zero_division: ZeroDivision,
    labels: LabelSet,
    beta: f64,
    top_k: usize,
    bins: usize,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    accuracy: f64,
    balanced_accuracy: Option<f64>,
    adjusted_balanced_accuracy: Option<f64>,
    matthews: f64,
    hamming: f64,
    kappa: [Option<f64>; 3],
    confusion: [Vec<Option<f64>>; 4],
    one_vs_rest: Vec<Option<f64>>,
    per_class: Ratios,
    #[serde(rename = "macro")]
    macro_average: Ratios,
    micro: Ratios,
    weighted: Ratios,
    binary: Option<Ratios>,
    log_loss: f64,
    brier: f64,
    top_k: Option<f64>,
    calibration_error: f64,
    one_vs_rest_auc: Option<[Option<f64>; 3]>,
    one_vs_one_auc: Option<[Option<f64>; 2]>,
    average_precision: Option<[Option<f64>; 4]>,
}

/// Averaged ratios of any counts.
pub fn check_average(
    found: &mut Comparison,
    name: &str,
    counts: &impl Counts,
    (average, averaging, beta): (Average, Averaging, f64),
    expected: &Ratios,
) {
    let got = [
        precision(counts, average, averaging),
        recall(counts, average, averaging),
        f_beta(counts, beta, average, averaging),
        jaccard(counts, average, averaging),
    ];
    for ((what, got), want) in ["precision", "recall", "F", "Jaccard"]
        .iter()
        .zip(got)
        .zip(expected)
    {
        if let Some(want) = want {
            found.numbers(&format!("{name}: {average:?} {what}"), &[got], want);
        }
    }
}

/// Ratios of each class or label.
pub fn check_each(
    found: &mut Comparison,
    name: &str,
    counts: &impl Counts,
    (zero_division, beta): (ZeroDivision, f64),
    expected: &Ratios,
) {
    let got = [
        precision_per_class(counts, zero_division),
        recall_per_class(counts, zero_division),
        f_beta_per_class(counts, beta, zero_division),
        jaccard_per_class(counts, zero_division),
    ];
    for ((what, got), want) in ["precision", "recall", "F", "Jaccard"]
        .iter()
        .zip(&got)
        .zip(expected)
    {
        if let Some(want) = want {
            found.numbers(&format!("{name}: each {what}"), got, want);
        }
    }
}

impl Case {
    fn check_counts(&self, found: &mut Comparison, name: &str, counts: &impl OneClassEach) {
        let expected = &self.expected;
        let averaging = Averaging {
            labels: self.labels,
            zero_division: self.zero_division,
        };
        found.number(
            &format!("{name}: accuracy"),
            accuracy(counts),
            Some(expected.accuracy),
        );
        found.number(
            &format!("{name}: Hamming"),
            1.0 - accuracy(counts),
            Some(expected.hamming),
        );
        found.number(
            &format!("{name}: balanced accuracy"),
            balanced_accuracy(counts),
            expected.balanced_accuracy,
        );
        found.number(
            &format!("{name}: adjusted balanced accuracy"),
            adjusted_balanced_accuracy(counts),
            expected.adjusted_balanced_accuracy,
        );
        found.number(
            &format!("{name}: Matthews"),
            matthews_correlation(counts),
            Some(expected.matthews),
        );
        let tables: Vec<f64> = one_vs_rest(counts).into_iter().flatten().flatten().collect();
        found.numbers(&format!("{name}: one vs rest"), &tables, &expected.one_vs_rest);
        check_each(
            found,
            name,
            counts,
            (self.zero_division, self.beta),
            &expected.per_class,
        );
        let mut averages = vec![
            (Average::Macro, &expected.macro_average),
            (Average::Micro, &expected.micro),
            (Average::Weighted, &expected.weighted),
        ];
        averages.extend(expected.binary.as_ref().map(|ratios| (Average::Binary, ratios)));
        for (average, ratios) in averages {
            check_average(found, name, counts, (average, averaging, self.beta), ratios);
        }
    }

    fn check_table(
        &self,
        found: &mut Comparison,
        name: &str,
        table: &impl ConfusionTable,
        shares: [Vec<f64>; 3],
    ) {
        let kinds = [
            KappaWeights::Unweighted,
            KappaWeights::Linear,
            KappaWeights::Quadratic,
        ];
        for (kind, want) in kinds.into_iter().zip(self.expected.kappa) {
            found.answer(&format!("{name}: {kind:?} kappa"), cohen_kappa(table, kind), want);
        }
        let classes = self.num_classes;
        let cells: Vec<f64> = (0..classes * classes)
            .map(|at| table.weight(at / classes, at % classes))
            .collect();
        for (got, want) in [cells].iter().chain(&shares).zip(&self.expected.confusion) {
            found.numbers(&format!("{name}: confusion"), got, want);
        }
    }

    fn check_probabilities(&self, found: &mut Comparison, name: &str, weights: Option<&[f64]>) {
        let (truth, classes, expected) = (&self.truth, self.num_classes, &self.expected);
        let probabilities = &scaled(&self.probabilities, self.scale);
        let loss = log_loss(truth, probabilities, classes, weights);
        found.answer(&format!("{name}: log-loss"), loss, Some(expected.log_loss));
        let brier = brier_score(truth, probabilities, classes, weights);
        found.answer(&format!("{name}: Brier"), brier, Some(expected.brier));
        let top_k = top_k_accuracy(truth, probabilities, classes, self.top_k, weights);
        found.answer(&format!("{name}: top-k"), top_k, expected.top_k);
        let error = expected_calibration_error(truth, probabilities, classes, self.bins, weights);
        found.answer(&format!("{name}: ECE"), error, Some(expected.calibration_error));
        let table = ScoreTable::of_classes(truth, probabilities, classes, weights).unwrap();
        let averages = [
            ScoreAverage::Macro,
            ScoreAverage::Micro,
            ScoreAverage::Weighted,
            ScoreAverage::Samples,
        ];
        for (average, &want) in averages
            .into_iter()
            .zip(expected.one_vs_rest_auc.iter().flatten())
        {
            let area = roc_auc_averaged(&table, average);
            found.answer(&format!("{name}: {average:?} AUC"), area, want);
        }
        for (average, &want) in averages
            .into_iter()
            .zip(expected.average_precision.iter().flatten())
        {
            let value = average_precision_averaged(&table, average);
            found.answer(&format!("{name}: {average:?} AP"), value, want);
        }
        let pairs = [PairAverage::Macro, PairAverage::Weighted];
        for (average, &want) in pairs.into_iter().zip(expected.one_vs_one_auc.iter().flatten()) {
            let area = roc_auc_one_vs_one(truth, probabilities, classes, average);
            found.answer(&format!("{name}: {average:?} one-vs-one AUC"), area, want);
        }
    }
}

#[test]
fn metrics_of_classes_equal_scikit_learn() {
    const SHARES: [Normalization; 3] = [Normalization::True, Normalization::Predicted, Normalization::All];
    let mut found = Comparison::default();
    for (at, case) in cases::<Case>("class_metrics.json").iter().enumerate() {
        let name = &format!("case {at} ({})", case.kind);
        let weights = weights(&case.weights);
        let (truth, predicted, classes) = (&case.truth, &case.predicted, case.num_classes);
        if let Some(weights) = &weights {
            let table = WeightedConfusionMatrix::from_labels(truth, predicted, classes, weights).unwrap();
            case.check_counts(&mut found, name, &table.class_counts());
            case.check_table(
                &mut found,
                name,
                &table,
                SHARES.map(|kind| table.normalized(kind)),
            );
        } else {
            let table = ConfusionMatrix::from_labels(truth, predicted, classes).unwrap();
            case.check_counts(&mut found, name, &table.class_counts());
            case.check_table(
                &mut found,
                name,
                &table,
                SHARES.map(|kind| table.normalized(kind)),
            );
        }
        case.check_probabilities(&mut found, name, weights.as_deref());
    }
    found.finish(200 * 40);
}
