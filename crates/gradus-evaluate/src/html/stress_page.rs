//! The page of a stress report.

use gradus_package::Package;
use serde::Serialize;

use super::page::{self, Fact};
use super::view::Tile;
use super::{facts, format, picture, reliability_chart, severity_chart};
use crate::Result;
use crate::calibration::Reliability;
use crate::stress::{Example, InputUnit, Score, Severity, StressReport, StressTest, TestResult, View};

/// A stress report for people.
#[derive(Clone, Debug)]
pub struct StressPage<'a> {
    /// Name of the model, for the heading.
    pub title: String,
    /// Where the samples come from, such as a path and a split.
    pub data: String,
    /// Names of the classes.
    pub labels: &'a [String],
    /// What was found.
    pub report: &'a StressReport,
    /// Where the model comes from.
    pub lineage: Vec<Fact>,
}

impl<'a> StressPage<'a> {
    /// A page about a report on a package's model.
    pub fn new(
        title: impl Into<String>,
        data: impl Into<String>,
        package: &'a Package,
        report: &'a StressReport,
    ) -> Self {
        Self {
            title: title.into(),
            data: data.into(),
            labels: &package.manifest().signature.labels,
            report,
            lineage: facts::of_package(package).lineage,
        }
    }

    /// The page.
    ///
    /// # Errors
    /// [`Error::Chart`](crate::Error::Chart), [`Error::Picture`](crate::Error::Picture) or
    /// [`Error::Template`](crate::Error::Template) when a part cannot be made; none of them is expected of a report that this
    /// crate made.
    pub fn render(&self) -> Result<String> {
        page::render("stress.html", &self.view()?)
    }

    fn view(&self) -> Result<Page> {
        let report = self.report;
        let mut lineage = self.lineage.clone();
        lineage.push(Fact::new("stress data (SHA-256)", report.dataset_sha256.as_str()));
        lineage.push(Fact::new("seed", report.seed.to_string()));
        Ok(Page {
            title: self.title.clone(),
            data: self.data.clone(),
            verdict: verdict(report),
            note: format!(
                "Each tile is the accuracy where the test costs most. {}",
                method(report)
            ),
            tiles: tiles(report),
            panels: report
                .tests
                .iter()
                .map(|test| panel(test, &report.clean))
                .collect::<Result<_>>()?,
            rows: rows(report),
            view_names: view_names(&report.examples),
            examples: report
                .examples
                .iter()
                .map(|example| self.example(example))
                .collect::<Result<_>>()?,
            reliability: diagram(&report.reliability)?,
            lineage,
        })
    }

    fn example(&self, example: &Example) -> Result<ExampleView> {
        let of = |view: &View| {
            Ok(PictureView {
                picture: picture::data_uri(&view.picture)?,
                predicted: self.labels[view.predicted].clone(),
                confidence: format::probability(view.confidence),
                right: view.predicted == example.label,
            })
        };
        Ok(ExampleView {
            label: self.labels[example.label].clone(),
            index: format::count(example.index as u64),
            views: example.views.iter().map(of).collect::<Result<_>>()?,
        })
    }
}

#[derive(Serialize)]
struct Page {
    title: String,
    data: String,
    verdict: String,
    note: String,
    tiles: Vec<Tile>,
    panels: Vec<Panel>,
    rows: Vec<Row>,
    view_names: Vec<String>,
    examples: Vec<ExampleView>,
    reliability: Diagram,
    lineage: Vec<Fact>,
}

#[derive(Serialize)]
struct Panel {
    title: &'static str,
    axis: String,
    svg: String,
}

#[derive(Serialize)]
struct Row {
    /// Empty after the first row of a test.
    test: &'static str,
    severity: String,
    accuracy: String,
    change: String,
    unchanged: String,
    confidence: String,
    calibration: String,
}

#[derive(Serialize)]
struct ExampleView {
    label: String,
    index: String,
    views: Vec<PictureView>,
}

#[derive(Serialize)]
struct PictureView {
    picture: String,
    predicted: String,
    confidence: String,
    right: bool,
}

/// A reliability diagram with its figures.
#[derive(Serialize)]
pub(super) struct Diagram {
    error: String,
    confidence: String,
    accuracy: String,
    svg: String,
}

pub(super) fn diagram(reliability: &Reliability) -> Result<Diagram> {
    Ok(Diagram {
        error: format::percent(reliability.expected_calibration_error),
        confidence: format::percent(reliability.mean_confidence),
        accuracy: format::percent(reliability.accuracy),
        svg: reliability_chart::draw(reliability)?,
    })
}

fn title_of(test: StressTest) -> &'static str {
    match test {
        StressTest::Noise => "Gaussian noise",
        StressTest::Blur => "Blur",
        StressTest::Brightness => "Brightness",
        StressTest::Contrast => "Contrast",
        StressTest::Missing => "Missing values",
        StressTest::Fgsm => "FGSM attack",
        StressTest::Pgd => "PGD attack",
    }
}

