//! Drawing what a regression predicts: against the truth, and its errors.

use plotters::prelude::*;

use super::chart::{self, Ink};
use super::format;
use crate::{OutputRow, Result};

/// Size in CSS pixels, before the page scales the chart to its own width.
const SIZE: [u32; 2] = [430, 330];

/// Keeps labels off the axis.
const EN_SPACE: char = '\u{2002}';

/// Radius of a point in CSS pixels, and its opacity: many points on one place look darker.
const RADIUS: f64 = 2.2;
const OPACITY: f64 = 0.4;

/// Predicted over true, with the diagonal on which predictions are right.
pub(super) fn predicted(output: &OutputRow) -> Result<String> {
    let description = format!(
        "Predicted against true {}: R² {:.3}, root mean squared error {}",
        output.name,
        output.r2,
        format::significant(output.rmse)
    );
    let all = output.points.iter().flatten().copied();
    let range = widened(all);
    draw(
        &description,
        &output.points,
        [range, range],
        [(range[0], range[0]), (range[1], range[1])],
    )
}

/// Error (predicted less true) over predicted, with the line of no error.
pub(super) fn residuals(output: &OutputRow) -> Result<String> {
    let points: Vec<[f64; 2]> = output
        .points
        .iter()
        .map(|&[truth, predicted]| [predicted, predicted - truth])
        .collect();
    let description = format!(
        "Errors of {} over what is predicted: mean absolute error {}",
        output.name,
        format::significant(output.mae)
    );
    let x = widened(points.iter().map(|point| point[0]));
    // Even on both sides, so that a bias shows.
    let reach = points.iter().map(|point| point[1].abs()).fold(0.0, f64::max) * 1.06;
    let reach = if reach > 0.0 { reach } else { 1.0 };
    draw(
        &description,
        &points,
        [x, [-reach, reach]],
        [(x[0], 0.0), (x[1], 0.0)],
    )
}

fn draw(
    description: &str,
    points: &[[f64; 2]],
    [x, y]: [[f64; 2]; 2],
    line: [(f64, f64); 2],
) -> Result<String> {
    chart::svg(SIZE, description, |area| {
        let mut plot = ChartBuilder::on(area)
            .margin_top(chart::units(10.0))
            .margin_right(chart::units(18.0))
            .x_label_area_size(chart::units(24.0))
            .y_label_area_size(chart::units(58.0))
            .build_cartesian_2d(x[0]..x[1], y[0]..y[1])?;
        plot.configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(chart::stroke(Ink::Grid, 1.0))
            .axis_style(chart::stroke(Ink::Grid, 1.0))
            .set_all_tick_mark_size(0)
            .label_style(chart::text(Ink::Muted, 11.0))
            .x_labels(5)
            .y_labels(6)
            .x_label_formatter(&|value| tick(*value, x))
            .y_label_formatter(&|value| format!("{}{EN_SPACE}", tick(*value, y)))
            .draw()?;
        plot.draw_series(LineSeries::new(line, chart::stroke(Ink::Muted, 1.5)))?;
        let fill = Ink::Series(0).placeholder().mix(OPACITY).filled();
        let dots = points
            .iter()
            .map(|&[x, y]| Circle::new((x, y), chart::units(RADIUS), fill));
        plot.draw_series(dots)?;
        Ok(())
    })
}

/// Tick places are sums of steps, so the one at 0 comes out as something tiny.
fn tick(value: f64, [low, high]: [f64; 2]) -> String {
    format::significant(if value.abs() < (high - low) * 1e-9 {
        0.0
    } else {
        value
    })
}

/// Smallest and largest value with a margin, never the same.
fn widened(values: impl Iterator<Item = f64>) -> [f64; 2] {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    match high - low {
        distance if distance > 0.0 => [low - 0.04 * distance, high + 0.04 * distance],
        _ if low.is_finite() => [low - 1.0, low + 1.0],
        _ => [0.0, 1.0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_constant_and_exact_predictions() {
        for points in [vec![[1.0, 1.0]; 5], vec![[-3e9, 2.0], [4.0, 4.0]], Vec::new()] {
            let output = OutputRow {
                name: "price <€>".into(),
                mse: 0.0,
                rmse: 0.0,
                mae: 0.0,
                r2: 1.0,
                mape: 0.0,
                median_absolute_error: 0.0,
                explained_variance: 0.0,
                points,
            };
            for markup in [predicted(&output).unwrap(), residuals(&output).unwrap()] {
                assert!(
                    !markup.contains("NaN") && markup.contains("price &lt;€&gt;"),
                    "{markup}"
                );
            }
        }
    }
}
