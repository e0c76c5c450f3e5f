//! Drawing shares over the severity of a disturbance.

use plotters::prelude::*;

use super::chart::{self, Ink};
use crate::Result;

/// Size in CSS pixels, before the page scales the chart to its own width.
const SIZE: [u32; 2] = [430, 210];

/// Keeps labels off the axis.
const EN_SPACE: char = '\u{2002}';

/// Lines of shares from 0 to 1, each a list of (severity, share) in ascending order; `description` says the same in words.
pub(super) fn draw(lines: &[Vec<(f64, f64)>], description: &str) -> Result<String> {
    let severities = || lines.iter().flatten().map(|point| point.0);
    let low = severities().fold(f64::INFINITY, f64::min);
    let high = severities().fold(f64::NEG_INFINITY, f64::max);
    let margin = if high > low { 0.04 * (high - low) } else { 0.5 };
    chart::svg(SIZE, description, |area| {
        let mut plot = ChartBuilder::on(area)
            .margin_top(chart::units(10.0))
            .margin_right(chart::units(18.0))
            .x_label_area_size(chart::units(24.0))
            .y_label_area_size(chart::units(48.0))
            .build_cartesian_2d(low - margin..high + margin, -0.02..1.02)?;
        plot.configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(chart::stroke(Ink::Grid, 1.0))
            .axis_style(chart::stroke(Ink::Grid, 1.0))
            .set_all_tick_mark_size(0)
            .label_style(chart::text(Ink::Muted, 11.0))
            .x_labels(6)
            .y_labels(6)
            .x_label_formatter(&|severity| short(*severity))
            .y_label_formatter(&|share| format!("{:.0}\u{202f}%{EN_SPACE}", 100.0 * share))
            .draw()?;
        for (index, line) in lines.iter().enumerate() {
            let ink = Ink::Series(index);
            plot.draw_series(LineSeries::new(line.iter().copied(), chart::stroke(ink, 2.0)))?;
            let dot = |&place: &(f64, f64)| Circle::new(place, chart::units(3.0), ink.placeholder().filled());
            plot.draw_series(line.iter().map(dot))?;
        }
        Ok(())
    })
}

/// Ticks are sums of steps: three decimals hide their rounding.
fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    match text.trim_end_matches('0').trim_end_matches('.') {
        "-0" => "0".to_owned(),
        short => short.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_one_severity_and_many() {
        for line in [vec![(0.0, 1.0)], vec![(-0.4, 0.0), (0.0, 0.9), (0.4, 1.0)]] {
            let markup = draw(&[line.clone(), line], "shares").unwrap();
            assert!(markup.contains("<circle") && !markup.contains("NaN"), "{markup}");
        }
    }

    #[test]
    fn ticks_lose_their_noise() {
        assert_eq!([0.1 + 0.2, -1e-17, 20.0].map(short), ["0.3", "0", "20"]);
    }
}
