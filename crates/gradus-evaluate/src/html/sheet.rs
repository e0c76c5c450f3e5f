//! A page of the same look about anything: tiles, sections of charts and tables, folded texts.

use serde::Serialize;

use super::page;
use crate::Result;

/// A page that says something in a line, shows it in sections and folds away the rest.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sheet {
    /// What kind of report it is, above the heading.
    pub kicker: String,
    /// What it is about.
    pub title: String,
    /// Where that comes from.
    pub data: String,
    /// The result in a sentence or two.
    pub verdict: String,
    /// The figures that matter.
    pub tiles: Vec<SheetTile>,
    /// What the figures rest on, below them.
    pub note: String,
    /// The rest, in order.
    pub sections: Vec<SheetSection>,
}

/// A figure that matters.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SheetTile {
    /// What it is.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Something small below; may be empty.
    pub note: String,
}

/// A section with a heading.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SheetSection {
    /// The heading.
    pub heading: String,
    /// How to read it; may be empty.
    pub note: String,
    /// What it shows, in order.
    pub parts: Vec<SheetPart>,
}

/// Part of a section.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SheetPart {
    /// A chart of this crate.
    Figure {
        /// What it shows.
        title: String,
        /// How its axes are to be read.
        axis: String,
        /// The markup.
        svg: String,
    },
    /// A table; numbers stand to the right.
    Table {
        /// Column headings.
        heading: Vec<String>,
        /// Cells.
        rows: Vec<Vec<String>>,
    },
    /// A text that is folded away.
    Folded {
        /// What it is.
        title: String,
        /// The text.
        text: String,
    },
}

impl Sheet {
    /// The page.
    ///
    /// # Errors
    /// [`Error::Template`](crate::Error::Template) when the template engine refuses, which is not expected.
    pub fn render(&self) -> Result<String> {
        page::render("sheet.html", self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_shown_and_texts_are_escaped() {
        let sheet = Sheet {
            kicker: "Search".into(),
            title: "<b>".into(),
            tiles: vec![SheetTile {
                name: "best".into(),
                value: "0.9".into(),
                note: "trial 3".into(),
            }],
            sections: vec![SheetSection {
                heading: "Trials & errors".into(),
                note: String::new(),
                parts: vec![
                    SheetPart::Figure {
                        title: "history".into(),
                        axis: "over trials".into(),
                        svg: "<svg></svg>".into(),
                    },
                    SheetPart::Table {
                        heading: vec!["key".into(), "value".into()],
                        rows: vec![vec!["a<b".into(), "1".into()]],
                    },
                    SheetPart::Folded {
                        title: "recipe".into(),
                        text: "x = \"<\"".into(),
                    },
                ],
            }],
            ..Sheet::default()
        };
        let page = sheet.render().unwrap();
        for expected in [
            "&lt;b&gt;",
            "Trials &amp; errors",
            "<svg></svg>",
            "a&lt;b",
            "<summary>recipe</summary>",
            "trial 3",
        ] {
            assert!(page.contains(expected), "{expected}: {page}");
        }
        assert!(!page.contains("http://") && !page.contains("<script"));
    }
}
