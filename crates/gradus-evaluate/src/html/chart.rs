//! What the SVG charts share: colours that follow the page, text, and the frame around a drawing.

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::{Error, Result};

/// Drawing units per CSS pixel. Plotters rounds coordinates to whole units; four to a pixel keep curves smooth.
pub(super) const UNITS: u32 = 4;

/// Plotters scales font sizes by this before it writes them.
const FONT_SCALE: f64 = 1.24;

/// A colour by its role on the page. The style sheet has a value for each, in light, dark and print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Text,
    Muted,
    Grid,
    /// One of [`SERIES`] colours for data.
    Series(usize),
}

/// Number of data colours in the style sheet.
pub(super) const SERIES: usize = 4;

impl Ink {
    const ALL: [Ink; 3 + SERIES] = [
        Ink::Text,
        Ink::Muted,
        Ink::Grid,
        Ink::Series(0),
        Ink::Series(1),
        Ink::Series(2),
        Ink::Series(3),
    ];

    /// Stands for the colour while plotters draws; [`themed`] swaps it for [`Self::variable`].
    pub(super) fn placeholder(self) -> RGBColor {
        match self {
            Ink::Text => RGBColor(1, 0, 1),
            Ink::Muted => RGBColor(1, 0, 2),
            Ink::Grid => RGBColor(1, 0, 3),
            Ink::Series(index) => RGBColor(1, 1, (index % SERIES) as u8),
        }
    }

    /// The style sheet's name for the colour.
    fn variable(self) -> String {
        match self {
            Ink::Text => "var(--text)".to_owned(),
            Ink::Muted => "var(--muted)".to_owned(),
            Ink::Grid => "var(--grid)".to_owned(),
            Ink::Series(index) => format!("var(--series-{})", index % SERIES),
        }
    }
}

/// A filled or stroked shape of `width` CSS pixels.
pub(super) fn stroke(ink: Ink, width: f64) -> ShapeStyle {
    ink.placeholder()
        .stroke_width((width * f64::from(UNITS)).round() as u32)
}

/// Text of `size` CSS pixels.
pub(super) fn text(ink: Ink, size: f64) -> TextStyle<'static> {
    ("sans-serif", size * f64::from(UNITS) * FONT_SCALE)
        .into_font()
        .color(&ink.placeholder())
}

/// CSS pixels in drawing units.
pub(super) fn units(pixels: f64) -> i32 {
    (pixels * f64::from(UNITS)).round() as i32
}

/// Draws `width × height` CSS pixels and returns the `<svg>` element, described by `description` for readers who
/// cannot see it.
pub(super) fn svg(
    [width, height]: [u32; 2],
    description: &str,
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, Shift>) -> Drawing,
) -> Result<String> {
    let mut markup = String::new();
    {
        let area = SVGBackend::with_string(&mut markup, (width * UNITS, height * UNITS)).into_drawing_area();
        draw(&area)
            .and_then(|()| area.present().map_err(Into::into))
            .map_err(|source| Error::Chart { source })?;
    }
    Ok(themed(&markup, [width, height], description))
}

/// What drawing functions return; plotters has one error type per backend.
pub(super) type Drawing = std::result::Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Swaps placeholder colours for the page's and fixed sizes and fonts for its style sheet.
fn themed(markup: &str, [width, height]: [u32; 2], description: &str) -> String {
    let body = markup
        .split_once('>')
        .map_or("", |(_, body)| body)
        .replace(" font-family=\"sans-serif\"", "");
    let body = Ink::ALL.iter().fold(body, |body, ink| {
        let RGBColor(r, g, b) = ink.placeholder();
        body.replace(
            &format!("\"#{r:02X}{g:02X}{b:02X}\""),
            &format!("\"{}\"", ink.variable()),
        )
    });
    let label = minijinja::HtmlEscape(description);
    let (inner_width, inner_height) = (width * UNITS, height * UNITS);
    format!(
        "<svg class=\"chart\" role=\"img\" aria-label=\"{label}\" viewBox=\"0 0 {inner_width} {inner_height}\">{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_variables_and_descriptions_are_escaped() {
        let markup = svg([10, 10], "<a> & \"b\"", |area| {
            for ink in Ink::ALL {
                area.draw(&PathElement::new(vec![(0, 0), (5, 5)], stroke(ink, 1.0)))?;
            }
            area.draw(&Text::new("1 < 2", (3, 3), text(Ink::Text, 12.0)))?;
            Ok(())
        })
        .unwrap();
        assert!(!markup.contains("\"#"), "{markup}");
        assert!(markup.contains("var(--series-3)") && markup.contains("var(--grid)"));
        assert!(
            markup.contains("aria-label=\"&lt;a&gt; &amp; &quot;b&quot;\""),
            "{markup}"
        );
        assert!(
            markup.contains("1 &lt; 2") && markup.ends_with("</svg>\n"),
            "{markup}"
        );
    }
}
