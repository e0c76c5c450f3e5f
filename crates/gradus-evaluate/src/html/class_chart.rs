//! Drawing the F1 of each class with its interval.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::chart::{self, Drawing, Ink};
use crate::{ClassRow, Result};

/// Classes drawn at most; with more, the weakest.
pub(super) const MAX_ROWS: usize = 40;

/// Measures in CSS pixels, before the page scales the chart to its own width.
const WIDTH: u32 = 900;
const ROW_HEIGHT: f64 = 23.0;
const LABEL_WIDTH: f64 = 150.0;
const VALUE_WIDTH: f64 = 60.0;
const AXIS_HEIGHT: f64 = 26.0;
const TEXT: f64 = 12.0;

/// Characters of a class name that fit beside its bar.
const LABEL_CHARS: usize = 24;

/// Horizontal bars from 0 to 1, one per class, with the interval as a whisker.
pub(super) fn draw(rows: &[&ClassRow]) -> Result<String> {
    let height = (rows.len() as f64 * ROW_HEIGHT + AXIS_HEIGHT).ceil() as u32;
    let values: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {:.3}", row.label, row.f1.value))
        .collect();
    chart::svg(
        [WIDTH, height],
        &format!("F1 of each class: {}", values.join(", ")),
        |area| {
            draw_axis(area, rows.len())?;
            rows.iter()
                .enumerate()
                .try_for_each(|(index, row)| draw_row(area, index, row))
        },
    )
}

/// Horizontal place of a value from 0 to 1.
fn x_of(value: f64) -> i32 {
    let width = f64::from(WIDTH) - LABEL_WIDTH - VALUE_WIDTH;
    chart::units(LABEL_WIDTH + value.clamp(0.0, 1.0) * width)
}

fn draw_axis(area: &DrawingArea<SVGBackend<'_>, Shift>, rows: usize) -> Drawing {
    let bottom = chart::units(rows as f64 * ROW_HEIGHT);
    for fifth in 0..=5 {
        let value = f64::from(fifth) / 5.0;
        let line = vec![(x_of(value), 0), (x_of(value), bottom)];
        area.draw(&PathElement::new(line, chart::stroke(Ink::Grid, 1.0)))?;
        let style = chart::text(Ink::Muted, 11.0).pos(Pos::new(HPos::Center, VPos::Top));
        area.draw(&Text::new(
            format!("{value:.1}"),
            (x_of(value), bottom + chart::units(8.0)),
            style,
        ))?;
    }
    Ok(())
}

fn draw_row(area: &DrawingArea<SVGBackend<'_>, Shift>, index: usize, row: &ClassRow) -> Drawing {
    let middle = (index as f64 + 0.5) * ROW_HEIGHT;
    let y = |offset: f64| chart::units(middle + offset);
    let bar = [(x_of(0.0), y(-6.0)), (x_of(row.f1.value), y(6.0))];
    area.draw(&Rectangle::new(bar, Ink::Series(0).placeholder().filled()))?;
    let mut right = row.f1.value;
    if let Some(interval) = row.f1.interval {
        let (low, high) = (x_of(interval.lower), x_of(interval.upper));
        for line in [
            [(low, y(0.0)), (high, y(0.0))],
            [(low, y(-4.0)), (low, y(4.0))],
            [(high, y(-4.0)), (high, y(4.0))],
        ] {
            area.draw(&PathElement::new(line.to_vec(), chart::stroke(Ink::Text, 1.5)))?;
        }
        right = right.max(interval.upper);
    }
    let label = chart::text(Ink::Text, TEXT).pos(Pos::new(HPos::Right, VPos::Center));
    area.draw(&Text::new(
        shortened(&row.label),
        (chart::units(LABEL_WIDTH - 12.0), y(0.0)),
        label,
    ))?;
    let value = chart::text(Ink::Muted, TEXT).pos(Pos::new(HPos::Left, VPos::Center));
    area.draw(&Text::new(
        format!("{:.3}", row.f1.value),
        (x_of(right) + chart::units(10.0), y(0.0)),
        value,
    ))?;
    Ok(())
}

fn shortened(label: &str) -> String {
    if label.chars().count() <= LABEL_CHARS {
        return label.to_owned();
    }
    label.chars().take(LABEL_CHARS - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_at_a_character() {
        assert_eq!(shortened("Ankle boot"), "Ankle boot");
        let cut = shortened(&"é".repeat(50));
        assert_eq!(cut.chars().count(), LABEL_CHARS);
        assert!(cut.ends_with('…'));
    }
}
