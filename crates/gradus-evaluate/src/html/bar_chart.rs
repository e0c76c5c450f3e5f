//! Drawing shares as bars.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::chart::{self, Ink};
use super::format;
use crate::Result;

const WIDTH: u32 = 900;
const ROW_HEIGHT: f64 = 27.0;
const LABEL_WIDTH: f64 = 230.0;
const VALUE_WIDTH: f64 = 70.0;

/// Bars of shares between 0 and 1, with their names, in the order given; the longest fills the width.
///
/// # Errors
/// [`Error::Chart`](crate::Error::Chart) when it cannot be drawn, which is not expected.
pub fn share_chart(shares: &[(String, f64)]) -> Result<String> {
    let largest = shares
        .iter()
        .map(|(_, share)| *share)
        .fold(f64::MIN_POSITIVE, f64::max);
    let described: Vec<String> = shares
        .iter()
        .map(|(name, share)| format!("{name} {}", format::percent(*share)))
        .collect();
    let height = (shares.len().max(1) as f64 * ROW_HEIGHT + 4.0).ceil() as u32;
    chart::svg([WIDTH, height], &described.join(", "), |area| {
        let full = f64::from(WIDTH) - LABEL_WIDTH - VALUE_WIDTH;
        for (row, (name, share)) in shares.iter().enumerate() {
            let y = |offset: f64| chart::units((row as f64 + 0.5) * ROW_HEIGHT + offset);
            let end = LABEL_WIDTH + full * (share / largest).clamp(0.0, 1.0);
            let bar = [(chart::units(LABEL_WIDTH), y(-7.0)), (chart::units(end), y(7.0))];
            area.draw(&Rectangle::new(bar, Ink::Series(0).placeholder().filled()))?;
            let label = chart::text(Ink::Text, 12.5).pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(
                name.as_str(),
                (chart::units(LABEL_WIDTH - 12.0), y(0.0)),
                label,
            ))?;
            let value = chart::text(Ink::Muted, 12.0).pos(Pos::new(HPos::Left, VPos::Center));
            let text = format::percent(*share);
            area.draw(&Text::new(text, (chart::units(end + 10.0), y(0.0)), value))?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_none_and_some() {
        assert!(share_chart(&[]).unwrap().contains("<svg"));
        let markup = share_chart(&[("a<b".to_owned(), 0.75), ("c".to_owned(), 0.0)]).unwrap();
        assert!(markup.contains("a&lt;b") && markup.contains("75.0"), "{markup}");
    }
}
