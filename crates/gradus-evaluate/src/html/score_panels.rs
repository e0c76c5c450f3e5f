//! The panels about the probabilities of a classifier.

use serde::Serialize;

use super::chart::SERIES;
use super::score_chart::{self, Kind};
use super::{format, reliability_chart};
use crate::{Evaluation, Result, ScoreCurves};

/// One chart with what is written above it.
#[derive(Serialize)]
pub(super) struct ScorePanel {
    title: &'static str,
    /// The figure that sums the chart up.
    figure: String,
    /// What the axes are.
    axes: &'static str,
    /// Names of the lines, in the order of the data colours.
    names: Vec<String>,
    svg: String,
}

/// The panels of an evaluation, in the order of the page.
pub(super) fn of(evaluation: &Evaluation) -> Result<Vec<ScorePanel>> {
    let mut panels = Vec::new();
    if let Some(curves) = &evaluation.curves {
        panels.push(curve(curves, Kind::Roc)?);
        panels.push(curve(curves, Kind::PrecisionRecall)?);
    }
    if let Some(calibration) = &evaluation.calibration {
        panels.push(ScorePanel {
            title: "Calibration",
            figure: format!(
                "expected error {}",
                format::percent(calibration.expected_calibration_error)
            ),
            axes: "share that is right, by confidence",
            names: Vec::new(),
            svg: reliability_chart::draw(calibration)?,
        });
    }
    Ok(panels)
}

/// Which classes the curves are of, in words.
pub(super) fn note(evaluation: &Evaluation) -> Option<String> {
    let classes = &evaluation.curves.as_ref()?.classes;
    Some(match classes.as_slice() {
        [only] if evaluation.confusion.num_classes() == 2 => format!("Curves are those of “{}”.", only.label),
        all if all.len() <= SERIES => "Each class stands against the rest.".to_owned(),
        _ => format!("Each class stands against the rest; the {SERIES} of least area are in colour."),
    })
}

/// One kind of curves; the names are those of the classes in colour.
fn curve(curves: &ScoreCurves, kind: Kind) -> Result<ScorePanel> {
    let (title, axes, name, estimate) = match kind {
        Kind::Roc => ("ROC", "true over false positive rate", "area", curves.roc_auc),
        Kind::PrecisionRecall => (
            "Precision and recall",
            "precision over recall",
            "average precision",
            curves.average_precision,
        ),
    };
    let range = estimate
        .interval
        .map(|interval| format!(" ({:.3} – {:.3})", interval.lower, interval.upper));
    let coloured = score_chart::coloured(kind, &curves.classes);
    let names = coloured.iter().map(|&class| {
        let class = &curves.classes[class];
        format!("{} {:.3}", class.label, kind.area(class))
    });
    Ok(ScorePanel {
        title,
        figure: format!("{name} {:.4}{}", estimate.value, range.unwrap_or_default()),
        axes,
        names: names.collect(),
        svg: score_chart::draw(kind, &curves.classes)?,
    })
}
