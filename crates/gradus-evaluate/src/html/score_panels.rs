//! The panels about the probabilities of a classifier.

use serde::Serialize;

use super::{format, reliability_chart};
use crate::{Evaluation, Result};

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