/// The severity of a test that costs most.
fn worst(test: &TestResult) -> Option<&Severity> {
    test.severities
        .iter()
        .min_by(|a, b| a.score.accuracy.total_cmp(&b.score.accuracy))
}

fn verdict(report: &StressReport) -> String {
    let clean = format::percent(report.clean.accuracy);
    let found = report
        .tests
        .iter()
        .filter_map(|test| Some((test.test, worst(test)?)));
    match found.min_by(|a, b| a.1.score.accuracy.total_cmp(&b.1.score.accuracy)) {
        Some((test, severity)) => format!(
            "{clean} of {} samples are right as they are; what hurts most is {} at {}, which leaves {}.",
            format::count(report.n),
            title_of(test),
            severity.severity,
            format::percent(severity.score.accuracy)
        ),
        None => format!(
            "{clean} of {} samples are right as they are.",
            format::count(report.n)
        ),
    }
}

fn method(report: &StressReport) -> String {
    let mut text = unit_and_flat_gradients(report);
    for skipped in &report.skipped {
        text.push_str(&format!(
            " Left out: {}: {}.",
            skipped.test.name(),
            skipped.reason
        ));
    }
    text
}

fn unit_and_flat_gradients(report: &StressReport) -> String {
    let unit = match report.unit {
        InputUnit::Pixels => {
            "Pixels are measured from 0 (black) to 1 (white) and never leave that range; attacks move each pixel by at most \
             their ε."
        }
        InputUnit::Deviations => {
            "Noise and attacks move numeric columns, measured in standard deviations of each column in these data; \
             categories do not move, and a missing value is filled as in training."
        }
    };
    let flat = report.tests.iter().flat_map(|test| &test.severities);
    match flat
        .filter_map(|severity| severity.flat_gradients)
        .max()
        .unwrap_or(0)
    {
        0 => unit.to_owned(),
        flat => format!(
            "{unit} {} samples gave an attack no gradient to follow, because the model is so sure of them that the loss \
             rounds to nothing: it may be weaker than these figures.",
            format::count(flat)
        ),
    }
}

/// The clean model, then each test where it costs most.
fn tiles(report: &StressReport) -> Vec<Tile> {
    let clean = Tile {
        name: "Undisturbed",
        value: format::percent(report.clean.accuracy),
        note: Some(format!("{} samples", format::count(report.n))),
    };
    let of = |test: &TestResult| {
        let severity = worst(test)?;
        Some(Tile {
            name: title_of(test.test),
            value: format::percent(severity.score.accuracy),
            note: Some(format!("at {}", severity.severity)),
        })
    };
    std::iter::once(clean)
        .chain(report.tests.iter().filter_map(of))
        .collect()
}

fn panel(test: &TestResult, clean: &Score) -> Result<Panel> {
    let line = |share: fn(&Score) -> f64| {
        let measured = test
            .severities
            .iter()
            .map(|severity| (severity.severity, share(&severity.score)));
        let mut points: Vec<(f64, f64)> = measured.chain([(test.test.neutral(), share(clean))]).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points
    };
    let lines = [line(|score| score.accuracy), line(|score| score.mean_confidence)];
    let points = lines[0]
        .iter()
        .map(|(severity, accuracy)| format!("{} at {severity}", format::percent(*accuracy)));
    let title = title_of(test.test);
    let description = format!("{title}: accuracy {}", points.collect::<Vec<_>>().join(", "));
    Ok(Panel {
        title,
        axis: test.measured_in.clone(),
        svg: severity_chart::draw(&lines, &description)?,
    })
}

fn rows(report: &StressReport) -> Vec<Row> {
    let row = |test, severity: String, score: &Score| Row {
        test,
        severity,
        accuracy: format::percent(score.accuracy),
        change: format!("{:+.1}", 100.0 * (score.accuracy - report.clean.accuracy)).replace('-', "−"),
        unchanged: format::percent(score.unchanged),
        confidence: format::percent(score.mean_confidence),
        calibration: format::percent(score.expected_calibration_error),
    };
    let mut rows = vec![row("Undisturbed", String::new(), &report.clean)];
    for test in &report.tests {
        for (at, severity) in test.severities.iter().enumerate() {
            let name = if at == 0 { title_of(test.test) } else { "" };
            rows.push(row(name, severity.severity.to_string(), &severity.score));
        }
    }
    rows
}

fn view_names(examples: &[Example]) -> Vec<String> {
    let name = |view: &View| match view.disturbance {
        None => "as it is".to_owned(),
        Some((test, severity)) => format!("{} {severity}", test.name()),
    };
    examples
        .first()
        .map(|example| example.views.iter().map(name).collect())
        .unwrap_or_default()
}
