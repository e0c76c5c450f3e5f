//! Drawing parallel coordinates: what good trials have in common.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::chart::{self, Drawing, Ink};
use crate::Result;

const SIZE: [u32; 2] = [900, 330];
const TOP: f64 = 36.0;
const BOTTOM: f64 = 14.0;
const SIDE: f64 = 66.0;

/// Opacity of threads that are not good ones.
const FAINT: f64 = 0.22;

/// An axis from bottom (0) to top (1).
#[derive(Clone, Debug, PartialEq)]
pub struct ParallelAxis {
    /// What it measures.
    pub name: String,
    /// Places with their values.
    pub ticks: Vec<(f64, String)>,
}

/// A line across all axes.
#[derive(Clone, Debug, PartialEq)]
pub struct ParallelThread {
    /// Its place on each axis, from 0 to 1.
    pub places: Vec<f64>,
    /// Whether it is one of those to look at.
    pub is_good: bool,
}

/// The chart; good threads are drawn last and in their own colour.
///
/// # Errors
/// [`Error::Chart`](crate::Error::Chart) when it cannot be drawn, which is not expected.
pub fn parallel_chart(axes: &[ParallelAxis], threads: &[ParallelThread]) -> Result<String> {
    let names: Vec<&str> = axes.iter().map(|axis| axis.name.as_str()).collect();
    let description = format!("{} trials across {}", threads.len(), names.join(", "));
    chart::svg(SIZE, &description, |area| {
        for is_good in [false, true] {
            let of_kind = threads.iter().filter(|thread| thread.is_good == is_good);
            of_kind
                .into_iter()
                .try_for_each(|thread| draw_thread(area, thread))?;
        }
        axes.iter()
            .enumerate()
            .try_for_each(|(at, axis)| draw_axis(area, axis, x_of(at, axes.len())))
    })
}

fn x_of(at: usize, axes: usize) -> i32 {
    let width = f64::from(SIZE[0]) - 2.0 * SIDE;
    chart::units(SIDE + width * at as f64 / (axes.max(2) - 1) as f64)
}

fn y_of(place: f64) -> i32 {
    let height = f64::from(SIZE[1]) - TOP - BOTTOM;
    chart::units(TOP + height * (1.0 - place.clamp(0.0, 1.0)))
}

fn draw_thread(area: &DrawingArea<SVGBackend<'_>, Shift>, thread: &ParallelThread) -> Drawing {
    let line = |(at, place): (usize, &f64)| (x_of(at, thread.places.len()), y_of(*place));
    let points: Vec<(i32, i32)> = thread.places.iter().enumerate().map(line).collect();
    let style = if thread.is_good {
        chart::stroke(Ink::Series(1), 1.8)
    } else {
        ShapeStyle {
            color: Ink::Series(0).placeholder().mix(FAINT),
            ..chart::stroke(Ink::Series(0), 1.0)
        }
    };
    Ok(area.draw(&PathElement::new(points, style))?)
}

fn draw_axis(area: &DrawingArea<SVGBackend<'_>, Shift>, axis: &ParallelAxis, x: i32) -> Drawing {
    let line = vec![(x, y_of(0.0)), (x, y_of(1.0))];
    area.draw(&PathElement::new(line, chart::stroke(Ink::Muted, 1.0)))?;
    let name = chart::text(Ink::Text, 12.5).pos(Pos::new(HPos::Center, VPos::Bottom));
    area.draw(&Text::new(
        axis.name.as_str(),
        (x, chart::units(TOP - 14.0)),
        name,
    ))?;
    for (place, text) in &axis.ticks {
        let y = y_of(*place);
        let mark = vec![(x, y), (x + chart::units(4.0), y)];
        area.draw(&PathElement::new(mark, chart::stroke(Ink::Muted, 1.0)))?;
        let style = chart::text(Ink::Muted, 11.0).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(text.as_str(), (x + chart::units(7.0), y), style))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_good_threads_over_the_others() {
        let axis = |name: &str| ParallelAxis {
            name: name.to_owned(),
            ticks: vec![(0.0, "low".to_owned()), (1.0, "high".to_owned())],
        };
        let thread = |is_good| ParallelThread {
            places: vec![0.2, 0.9],
            is_good,
        };
        let markup = parallel_chart(&[axis("a"), axis("b")], &[thread(true), thread(false)]).unwrap();
        let [good, other] = ["var(--series-1)", "var(--series-0)"].map(|ink| markup.find(ink).unwrap());
        assert!(other < good, "{markup}");
        assert!(parallel_chart(&[], &[]).is_ok() && parallel_chart(&[axis("a")], &[]).is_ok());
    }
}
