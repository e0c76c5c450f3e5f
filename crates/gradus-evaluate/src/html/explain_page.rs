//! The page of explanations.

use super::explain_view::View;
use super::page::render;
use crate::Result;
use crate::explain::{Explanations, GlobalImportance, TextExplanation};

/// What a page of explanations shows.
#[derive(Clone, Copy, Debug)]
pub enum ExplainContent<'a> {
    /// Pictures or rows of a table.
    Samples(&'a Explanations),
    /// What a model goes by over a data set.
    Model {
        /// What is lost without each feature.
        importance: &'a GlobalImportance,
        /// Cells down and across a picture; not looked at for tables.
        cells: usize,
    },
    /// Texts.
    Texts(&'a [TextExplanation]),
}

/// A page of explanations: pictures beside their heat maps, rows as bars, texts as coloured tokens.
#[derive(Clone, Debug)]
pub struct ExplainPage<'a> {
    /// Name of the model, for the heading.
    pub title: String,
    /// Where the samples come from.
    pub data: String,
    /// What is shown.
    pub explained: ExplainContent<'a>,
}

impl ExplainPage<'_> {
    /// The page.
    ///
    /// # Errors
    /// [`Error::Chart`](crate::Error::Chart), [`Error::Picture`](crate::Error::Picture) or
    /// [`Error::Template`](crate::Error::Template) when a part cannot be made; none of them is expected of explanations that
    /// this crate made.
    pub fn render(&self) -> Result<String> {
        render("explain.html", &View::new(self)?)
    }
}
