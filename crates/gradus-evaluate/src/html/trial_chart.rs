//! Drawing a search as it went on: what each trial reached, and the best so far.

use plotters::prelude::*;

use super::chart::{self, Ink};
use super::curve_chart::short_number;
use super::format;
use crate::Result;

const SIZE: [u32; 2] = [900, 260];

/// What a trial reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrialPoint {
    /// The trial's number.
    pub number: u64,
    /// Its value, or the last one before it was stopped.
    pub value: f64,
    /// Whether it was trained to its end.
    pub is_complete: bool,
    /// The best value of complete trials up to it, once there is one.
    pub best: Option<f64>,
}

/// The chart: a dot for each trial, faint where it was stopped early, and a line for the best so far.
///
/// # Errors
/// [`Error::Chart`](crate::Error::Chart) when it cannot be drawn, which is not expected.
pub fn trial_chart(points: &[TrialPoint]) -> Result<String> {
    // Stopped trials may be far off; they must not squeeze the others.
    let shown = points
        .iter()
        .filter(|point| point.is_complete && point.value.is_finite());
    let [low, high] = span(shown.map(|point| point.value));
    let last = points.iter().map(|point| point.number).max().unwrap_or(0).max(1);
    let best = points.iter().filter_map(|point| point.best).next_back();
    let description = format!(
        "Value of each of {} trials; the best is {}",
        points.len(),
        best.map_or("not known".to_owned(), short_number)
    );
    chart::svg(SIZE, &description, |area| {
        let mut plot = ChartBuilder::on(area)
            .margin_top(chart::units(10.0))
            .margin_right(chart::units(18.0))
            .x_label_area_size(chart::units(24.0))
            .y_label_area_size(chart::units(56.0))
            .build_cartesian_2d(-0.5..last as f64 + 0.5, low..high)?;
        plot.configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(chart::stroke(Ink::Grid, 1.0))
            .axis_style(chart::stroke(Ink::Grid, 1.0))
            .set_all_tick_mark_size(0)
            .label_style(chart::text(Ink::Muted, 11.0))
            .x_labels(8)
            .y_labels(6)
            .x_label_formatter(&|number| format::count(number.round().max(0.0) as u64))
            .y_label_formatter(&|value| format!("{}\u{2002}", short_number(*value)))
            .draw()?;
        let line = points
            .iter()
            .filter_map(|point| Some((point.number as f64, point.best?)));
        plot.draw_series(LineSeries::new(line, chart::stroke(Ink::Series(1), 2.0)))?;
        plot.draw_series(
            points
                .iter()
                .filter(|point| point.value.is_finite())
                .map(|point| {
                    let ink = Ink::Series(0).placeholder();
                    let color = if point.is_complete {
                        ink.mix(1.0)
                    } else {
                        ink.mix(0.35)
                    };
                    let place = (point.number as f64, point.value.clamp(low, high));
                    Circle::new(place, chart::units(3.2), color.filled())
                }),
        )?;
        Ok(())
    })
}

/// Smallest and largest value, widened a little and never empty.
fn span(values: impl Iterator<Item = f64>) -> [f64; 2] {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    match high - low {
        width if width > 0.0 => [low - 0.06 * width, high + 0.06 * width],
        _ if low.is_finite() => {
            let half = (low.abs() * 0.5).max(1e-6);
            [low - half, low + half]
        }
        _ => [0.0, 1.0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_searches_of_none_of_one_and_of_wild_values() {
        let point = |number, value, is_complete| TrialPoint {
            number,
            value,
            is_complete,
            best: is_complete.then_some(value),
        };
        for points in [
            vec![],
            vec![point(0, 0.5, true)],
            vec![
                point(0, f64::NAN, false),
                point(1, 1e300, false),
                point(2, 0.1, true),
            ],
        ] {
            let markup = trial_chart(&points).unwrap();
            assert!(markup.contains("<svg") && !markup.contains("NaN"), "{markup}");
        }
    }
}
