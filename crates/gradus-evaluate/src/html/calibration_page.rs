//! The page of a calibration.

use gradus_package::Package;
use serde::Serialize;

use super::page::{self, Fact};
use super::stress_page::{Diagram, diagram};
use super::{facts, format};
use crate::Result;
use crate::calibration::CalibrationReport;

/// A calibration for people: reliability before and after.
#[derive(Clone, Debug)]
pub struct CalibrationPage<'a> {
    /// Name of the model, for the heading.
    pub title: String,
    /// Where the samples come from, such as a path and a split.
    pub data: String,
    /// What was found.
    pub report: &'a CalibrationReport,
    /// Where the model comes from.
    pub lineage: Vec<Fact>,
}

impl<'a> CalibrationPage<'a> {
    /// A page about the calibration of a package's model.
    pub fn new(
        title: impl Into<String>,
        data: impl Into<String>,
        package: &Package,
        report: &'a CalibrationReport,
    ) -> Self {
        Self {
            title: title.into(),
            data: data.into(),
            report,
            lineage: facts::of_package(package).lineage,
        }
    }

    /// The page.
    ///
    /// # Errors
    /// [`Error::Chart`](crate::Error::Chart) or [`Error::Template`](crate::Error::Template) when a part cannot be made;
    /// neither is expected of a report that this crate made.
    pub fn render(&self) -> Result<String> {
        let CalibrationReport { before, after, .. } = self.report;
        let mut lineage = self.lineage.clone();
        lineage.push(Fact::new(
            "calibration data (SHA-256)",
            self.report.dataset_sha256.as_str(),
        ));
        page::render(
            "calibration.html",
            &View {
                title: self.title.clone(),
                data: self.data.clone(),
                verdict: self.verdict(),
                note: self.note(),
                losses: [before.log_loss, after.log_loss].map(|loss| format!("{loss:.4}")),
                before: diagram(before)?,
                after: diagram(after)?,
                lineage,
            },
        )
    }

    fn verdict(&self) -> String {
        let [before, after] = [&self.report.before, &self.report.after]
            .map(|found| format::percent(found.expected_calibration_error));
        format!(
            "Logits are divided by {:.4}; the calibration error goes from {before} to {after}.",
            self.report.temperature
        )
    }

    fn note(&self) -> String {
        format!(
            "One number, fitted to {} {} samples. No predicted class changes. Both diagrams are of the same samples; a dot is \
             a group of predictions of about the same confidence, its area their number, and on the diagonal the model can be \
             taken at its word.",
            format::count(self.report.n),
            self.report.split
        )
    }
}

#[derive(Serialize)]
struct View {
    title: String,
    data: String,
    verdict: String,
    note: String,
    losses: [String; 2],
    before: Diagram,
    after: Diagram,
    lineage: Vec<Fact>,
}
