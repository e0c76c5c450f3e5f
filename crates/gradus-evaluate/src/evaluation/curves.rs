//! How well the scores of each class rank its samples: ROC and precision-recall curves.

use serde::{Deserialize, Serialize};

use crate::bootstrap::{BootstrapOptions, RowSample, row_intervals};
use crate::metrics::{
    OrderedScores, average_precision, average_precision_of, precision_recall_curve, roc_auc, roc_auc_of,
    roc_curve,
};
use crate::{Estimate, Predictions, Result};

/// Distance below which a point of a curve is left out, of a unit square: a third of a pixel of a chart.
const RESOLUTION: f64 = 1.0 / 1024.0;

/// Rows × classes × resamples up to which the areas get intervals: some seconds of one core.
const MAX_WORK: usize = 400_000_000;

/// Curves of the probabilities of classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreCurves {
    /// Area under the ROC curve: of the second class of two, else the mean over the classes, each against the rest.
    /// Classes that do not occur, or alone occur, have none and are left out.
    pub roc_auc: Estimate,
    /// Average precision, likewise.
    pub average_precision: Estimate,
    /// The second class of two, else every class that has curves.
    pub classes: Vec<ClassCurves>,
}

/// The curves of one class against the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassCurves {
    /// Name of the class.
    pub label: String,
    /// Area under the ROC curve.
    pub roc_auc: f64,
    /// Average precision: the area under the precision-recall curve, by steps.
    pub average_precision: f64,
    /// (false positive rate, true positive rate), thinned to what can be seen.
    pub roc: Vec<[f64; 2]>,
    /// (recall, precision), thinned to what can be seen.
    pub precision_recall: Vec<[f64; 2]>,
}

/// Probabilities of one class against the rest, with their order, which all resamples share.
struct Ranked {
    truth: Vec<i64>,
    scores: Vec<f64>,
    ordered: OrderedScores,
}

impl Ranked {
    fn new(labels: &[i64], probabilities: &[Vec<f64>], class: usize) -> Self {
        let truth: Vec<i64> = labels
            .iter()
            .map(|&label| i64::from(label == class as i64))
            .collect();
        let scores: Vec<f64> = probabilities.iter().map(|row| row[class]).collect();
        let samples = truth.iter().zip(&scores).enumerate();
        Self {
            ordered: OrderedScores::new(samples.map(|(row, (&truth, &score))| (row, truth == 1, score))),
            truth,
            scores,
        }
    }

    /// Whether there are samples of the class and others.
    fn has_both(&self) -> bool {
        let of_class = self.truth.iter().filter(|&&truth| truth == 1).count();
        (1..self.truth.len()).contains(&of_class)
    }

    fn curves(&self, label: &str) -> Result<ClassCurves> {
        let roc = roc_curve(&self.truth, &self.scores, None)?;
        let precision_recall = precision_recall_curve(&self.truth, &self.scores, None)?;
        let points =
            |x: &[f64], y: &[f64]| -> Vec<[f64; 2]> { x.iter().zip(y).map(|(&x, &y)| [x, y]).collect() };
        Ok(ClassCurves {
            label: label.to_owned(),
            roc_auc: roc_auc(&self.truth, &self.scores, None)?,
            average_precision: average_precision(&self.truth, &self.scores, None)?,
            roc: thinned(&points(&roc.false_positive_rates, &roc.true_positive_rates)),
            precision_recall: thinned(&points(&precision_recall.recall, &precision_recall.precision)),
        })
    }

    /// Both areas of a resample; NaN where it has one class only.
    fn areas(&self, weights: &[f64]) -> [f64; 2] {
        let ranked = self.ordered.weighing(Some(weights));
        match roc_auc_of(&ranked) {
            Ok(area) => [area, average_precision_of(&ranked)],
            Err(_) => [f64::NAN; 2],
        }
    }
}

