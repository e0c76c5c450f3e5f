//! Assembling the page.

use gradus_package::Package;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};
use serde::Serialize;

use super::history::LearningCurves;
use super::view::View;
use crate::{Error, Evaluation, Result};

/// A line of a list of facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What it is about.
    pub name: String,
    /// What is so.
    pub value: String,
}

impl Fact {
    /// A fact from its two halves.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}

/// What a report shows. All but the title, the labels and the evaluation may be left empty.
#[derive(Clone, Debug)]
pub struct HtmlReport<'a> {
    /// Name of the model, for the heading.
    pub title: String,
    /// Where the samples come from, such as a path and a split.
    pub data: String,
    /// The evaluation.
    pub evaluation: &'a Evaluation,
    /// Learning curves of the run that trained the model.
    pub curves: LearningCurves,
    /// Architecture and size.
    pub model: Vec<Fact>,
    /// Recipe, seed, parent and fingerprints.
    pub lineage: Vec<Fact>,
    /// One entry for each compression step, in order.
    pub compression: Vec<Vec<Fact>>,
    /// The recipe as text, shown folded.
    pub recipe: Option<String>,
}

impl<'a> HtmlReport<'a> {
    /// A report about an evaluation alone.
    pub fn new(title: impl Into<String>, data: impl Into<String>, evaluation: &'a Evaluation) -> Self {
        Self {
            title: title.into(),
            data: data.into(),
            evaluation,
            curves: LearningCurves::default(),
            model: Vec::new(),
            lineage: Vec::new(),
            compression: Vec::new(),
            recipe: None,
        }
    }

    /// Adds what a package says about the model: architecture, lineage and compression.
    pub fn with_package(mut self, package: &Package) -> Self {
        let facts = super::facts::of_package(package);
        self.model = facts.model;
        self.lineage = facts.lineage;
        self.compression = facts.compression;
        self.recipe = package.manifest().lineage.recipe.clone();
        self
    }

    /// Adds the learning curves of the run that trained the model.
    pub fn with_curves(mut self, curves: LearningCurves) -> Self {
        self.curves = curves;
        self
    }

    /// The page.
    ///
    /// # Errors
    /// [`Error::Chart`], [`Error::Picture`] or [`Error::Template`] when a part cannot be made; none of them is
    /// expected of an evaluation that this crate made.
    pub fn render(&self) -> Result<String> {
        render("report.html", &View::new(self)?)
    }
}

/// The templates by name. Each page fills the blocks of `page.html`; `parts.html` holds macros, and what has no page of its
/// own is a section of several.
const TEMPLATES: [(&str, &str); 16] = [
    ("page.html", include_str!("../../templates/page.html")),
    ("parts.html", include_str!("../../templates/parts.html")),
    ("curves.html", include_str!("../../templates/curves.html")),
    ("origin.html", include_str!("../../templates/origin.html")),
    ("report.css", include_str!("../../templates/report.css")),
    ("report.html", include_str!("../../templates/report.html")),
    ("explain.css", include_str!("../../templates/explain.css")),
    ("explain.html", include_str!("../../templates/explain.html")),
    ("sheet.html", include_str!("../../templates/sheet.html")),
    ("metrics.html", include_str!("../../templates/metrics.html")),
    ("slices.html", include_str!("../../templates/slices.html")),
    ("task.html", include_str!("../../templates/task.html")),
    ("questions.html", include_str!("../../templates/questions.html")),
    ("stress.css", include_str!("../../templates/stress.css")),
    ("stress.html", include_str!("../../templates/stress.html")),
    (
        "calibration.html",
        include_str!("../../templates/calibration.html"),
    ),
];

/// The page that a template makes of a view.
pub(super) fn render(template: &str, view: &impl Serialize) -> Result<String> {
    render_from(template, view).map_err(|source| Error::Template { source })
}

fn render_from(template: &str, view: &impl Serialize) -> std::result::Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|name| match name {
        name if name.ends_with(".html") => AutoEscape::Html,
        _ => AutoEscape::None,
    });
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    environment.add_global("version", env!("CARGO_PKG_VERSION"));
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    environment.get_template(template)?.render(Serde(view))
}
