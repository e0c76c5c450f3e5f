//! Drawing how important each feature is.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::chart::{self, Drawing, Ink};
use crate::Result;

/// Features drawn at most; with more, the most important.
pub(super) const MAX_ROWS: usize = 40;

/// Measures in CSS pixels, before the page scales the chart to its own width.
const WIDTH: u32 = 900;
const ROW_HEIGHT: f64 = 23.0;
const LABEL_WIDTH: f64 = 190.0;
const VALUE_WIDTH: f64 = 70.0;
const TEXT: f64 = 12.0;

/// Characters of a feature's name that fit beside its bar.
const LABEL_CHARS: usize = 30;

/// A feature's bar.
pub(super) struct Bar {
    pub name: String,
    pub value: f64,
    /// Half of its whisker.
    pub spread: Option<f64>,
}

/// Horizontal bars from 0, the longest first.
pub(super) fn draw(title: &str, mut bars: Vec<Bar>) -> Result<String> {
    bars.sort_by(|a, b| b.value.total_cmp(&a.value));
    bars.truncate(MAX_ROWS);
    let height = (bars.len() as f64 * ROW_HEIGHT).ceil().max(1.0) as u32;
    let values: Vec<String> = bars
        .iter()
        .map(|bar| format!("{} {:.4}", bar.name, bar.value))
        .collect();
    let scale = Scale::of(&bars);
    chart::svg(
        [WIDTH, height],
        &format!("{title}: {}", values.join(", ")),
        |area| {
            let zero = vec![
                (scale.place(0.0), 0),
                (scale.place(0.0), chart::units(f64::from(height))),
            ];
            area.draw(&PathElement::new(zero, chart::stroke(Ink::Grid, 1.0)))?;
            bars.iter()
                .enumerate()
                .try_for_each(|(index, bar)| draw_bar(area, index, bar, &scale))
        },
    )
}

/// From values to places.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn of(bars: &[Bar]) -> Scale {
        let ends = bars.iter().map(|bar| {
            let spread = bar.spread.unwrap_or(0.0);
            [bar.value - spread, bar.value + spread]
        });
        let (low, high) = ends.fold((0.0f64, 0.0f64), |(low, high), [from, to]| {
            (low.min(from), high.max(to))
        });
        Scale {
            low,
            high: if high > low { high } else { low + 1.0 },
        }
    }

    fn place(&self, value: f64) -> i32 {
        let width = f64::from(WIDTH) - LABEL_WIDTH - VALUE_WIDTH;
        chart::units(LABEL_WIDTH + (value - self.low) / (self.high - self.low) * width)
    }
}

fn draw_bar(area: &DrawingArea<SVGBackend<'_>, Shift>, index: usize, bar: &Bar, scale: &Scale) -> Drawing {
    let middle = (index as f64 + 0.5) * ROW_HEIGHT;
    let y = |offset: f64| chart::units(middle + offset);
    let (from, to) = (scale.place(bar.value.min(0.0)), scale.place(bar.value.max(0.0)));
    area.draw(&Rectangle::new(
        [(from, y(-6.0)), (to, y(6.0))],
        Ink::Series(0).placeholder().filled(),
    ))?;
    let mut right = to;
    if let Some(spread) = bar.spread {
        let (low, high) = (scale.place(bar.value - spread), scale.place(bar.value + spread));
        for line in [
            [(low, y(0.0)), (high, y(0.0))],
            [(low, y(-4.0)), (low, y(4.0))],
            [(high, y(-4.0)), (high, y(4.0))],
        ] {
            area.draw(&PathElement::new(line.to_vec(), chart::stroke(Ink::Text, 1.5)))?;
        }
        right = right.max(high);
    }
    let label = chart::text(Ink::Text, TEXT).pos(Pos::new(HPos::Right, VPos::Center));
    let name = (chart::units(LABEL_WIDTH - 12.0), y(0.0));
    area.draw(&Text::new(shortened(&bar.name), name, label))?;
    let value = chart::text(Ink::Muted, TEXT).pos(Pos::new(HPos::Left, VPos::Center));
    let place = (right + chart::units(10.0), y(0.0));
    area.draw(&Text::new(format!("{:.4}", bar.value), place, value))?;
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
    fn draws_losses_gains_and_nothing() {
        for values in [vec![0.3, -0.1, 0.0], vec![0.0, 0.0], vec![-1.0], vec![]] {
            let bars = values.into_iter().map(|value| Bar {
                name: "<column> & more".into(),
                value,
                spread: Some(0.05),
            });
            let markup = draw("Importance", bars.collect()).unwrap();
            assert!(
                !markup.contains("NaN") && !markup.contains("<column>"),
                "{markup}"
            );
        }
    }
}