impl ScoreCurves {
    /// The curves of predictions; `None` when the samples are all of one class. `sample` says what the intervals
    /// resample.
    pub(super) fn of(
        predictions: &Predictions,
        labels: &[i64],
        names: &[String],
        intervals: Option<(&BootstrapOptions, &RowSample)>,
    ) -> Result<Option<ScoreCurves>> {
        let probabilities: Vec<Vec<f64>> = (0..predictions.len())
            .map(|row| predictions.probabilities(row))
            .collect();
        let classes = match names.len() {
            2 => 1..2,
            several => 0..several,
        };
        let ranked: Vec<(usize, Ranked)> = classes
            .map(|class| (class, Ranked::new(labels, &probabilities, class)))
            .filter(|(_, ranked)| ranked.has_both())
            .collect();
        if ranked.is_empty() {
            return Ok(None);
        }
        let curves: Vec<ClassCurves> = ranked
            .iter()
            .map(|(class, ranked)| ranked.curves(&names[*class]))
            .collect::<Result<_>>()?;
        let mean = |of: fn(&ClassCurves) -> f64| curves.iter().map(of).sum::<f64>() / curves.len() as f64;
        let work = |options: &BootstrapOptions| labels.len() * ranked.len() * options.resamples;
        let found = match intervals.filter(|(options, _)| work(options) <= MAX_WORK) {
            None => vec![None; 2],
            Some((options, sample)) => row_intervals(sample, options, 2, |weights, out| {
                out.fill(0.0);
                for (_, ranked) in &ranked {
                    let areas = ranked.areas(weights);
                    out.iter_mut().zip(areas).for_each(|(out, area)| *out += area);
                }
                out.iter_mut().for_each(|out| *out /= ranked.len() as f64);
            })?,
        };
        Ok(Some(ScoreCurves {
            roc_auc: Estimate {
                value: mean(|curves| curves.roc_auc),
                interval: found[0],
            },
            average_precision: Estimate {
                value: mean(|curves| curves.average_precision),
                interval: found[1],
            },
            classes: curves,
        }))
    }
}

/// The points that lie apart; the first and the last always, and corners keep their place within the resolution.
fn thinned(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let far = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).abs().max((a[1] - b[1]).abs()) >= RESOLUTION;
    let mut kept: Vec<[f64; 2]> = Vec::new();
    for (at, &point) in points.iter().enumerate() {
        if at + 1 == points.len() || kept.last().is_none_or(|&last| far(last, point)) {
            kept.push(point);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_of_sorted_resamples_are_those_of_repeated_rows() {
        let labels = [0i64, 1, 2, 1, 0, 2, 1, 0];
        let logits: Vec<f32> = (0..24).map(|at| ((at * 29 % 17) as f32) / 5.0).collect();
        let predictions = Predictions::new(logits, 3).unwrap();
        let probabilities: Vec<Vec<f64>> = (0..8).map(|row| predictions.probabilities(row)).collect();
        let weights = [2.0, 0.0, 1.0, 3.0, 0.0, 1.0, 1.0, 0.0];
        let repeated: Vec<usize> = (0..8).flat_map(|row| vec![row; weights[row] as usize]).collect();
        for class in 0..3 {
            let truth: Vec<i64> = repeated
                .iter()
                .map(|&row| i64::from(labels[row] == class as i64))
                .collect();
            let scores: Vec<f64> = repeated.iter().map(|&row| probabilities[row][class]).collect();
            let [area, precision] = Ranked::new(&labels, &probabilities, class).areas(&weights);
            assert!((area - roc_auc(&truth, &scores, None).unwrap()).abs() < 1e-12);
            assert!((precision - average_precision(&truth, &scores, None).unwrap()).abs() < 1e-12);
        }
    }

    #[test]
    fn two_classes_have_the_curves_of_the_second() {
        let predictions = Predictions::new(vec![2.0, 0.0, 0.0, 1.0, 0.5, 0.4, 0.0, 3.0], 2).unwrap();
        let names = ["no".to_owned(), "yes".to_owned()];
        let curves = ScoreCurves::of(&predictions, &[0, 1, 0, 1], &names, None)
            .unwrap()
            .unwrap();
        assert_eq!(curves.classes.len(), 1);
        assert_eq!(curves.classes[0].label, "yes");
        assert_eq!(curves.roc_auc.value, 1.0);
        assert_eq!(
            ScoreCurves::of(&predictions, &[1, 1, 1, 1], &names, None).unwrap(),
            None
        );
    }

    #[test]
    fn thinning_keeps_the_ends() {
        let points: Vec<[f64; 2]> = (0..=100_000).map(|at| [f64::from(at) / 1e5; 2]).collect();
        let kept = thinned(&points);
        assert!(kept.len() < 1100);
        assert_eq!((kept[0], kept[kept.len() - 1]), ([0.0; 2], [1.0; 2]));
    }
}
