//! The training history that learning curves are drawn from.

use std::path::Path;

use gradus_package::run::read_metrics;
use serde_json::Value;

use crate::Result;

/// Points that one curve is drawn with; longer ones are averaged in equal stretches.
const MAX_POINTS: usize = 400;

/// The key of the training loss in lines between evaluations.
const STEP_LOSS: &str = "loss";

/// The key of an epoch's mean training loss.
const EPOCH_LOSS: &str = "train_loss";

/// One quantity over the steps of a training run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// The key it has in the history, such as `train_loss`.
    pub name: String,
    /// (step, value) pairs in the order they were written; only finite values.
    pub points: Vec<(f64, f64)>,
}

impl Curve {
    /// Its name for people.
    pub fn label(&self) -> String {
        if self.name == STEP_LOSS {
            "train loss".to_owned()
        } else {
            self.name.replace('_', " ")
        }
    }
}

/// Curves that share an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct CurvePanel {
    /// Heading.
    pub title: &'static str,
    /// Whether single values scatter, so that a running mean helps to see where a curve goes.
    pub noisy: bool,
    /// The curves, in the order of their first appearance.
    pub curves: Vec<Curve>,
}

/// The learning curves of a run: loss, metrics and learning rate over its steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LearningCurves {
    /// Panels that have at least one curve of two points.
    pub panels: Vec<CurvePanel>,
}

/// What a key of the history is drawn as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Loss,
    Metric,
    LearningRate,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Loss, Kind::Metric, Kind::LearningRate];

    /// Keys that are none of these (times, rates, counters) are not drawn.
    fn of(key: &str) -> Option<Self> {
        let has = |word: &str| key.contains(word);
        if has("loss") {
            Some(Kind::Loss)
        } else if ["accuracy", "precision", "recall", "f1", "metric"]
            .into_iter()
            .any(has)
        {
            Some(Kind::Metric)
        } else if has("learning_rate") {
            Some(Kind::LearningRate)
        } else {
            None
        }
    }

    fn title(self) -> &'static str {
        match self {
            Kind::Loss => "Loss",
            Kind::Metric => "Metrics",
            Kind::LearningRate => "Learning rate",
        }
    }
}

impl LearningCurves {
    /// Reads a run's `metrics.jsonl`.
    ///
    /// # Errors
    /// Those of [`read_metrics`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Ok(Self::from_records(&read_metrics(path.as_ref())?))
    }

    /// Curves from records: JSON objects with a `step` and numbers by name. Names of a loss, a classification metric
    /// or the learning rate become curves; everything else, and records without a step, are left out.
    pub fn from_records(records: &[Value]) -> Self {
        let mut curves: Vec<(Kind, Curve)> = Vec::new();
        for record in records {
            collect(record, &mut curves);
        }
        Self {
            panels: Kind::ALL
                .iter()
                .filter_map(|&kind| panel(kind, &curves))
                .collect(),
        }
    }
}

/// Adds the numbers of one record to their curves.
fn collect(record: &Value, curves: &mut Vec<(Kind, Curve)>) {
    let (Some(fields), Some(step)) = (record.as_object(), record.get("step").and_then(Value::as_f64)) else {
        return;
    };
    for (name, value) in fields {
        let (Some(kind), Some(value)) = (Kind::of(name), value.as_f64()) else {
            continue;
        };
        if let Some((_, curve)) = curves.iter_mut().find(|(_, curve)| curve.name == *name) {
            curve.points.push((step, value));
        } else {
            curves.push((
                kind,
                Curve {
                    name: name.clone(),
                    points: vec![(step, value)],
                },
            ));
        }
    }
}

fn panel(kind: Kind, curves: &[(Kind, Curve)]) -> Option<CurvePanel> {
    let is_drawn = |curve: &Curve| curve.points.len() > 1;
    // The mean over an epoch says nothing that the losses within it do not.
    let repeats = |curve: &Curve| {
        curve.name == EPOCH_LOSS
            && curves
                .iter()
                .any(|(_, other)| other.name == STEP_LOSS && is_drawn(other))
    };
    let drawn = |(of, curve): &&(Kind, Curve)| *of == kind && is_drawn(curve) && !repeats(curve);
    let curves: Vec<Curve> = curves
        .iter()
        .filter(drawn)
        .map(|(_, curve)| shortened(curve))
        .collect();
    (!curves.is_empty()).then(|| CurvePanel {
        title: kind.title(),
        noisy: kind != Kind::LearningRate,
        curves,
    })
}

/// The curve with at most [`MAX_POINTS`] points.
fn shortened(curve: &Curve) -> Curve {
    let stretch = curve.points.len().div_ceil(MAX_POINTS);
    let mean = |points: &[(f64, f64)]| {
        let n = points.len() as f64;
        let (x, y) = points
            .iter()
            .fold((0.0, 0.0), |(sx, sy), (x, y)| (sx + x, sy + y));
        (x / n, y / n)
    };
    Curve {
        name: curve.name.clone(),
        points: curve.points.chunks(stretch).map(mean).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_losses_metrics_and_rates_by_name() {
        let records = [
            json!({"step": 1, "train_loss": 2.3, "learning_rate": 0.1, "samples_per_second": 1e6}),
            json!({"step": 2, "train_loss": 1.9, "learning_rate": 0.1, "validation_loss": 2.0}),
            json!(["no record"]),
            json!({"train_loss": 1.0}),
            json!({"step": 3, "train_loss": null, "validation_loss": 1.5, "validation_accuracy": 0.5}),
        ];
        let curves = LearningCurves::from_records(&records);
        let names: Vec<_> = curves
            .panels
            .iter()
            .flat_map(|p| &p.curves)
            .map(|c| c.name.as_str())
            .collect();
        assert_eq!(names, ["train_loss", "validation_loss", "learning_rate"]);
        assert_eq!(curves.panels[0].title, "Loss");
        assert_eq!(curves.panels[0].curves[0].points, [(1.0, 2.3), (2.0, 1.9)]);
    }

    #[test]
    fn losses_within_epochs_stand_for_their_means() {
        let records = [
            json!({"step": 10, "loss": 2.0}),
            json!({"step": 20, "loss": 1.5}),
            json!({"step": 20, "train_loss": 1.7, "validation_loss": 1.6}),
            json!({"step": 40, "train_loss": 1.2, "validation_loss": 1.3}),
        ];
        let curves = LearningCurves::from_records(&records);
        let labels: Vec<_> = curves.panels[0].curves.iter().map(Curve::label).collect();
        assert_eq!(labels, ["train loss", "validation loss"]);
    }

    #[test]
    fn long_curves_are_averaged_and_short_ones_kept() {
        let points: Vec<_> = (0..1000).map(|i| (f64::from(i), 2.0)).collect();
        let short = shortened(&Curve {
            name: "loss".into(),
            points,
        });
        assert_eq!(short.points.len(), 334);
        assert_eq!(short.points[0], (1.0, 2.0));
    }
}
